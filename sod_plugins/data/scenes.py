"""One synthetic scene: a background with distractors, and salient objects on it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from sod_plugins.data.shapes import (
    SUPERSAMPLING,
    coverage_of,
    draw_shape,
    random_shape,
    rasterize,
)
from sod_plugins.data.textures import BRIGHTNESS, Field, colour, paint, smooth_noise

_COUNT_SHARES = (0.4, 0.3, 0.2, 0.1)  # of scenes with one, two, three, four objects
_PLACEMENTS = 25
_LEAST_VISIBLE = 0.45  # of an object, not hidden by the frame or later objects
_LEAST_SHARE = 0.02  # of the square of the image's shorter side


@dataclass(frozen=True)
class Scene:
    """A drawn scene.

    Attributes:
        image: uint8 array (H, W, 3), RGB.
        mask: uint8 array (H, W): saliency from 0 to 255, with antialiased edges.
        instances: int32 array (H, W): 0 where nothing is salient, and k on the visible part of
            the k-th object, in drawing order. It is positive exactly where the mask exceeds 127.
    """

    image: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    instances: NDArray[np.int32]


@dataclass(frozen=True)
class _Look:
    """The two colours of a texture, and its wavelength in pixels."""

    low: Field
    high: Field
    wavelength: float

    @property
    def mean(self) -> Field:
        """The colour (3,) between the two."""
        return (self.low + self.high) / np.float32(2)


@dataclass(frozen=True)
class _Placed:
    """An object and its placement; ``area`` is in pixels, including parts cut off by the frame."""

    centre: tuple[float, float]
    radius: float
    area: float
    coverage: Field


def draw_scene(rng: np.random.Generator, size: tuple[int, int]) -> Scene:
    """Draw a scene with one to four salient objects.

    Salient objects are large, sharply bounded, shaded and textured shapes. Not salient are the
    regions of the background (they extend beyond the image), soft patches in the objects' colours,
    faint patches, thin lines and small clutter. Objects are as bright as the background on
    average, so brightness alone does not find them. Later objects occlude earlier ones.

    Args:
        rng: The source of all random choices.
        size: (height, width) in pixels.
    """
    unit = min(size)
    regions = [
        _background_look(rng, unit) for _ in range(rng.choice((1, 2, 3), p=(0.45, 0.4, 0.15)))
    ]
    coverages = _place_objects(rng, size)
    looks = [_object_look(rng, unit, regions) for _ in coverages]
    canvas = _draw_background(rng, size, regions)
    busy = rng.uniform(0, 1)
    _add_soft_patches(rng, canvas, looks, busy)
    _add_faint_patches(rng, canvas, busy)
    _add_clutter(rng, canvas, looks, busy)
    light = rng.uniform(0, 2 * math.pi)
    for coverage, look in zip(coverages, looks, strict=True):
        _add_object(rng, canvas, coverage, look, light)
    canvas *= 1 + rng.uniform(0, 0.15) * smooth_noise(rng, size, unit)[..., None]
    canvas += rng.uniform(0.003, 0.02) * rng.standard_normal(canvas.shape, dtype=np.float32)
    instances = np.zeros(size, dtype=np.int32)
    for number, coverage in enumerate(coverages, start=1):
        instances[coverage > 0.5] = number
    mask = np.rint(255 * np.max(coverages, axis=0)).astype(np.uint8)
    return Scene(np.rint(255 * np.clip(canvas, 0, 1)).astype(np.uint8), mask, instances)


def _place_objects(rng: np.random.Generator, size: tuple[int, int]) -> list[Field]:
    """Sample the coverages (H, W) of the objects such that enough of each stays visible."""
    height, width = size
    wanted = int(rng.choice(len(_COUNT_SHARES), p=_COUNT_SHARES)) + 1
    placed: list[_Placed] = []
    for _ in range(_PLACEMENTS):
        radius = min(size) * rng.uniform(0.16, 0.44) / wanted**0.3
        if placed and rng.random() < 0.5:  # beside the last object, to occlude it
            (x, y), reach = placed[-1].centre, rng.uniform(0.7, 1.3) * (radius + placed[-1].radius)
            angle = rng.uniform(0, 2 * math.pi)
            centre = (x + reach * math.cos(angle), y + reach * math.sin(angle))
        else:
            margin = rng.uniform(0, 1.1) * radius
            centre = (rng.uniform(margin, width - margin), rng.uniform(margin, height - margin))
        shape, turn = random_shape(rng), rng.uniform(0, 2 * math.pi)
        coverage = rasterize(shape, centre, radius, turn, size)
        candidate = _Placed(centre, radius, shape.area() * radius**2, coverage)
        if _all_visible([*placed, candidate]):
            placed.append(candidate)
        if len(placed) == wanted:
            break
    return [item.coverage for item in placed]


def _all_visible(placed: list[_Placed]) -> bool:
    """Return whether the frame and later objects leave enough of every object visible."""
    free = np.ones(placed[0].coverage.shape, dtype=bool)
    least = _LEAST_SHARE * min(free.shape) ** 2
    for item in reversed(placed):
        inside = item.coverage > 0.5
        if np.sum(inside & free) < max(_LEAST_VISIBLE * item.area, least):
            return False
        free &= ~inside
    return True


def _background_look(rng: np.random.Generator, unit: int) -> _Look:
    base, hue = rng.uniform(0.25, 0.75), rng.uniform(0, 2 * math.pi)
    saturation, swing = rng.uniform(0.03, 0.28), rng.uniform(0.02, 0.18)
    return _Look(
        colour(base - swing, hue, saturation),
        colour(base + swing, hue + rng.uniform(-0.6, 0.6), saturation),
        unit * math.exp(rng.uniform(math.log(0.06), math.log(0.6))),
    )


def _object_look(rng: np.random.Generator, unit: int, regions: list[_Look]) -> _Look:
    """Choose colours that differ from every region, in hue rather than in brightness."""
    surround = np.mean([region.mean for region in regions], axis=0) @ BRIGHTNESS
    contrast = rng.uniform(0.22, 0.42)
    while True:
        base = np.clip(rng.normal(surround, 0.16), 0.1, 0.9)
        hue, saturation = rng.uniform(0, 2 * math.pi), rng.uniform(0.03, 0.28)
        swing = rng.uniform(0.02, 0.22)
        look = _Look(
            colour(base - swing, hue, saturation),
            colour(base + swing, hue + rng.normal(0, 1), saturation),
            unit * math.exp(rng.uniform(math.log(0.05), math.log(0.4))),
        )
        if all(np.linalg.norm(look.mean - region.mean) > contrast for region in regions):
            return look
        contrast *= 0.97  # there may be no colour this far from all regions


def _draw_background(
    rng: np.random.Generator, size: tuple[int, int], regions: list[_Look]
) -> Field:
    """Paint regions that meet at wavy lines from border to border."""
    y, x = np.mgrid[: size[0], : size[1]].astype(np.float32)
    canvas = paint(rng, size, regions[0].low, regions[0].high, regions[0].wavelength)
    for region in regions[1:]:
        angle = rng.uniform(0, 2 * math.pi)
        start = (rng.uniform(0.15, 0.85) * size[1], rng.uniform(0.15, 0.85) * size[0])
        distance = (x - start[0]) * math.cos(angle) + (y - start[1]) * math.sin(angle)
        distance += rng.uniform(0, 0.1) * min(size) * smooth_noise(rng, size, min(size) / 3)
        # Double precision, which NumPy 2 chooses for this scalar and NumPy 1 does not.
        share = np.clip(distance.astype(np.float64) / rng.choice((1, 1, 12)) + 0.5, 0, 1)[..., None]
        texture = paint(rng, size, region.low, region.high, region.wavelength)
        canvas = canvas + share * (texture - canvas)
    return canvas


def _add_soft_patches(
    rng: np.random.Generator, canvas: Field, looks: list[_Look], busy: float
) -> None:
    """Blend patches without a boundary in the objects' colours into the background."""
    size = canvas.shape[0], canvas.shape[1]
    for look in looks[: 1 + round(busy)]:
        field = smooth_noise(rng, size, min(size) * rng.uniform(0.3, 0.6))
        share = rng.uniform(0.4, 0.9) * np.clip(1.6 * field - 0.3, 0, 1)[..., None]
        canvas += share * (paint(rng, size, look.low, look.high, look.wavelength) - canvas)


