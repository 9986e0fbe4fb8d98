"""Models in files: finding, opening and running them without a server."""
