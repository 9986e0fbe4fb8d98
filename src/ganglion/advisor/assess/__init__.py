"""`advise assess`."""
