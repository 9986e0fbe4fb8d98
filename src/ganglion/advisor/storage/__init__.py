"""`advise storage`."""
