"""The node's decisions, as pure functions and tables."""
