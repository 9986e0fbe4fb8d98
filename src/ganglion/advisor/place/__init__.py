"""`advise place`."""
