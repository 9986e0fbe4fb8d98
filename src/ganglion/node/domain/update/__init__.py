"""One attempt, from the wish to the commit or the way back."""
