"""What every part may import: standard library only, no knowledge of images or networks."""