def _add_faint_patches(rng: np.random.Generator, canvas: Field, busy: float) -> None:
    """Slightly lighten or darken a few object-sized shapes, like weak shadows."""
    size = canvas.shape[0], canvas.shape[1]
    for _ in range(round(busy * rng.uniform(0, 3))):
        centre = (rng.uniform(0, size[1]), rng.uniform(0, size[0]))
        radius = rng.uniform(0.1, 0.4) * min(size)
        coverage = rasterize(random_shape(rng), centre, radius, rng.uniform(0, 6.3), size)
        blurred = _blur(coverage, rng.uniform(0.5, 4)).astype(np.float64)  # as above
        canvas *= 1 + rng.choice((-1, 1)) * rng.uniform(0.06, 0.14) * blurred[..., None]


def _add_clutter(rng: np.random.Generator, canvas: Field, looks: list[_Look], busy: float) -> None:
    """Scatter small shapes and draw thin lines, half of them in the objects' colours."""
    size = canvas.shape[0], canvas.shape[1]
    unit = min(size)
    layer = Image.new('RGBA', (size[1] * SUPERSAMPLING, size[0] * SUPERSAMPLING))
    draw = ImageDraw.Draw(layer)
    for _ in range(round(busy * rng.uniform(0, 12))):
        centre = (rng.uniform(0, size[1]), rng.uniform(0, size[0]))
        radius, angle = rng.uniform(0.015, 0.045) * unit, rng.uniform(0, 2 * math.pi)
        draw_shape(draw, random_shape(rng), centre, radius, angle, _clutter_ink(rng, looks))
    for _ in range(round(busy * rng.uniform(0, 4))):
        width = max(1, round(SUPERSAMPLING * unit * rng.uniform(0.004, 0.012)))
        points = SUPERSAMPLING * _bent_line(rng, size)
        draw.line(points.ravel().tolist(), fill=_clutter_ink(rng, looks), width=width)
    drawn = coverage_of(layer)  # reduce() weights the colours by alpha
    canvas += drawn[..., 3:] * (drawn[..., :3] - canvas)


