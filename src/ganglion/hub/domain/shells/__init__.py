"""What one interactive session holds between a person and a node."""
