"""What the hub wants of each node, and what each one reports."""
