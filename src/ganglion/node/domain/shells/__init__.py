"""One interactive session, and what this machine grants to it."""
