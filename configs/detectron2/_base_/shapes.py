# What a head is told of a backbone's maps: a dict by name, as its output_shape() returns it.
from detectron2.config import LazyCall as L
from detectron2.layers import ShapeSpec


def shapes(**maps):
    """Return the shapes of maps that are given as name=(channels, stride)."""
    return {n: L(ShapeSpec)(channels=maps[n][0], stride=maps[n][1]) for n in maps}
