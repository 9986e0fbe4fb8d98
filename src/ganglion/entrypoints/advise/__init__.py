"""`ganglion advise`: files in; tables, JSON and pages out."""
