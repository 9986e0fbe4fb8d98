"""One module per page of docs/reference: each reads the code and returns Markdown."""
