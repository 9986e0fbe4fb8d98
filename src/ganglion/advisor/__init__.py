"""Where each step should run, what it costs, and what is not known yet: pure computation over measured facts.

Plain trees of text come in, frozen answers go out. Files, the command line and pages are left to entrypoints.
"""
