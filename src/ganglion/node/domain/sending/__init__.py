"""What leaves the node, what is given up, and how it is counted."""