def _clutter_ink(rng: np.random.Generator, looks: list[_Look]) -> tuple[int, ...]:
    if rng.random() < 0.5:
        chosen = looks[rng.integers(len(looks))].mean
    else:
        chosen = colour(rng.uniform(0.1, 0.9), rng.uniform(0, 2 * math.pi), rng.uniform(0, 0.3))
    return (*np.rint(255 * chosen).astype(int).tolist(), 255)


def _bent_line(rng: np.random.Generator, size: tuple[int, int]) -> NDArray[np.float64]:
    """Return the points (n, 2) of an arc from anywhere to anywhere, inside or outside the image."""
    ends = rng.uniform(-0.1, 1.1, (2, 2)) * (size[1], size[0])
    steps = np.linspace(0, 1, 24)[:, None]
    bulge = np.sin(np.pi * steps) * rng.normal(0, 0.12 * min(size), 2)
    points: NDArray[np.float64] = ends[0] + steps * (ends[1] - ends[0]) + bulge
    return points


def _add_object(
    rng: np.random.Generator, canvas: Field, coverage: Field, look: _Look, light: float
) -> None:
    """Paint an object over the canvas: a shadow, a texture, and the shading of a solid body."""
    size = canvas.shape[0], canvas.shape[1]
    unit = min(size)
    if rng.random() < 0.5:
        away = (-0.05 * unit * math.cos(light), -0.05 * unit * math.sin(light))
        canvas *= 1 - rng.uniform(0.1, 0.35) * _blur(coverage, 0.03 * unit, away)[..., None]
    texture = paint(rng, size, look.low, look.high, look.wavelength)
    solid = _blur(coverage, rng.uniform(0.03, 0.08) * unit)
    slope_y, slope_x = np.gradient(solid)
    relief = -(slope_x * math.cos(light) + slope_y * math.sin(light)) * unit * 0.08
    shading = 1 + rng.uniform(0.2, 0.7) * np.clip(relief, -1, 1)
    if rng.random() < 0.3:  # a dark rim
        shading *= 1 - rng.uniform(0.2, 0.6) * np.clip(2.4 * (0.8 - _blur(coverage, 1)), 0, 1)
    canvas += coverage[..., None] * (texture * shading[..., None] - canvas)


def _blur(coverage: Field, radius: float, shift: Sequence[float] = (0, 0)) -> Field:
    """Blur a coverage and shift it by (x, y), all in pixels."""
    image = Image.fromarray(np.rint(255 * coverage).astype(np.uint8))
    image = image.filter(ImageFilter.GaussianBlur(radius))
    if any(shift):
        matrix = (1, 0, -shift[0], 0, 1, -shift[1])
        image = image.transform(image.size, Image.Transform.AFFINE, matrix)
    return np.asarray(image).astype(np.float32) / np.float32(255)
