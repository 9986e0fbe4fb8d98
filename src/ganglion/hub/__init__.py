"""The control plane: registry, fleet, rollouts, ingest, curation."""
