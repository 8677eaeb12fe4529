"""Random outlines for synthetic scenes, and antialiased drawing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Points = NDArray[np.float64]

SUPERSAMPLING = 3


@dataclass(frozen=True)
class Shape:
    """An outline of about radius 1 around the origin.

    Attributes:
        parts: Polygons (n, 2) in (x, y) whose union is filled.
        holes: Polygons (n, 2) that are cut out of them.
    """

    parts: tuple[Points, ...]
    holes: tuple[Points, ...] = ()

    def area(self) -> float:
        """Return the filled area in squared radii, accurate to about 2%."""
        cells = 24  # per radius; no shape reaches further than 1.6 radii
        size = round(3.2 * cells)
        inside = rasterize(self, (size / 2, size / 2), cells, 0, (size, size))
        return float(inside.sum()) / cells**2


def random_shape(rng: np.random.Generator) -> Shape:
    """Draw one of the kinds of shape with random proportions."""
    return KINDS[rng.integers(len(KINDS))](rng)


def rasterize(
    shape: Shape, centre: tuple[float, float], radius: float, angle: float, size: tuple[int, int]
) -> NDArray[np.float32]:
    """Draw a shape as the covered fraction (H, W) of every pixel, in [0, 1].

    Args:
        shape: The shape to draw.
        centre: (x, y) in pixels.
        radius: The length of one unit of the shape, in pixels.
        angle: The rotation in radians.
        size: (height, width) of the result; parts outside are cut off.
    """
    canvas = Image.new('L', (size[1] * SUPERSAMPLING, size[0] * SUPERSAMPLING))
    draw_shape(ImageDraw.Draw(canvas), shape, centre, radius, angle, 255)
    return coverage_of(canvas)


def draw_shape(
    draw: ImageDraw.ImageDraw,
    shape: Shape,
    centre: tuple[float, float],
    radius: float,
    angle: float,
    fill: int | tuple[int, ...],
) -> None:
    """Draw a shape on a supersampled canvas; all lengths are in final pixels."""
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    nothing = 0 if isinstance(fill, int) else (0,) * len(fill)
    for ink, polygons in ((fill, shape.parts), (nothing, shape.holes)):
        for polygon in polygons:
            points = (polygon @ turn * radius + centre) * SUPERSAMPLING
            draw.polygon(points.ravel().tolist(), fill=ink)


def coverage_of(canvas: Image.Image) -> NDArray[np.float32]:
    """Average a supersampled canvas down to an array (H, W[, C]) in [0, 1]."""
    return np.asarray(canvas.reduce(SUPERSAMPLING)).astype(np.float32) / np.float32(255)


_ANGLES = np.linspace(0, 2 * np.pi, 72, endpoint=False)
_CIRCLE = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)


def _ellipse(rng: np.random.Generator) -> Shape:
    return Shape((_CIRCLE * (1, rng.uniform(0.45, 1)),))


def _box(rng: np.random.Generator) -> Shape:
    """A superellipse, from nearly round to a sharp-cornered rectangle."""
    power = 2 / rng.uniform(3, 12)
    box = np.sign(_CIRCLE) * np.abs(_CIRCLE) ** power
    return Shape((box * (1, rng.uniform(0.35, 1)),))


def _polygon(rng: np.random.Generator) -> Shape:
    """An irregular polygon with three to seven corners."""
    count = int(rng.integers(3, 8))
    angles = (np.arange(count) + rng.uniform(-0.3, 0.3, count)) * 2 * np.pi / count
    radii = rng.uniform(0.65, 1.15, (count, 1))
    return Shape((radii * np.stack([np.cos(angles), np.sin(angles)], axis=1),))


def _star(rng: np.random.Generator) -> Shape:
    count = int(rng.integers(4, 8))
    angles = np.arange(2 * count) * np.pi / count
    radii = np.tile([1.15, rng.uniform(0.45, 0.7)], count)[:, None]
    return Shape((radii * np.stack([np.cos(angles), np.sin(angles)], axis=1),))


def _flower(rng: np.random.Generator) -> Shape:
    petals = int(rng.integers(3, 9))
    return Shape((_CIRCLE * (0.85 + rng.uniform(0.1, 0.3) * np.cos(petals * _ANGLES))[:, None],))


def _blob(rng: np.random.Generator) -> Shape:
    """A contour of random Fourier coefficients."""
    order = np.arange(2, 7)
    amplitude, phase = rng.normal(0, 0.28, 5) / order, rng.uniform(0, 2 * np.pi, 5)
    radii = 0.9 + np.sum(amplitude * 2 * np.cos(_ANGLES[:, None] * order + phase), axis=1)
    return Shape((_CIRCLE * np.clip(radii, 0.3, 1.4)[:, None] * (1, rng.uniform(0.6, 1)),))


def _ring(rng: np.random.Generator) -> Shape:
    outer = _CIRCLE * (1, rng.uniform(0.75, 1))
    return Shape((outer,), (outer * rng.uniform(0.4, 0.65),))


def _crescent(rng: np.random.Generator) -> Shape:
    hole = _CIRCLE * rng.uniform(0.75, 0.9) + (rng.uniform(0.45, 0.65), 0)
    return Shape((_CIRCLE * 1.1,), (hole,))


def _figure(rng: np.random.Generator) -> Shape:
    """A body with a head and limbs, like an animal or a doll."""
    body = _CIRCLE * (rng.uniform(0.5, 0.75), rng.uniform(0.35, 0.5))
    side = rng.choice((-1, 1))
    head = _CIRCLE * rng.uniform(0.2, 0.32) + (
        side * rng.uniform(0.6, 0.75),
        -rng.uniform(0.2, 0.5),
    )
    width, length = rng.uniform(0.06, 0.12), rng.uniform(0.6, 0.95)
    leg = np.array([(-width, 0), (width, 0), (width, length), (-width, length)])
    legs = tuple(
        leg + np.array((offset, 0)) for offset in np.linspace(-0.4, 0.4, int(rng.integers(2, 5)))
    )
    return Shape((body, head, *legs))


def _cluster(rng: np.random.Generator) -> Shape:
    """Overlapping discs, like a bunch of fruit or a bush."""
    count = int(rng.integers(3, 7))
    angles = (np.arange(count) + rng.uniform(0, 1)) * 2 * np.pi / count
    centres = 0.5 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    discs = tuple(_CIRCLE * rng.uniform(0.35, 0.6) + centre for centre in centres)
    return Shape((_CIRCLE * 0.4, *discs))


KINDS: tuple[Callable[[np.random.Generator], Shape], ...] = (
    _ellipse,
    _box,
    _polygon,
    _star,
    _flower,
    _blob,
    _blob,
    _ring,
    _crescent,
    _figure,
    _figure,
    _cluster,
)
