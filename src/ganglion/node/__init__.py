"""The edge: answers requests locally, updates itself, forwards what is worth sending."""
