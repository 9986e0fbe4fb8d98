"""The shipped test kit: fakes for every port and a relay that cuts real connections."""
