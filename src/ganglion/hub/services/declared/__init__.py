"""What files declare of a fleet, against what is there."""
