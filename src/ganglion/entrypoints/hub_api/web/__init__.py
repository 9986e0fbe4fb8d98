"""The hub's first web page: made on the server, without scripts and without anything from elsewhere."""
