"""Who may try a password, and which role a provider's groups give."""
