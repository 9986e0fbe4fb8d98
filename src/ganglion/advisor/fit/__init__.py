"""`advise fit`."""
