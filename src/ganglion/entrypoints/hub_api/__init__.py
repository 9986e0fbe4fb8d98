"""The hub's HTTP surface: REST under /api/v1, health and metrics, and a first web page."""
