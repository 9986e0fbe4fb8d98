"""The commands. Each module imports what it needs when a command runs, so that help and completion stay fast."""
