"""The node's shells: agent and serving."""
