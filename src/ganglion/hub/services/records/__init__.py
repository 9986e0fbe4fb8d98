"""What nodes sent: taken in once, looked at, kept for as long as it may be."""
