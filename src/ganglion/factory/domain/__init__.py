"""What counts as good enough: the ladder, evaluation and promotion rules."""
