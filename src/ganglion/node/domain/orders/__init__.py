"""What a hub may ask of this node, and what it has asked."""
