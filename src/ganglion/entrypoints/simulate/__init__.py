"""`ganglion simulate`: scenarios in, worlds run, reports out."""
