"""Looks into a node from its data directory, whether it runs or not, and changes nothing in it."""
