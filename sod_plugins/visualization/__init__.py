"""Overlays, error maps, curves and the evaluation report."""
