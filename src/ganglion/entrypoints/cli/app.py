"""`ganglion` with every command, for whoever wants them all: the reference, the documentation, tests."""

from ganglion.entrypoints.cli.tree import tree

app = tree()
