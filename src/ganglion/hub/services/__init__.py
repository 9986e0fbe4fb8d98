"""The hub's transactions: load, decide in the domain, store, then act."""
