"""Arms, intervals that hold at every look, and what an experiment has shown."""
