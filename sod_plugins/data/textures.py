"""Procedural textures for synthetic scenes: random fields between two colours."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Field = NDArray[np.float32]

# YUV to RGB (ITU-R BT.601): the brightness of a colour is its Y, regardless of hue and saturation.
_FROM_YUV = np.array([[1, 0, 1.402], [1, -0.344, -0.714], [1, 1.772, 0]], dtype=np.float32)
BRIGHTNESS = np.array([0.299, 0.587, 0.114], dtype=np.float32)


def colour(brightness: float, hue: float, saturation: float) -> Field:
    """Return RGB (3,) in [0, 1] for a brightness in [0, 1], a hue in radians and a saturation."""
    chroma = saturation * np.array([np.cos(hue), np.sin(hue)])
    yuv = np.array([brightness, *chroma], dtype=np.float32)
    rgb: Field = np.clip(_FROM_YUV @ yuv, 0, 1)
    return rgb


def smooth_noise(rng: np.random.Generator, size: tuple[int, int], cell: float) -> Field:
    """Draw noise (H, W), roughly in [-1, 1], that varies on a scale of about ``cell`` pixels."""
    height, width = size
    grid = rng.uniform(-1, 1, (int(height / cell) + 2, int(width / cell) + 2)).astype(np.float32)
    resized = Image.fromarray(grid).resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(resized)


def paint(
    rng: np.random.Generator, size: tuple[int, int], low: Field, high: Field, wavelength: float
) -> Field:
    """Paint (H, W, 3) a random kind of texture between two colours.

    Args:
        rng: The source of all random choices.
        size: (height, width).
        low: The colour where the texture is 0.
        high: The colour where the texture is 1.
        wavelength: The typical length of the pattern in pixels.
    """
    kind = KINDS[rng.integers(len(KINDS))]
    field = np.clip(kind(rng, size, wavelength), 0, 1)[..., None]
    grain = rng.uniform(0.01, 0.05) * smooth_noise(rng, size, rng.uniform(1, 2.5))
    texture: Field = low + (high - low) * field + grain[..., None]
    return texture


def _coordinates(
    rng: np.random.Generator, size: tuple[int, int], wavelength: float
) -> tuple[Field, Field]:
    """Return rotated, shifted and slightly bent coordinates, in radians of the wavelength."""
    y, x = np.mgrid[: size[0], : size[1]].astype(np.float32) * np.float32(2 * np.pi / wavelength)
    # NumPy 2 computes with a double-precision scalar in double precision, NumPy 1 in the precision
    # of the array. The explicit type gives the same result on both.
    x, y = x.astype(np.float64), y.astype(np.float64)
    angle = rng.uniform(0, np.pi)
    u = x * np.cos(angle) + y * np.sin(angle) + rng.uniform(0, 6)
    v = y * np.cos(angle) - x * np.sin(angle) + rng.uniform(0, 6)
    bend = rng.uniform(0, 1.5) * smooth_noise(rng, size, 3 * wavelength)
    return (u + bend).astype(np.float32), (v + bend).astype(np.float32)


def _sharpen(wave: Field, rng: np.random.Generator) -> Field:
    """Turn a wave in [-1, 1] into anything between soft and hard edges, in [0, 1]."""
    sharp: Field = 0.5 + 0.5 * np.tanh(wave * np.float32(rng.uniform(0.8, 6)))
    return sharp


def _noise(rng: np.random.Generator, size: tuple[int, int], wavelength: float) -> Field:
    field = np.full(size, 0.5, dtype=np.float32)
    for octave in range(4):
        field += 0.45 / 2**octave * smooth_noise(rng, size, max(1.5, wavelength / 2**octave))
    return field


def _gradient(rng: np.random.Generator, size: tuple[int, int], wavelength: float) -> Field:
    u, _ = _coordinates(rng, size, 4 * max(size))
    ramp: Field = (u - u.min()) / (u.max() - u.min())
    return ramp + np.float32(0.15) * smooth_noise(rng, size, wavelength)


def _stripes(rng: np.random.Generator, size: tuple[int, int], wavelength: float) -> Field:
    u, _ = _coordinates(rng, size, wavelength)
    return _sharpen(np.sin(u), rng)


def _checker(rng: np.random.Generator, size: tuple[int, int], wavelength: float) -> Field:
    u, v = _coordinates(rng, size, 1.6 * wavelength)
    return _sharpen(3 * np.sin(u) * np.sin(v), rng)


def _spots(rng: np.random.Generator, size: tuple[int, int], wavelength: float) -> Field:
    u, v = _coordinates(rng, size, wavelength)
    return _sharpen(np.sin(u) + np.sin(v) - np.float32(rng.uniform(-0.3, 0.8)), rng)


def _patches(rng: np.random.Generator, size: tuple[int, int], wavelength: float) -> Field:
    return _sharpen(3 * smooth_noise(rng, size, wavelength), rng)


KINDS: tuple[Callable[[np.random.Generator, tuple[int, int], float], Field], ...] = (
    _noise,
    _gradient,
    _stripes,
    _checker,
    _spots,
    _patches,
)
