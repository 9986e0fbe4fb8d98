"""Signed packages: release, repository, keys, and which variant suits whom."""
