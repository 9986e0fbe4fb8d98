"""One node: its standing, its settings, what is asked of it, which variant fits it."""
