"""`advise cost`."""
