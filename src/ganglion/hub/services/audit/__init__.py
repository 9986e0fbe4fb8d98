"""The hub's audit chain, and the ways in which it is kept."""
