"""Requests, batches, versions: what the serving process does."""
