"""New trust metadata: proposed, signed by people, installed."""
