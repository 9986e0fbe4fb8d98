"""Which requests run together, and which version answers."""
