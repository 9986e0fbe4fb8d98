"""The shipped test kit: fakes of the hub's ports, a simulated fleet, real programs, a relay that cuts connections."""
