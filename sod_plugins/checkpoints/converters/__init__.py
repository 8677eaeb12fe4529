"""Weights that papers' authors released, as checkpoints of this package."""
