"""`ganglion serve`: models from files, without a hub."""
