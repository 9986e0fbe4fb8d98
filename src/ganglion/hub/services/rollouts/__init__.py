"""Rollouts: planned, started, looked at, followed back."""
