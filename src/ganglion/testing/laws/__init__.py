"""The laws of docs/architecture.md, section 5, one class and one file each. A world reports; a law judges."""
