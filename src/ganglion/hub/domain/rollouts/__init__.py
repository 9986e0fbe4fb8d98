"""The document of a rollout, its table and its machine."""
