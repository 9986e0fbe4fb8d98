"""Names, selectors and fields with which people speak of a fleet."""
