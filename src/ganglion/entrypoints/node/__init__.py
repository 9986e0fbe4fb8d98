"""The processes of `ganglion node`: joining, supervisor, agent and serving."""
