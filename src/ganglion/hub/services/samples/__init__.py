"""Inputs that nodes kept, what people said of them, and data sets from both."""
