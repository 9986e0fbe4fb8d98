"""What alerts can watch, and how one stands to its subjects."""
