"""One module per compute step; vendor libraries appear here."""
