"""A fleet, its hub and its troubles on a virtual clock, from one seed: no threads, no sleeping, no disk, no network.

docs/explanation/simulation.md tells how it works and what it cannot show.
"""
