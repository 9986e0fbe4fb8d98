"""The gate that every model file passes before an engine opens it."""
