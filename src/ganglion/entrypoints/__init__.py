"""Composition roots: settings, wiring, command line, HTTP servers, processes."""
