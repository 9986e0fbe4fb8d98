"""A person's terminal while it stands for another machine's."""
