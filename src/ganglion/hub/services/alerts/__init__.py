"""Alerts: what is watched, what is true, whom people tell."""
