"""Resources in files: what they may say, and what has to be done to make it so."""
