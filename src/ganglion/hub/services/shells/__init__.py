"""Interactive sessions."""
