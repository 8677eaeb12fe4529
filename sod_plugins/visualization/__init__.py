"""Pictures for people: overlays, error maps, curves and the evaluation report."""
