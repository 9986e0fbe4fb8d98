"""What the gate looks at, read from both databases."""
