"""Revisions of the telemetry database."""
