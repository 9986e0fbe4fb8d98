"""Names that people give to parts of the fleet: groups, sites, zones."""
