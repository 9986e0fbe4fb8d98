"""What to build next and whether it is good enough: pure decisions over rows and figures."""
