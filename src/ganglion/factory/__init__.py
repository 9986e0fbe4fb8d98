"""Compute jobs: train, export, optimise, evaluate, package."""
