"""The process of `ganglion hub run`, and the way back in for who has its disk."""
