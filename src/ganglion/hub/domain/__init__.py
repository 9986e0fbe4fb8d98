"""The hub's decisions, as pure functions and tables."""
