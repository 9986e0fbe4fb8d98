"""Settings of every program: one typed tree, a file, variables and options."""
