"""The hub, put together: which adapter stands behind which port, and what its services share."""
