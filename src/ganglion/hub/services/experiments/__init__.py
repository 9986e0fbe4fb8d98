"""Experiments: arms, evidence, conclusions."""
