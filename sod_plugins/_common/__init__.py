"""Helpers that every part may import: standard library only, independent of images and networks."""
