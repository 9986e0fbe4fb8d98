"""A serving port and who may ask it: listening, TLS, local clients, the guard."""
