"""Convert weights released by the papers' authors to checkpoints of this package."""
