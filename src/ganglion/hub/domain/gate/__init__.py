"""Go on, wait or abort: from counts alone, with the numbers."""
