"""What people ask of a node through its hub."""
