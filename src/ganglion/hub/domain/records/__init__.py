"""What a batch means, when it happened, and when the next one may come."""
