"""One module per technology; none imports another."""
