"""The pictures that a prediction is saved as."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from sod_plugins.data import Photo, encode_png, save_png
from sod_plugins.networks import to_uint8
from sod_plugins.visualization.overlays import tint_saliency

SaliencyArray: TypeAlias = NDArray[np.float32]
# A photo, or its RGB alone, (H, W, 3) of uint8.
Picture: TypeAlias = 'Photo | NDArray[np.uint8]'


def save_map(path: str | Path, saliency: SaliencyArray) -> None:
    """Save a saliency map ``(H, W)`` in [0, 1] as 8-bit grey PNG: level floor(255 s).

    Truncated, not rounded: so the published maps of the field were made.
    """
    save_png(path, _levels(saliency), mark=True)


def save_cutout(path: str | Path, image: Picture, saliency: SaliencyArray) -> None:
    """Save an image as an RGBA PNG whose alpha is the map ``(H, W)`` in [0, 1].

    The photo's own alpha is multiplied in, its colour profile and resolution are kept, and where
    the result is fully transparent the colours are black: nothing of the background is left.
    """
    photo = _photo(image)
    pixels = _cutout(photo, saliency)
    save_png(path, pixels, icc_profile=photo.icc_profile, dpi=photo.dpi, mark=True)


def save_overlay(path: str | Path, image: Picture, saliency: SaliencyArray) -> None:
    """Save an image tinted where the map ``(H, W)`` in [0, 1] is high, as PNG.

    Alpha, colour profile and resolution of the photo are kept.
    """
    photo = _photo(image)
    pixels = _overlay(photo, saliency)
    save_png(path, pixels, icc_profile=photo.icc_profile, dpi=photo.dpi, mark=True)


def encode_map(saliency: SaliencyArray) -> bytes:
    """Return the file that :func:`save_map` writes."""
    return encode_png(_levels(saliency), mark=True)


def encode_cutout(image: Picture, saliency: SaliencyArray) -> bytes:
    """Return the file that :func:`save_cutout` writes."""
    photo = _photo(image)
    pixels = _cutout(photo, saliency)
    return encode_png(pixels, icc_profile=photo.icc_profile, dpi=photo.dpi, mark=True)


def encode_overlay(image: Picture, saliency: SaliencyArray) -> bytes:
    """Return the file that :func:`save_overlay` writes."""
    photo = _photo(image)
    pixels = _overlay(photo, saliency)
    return encode_png(pixels, icc_profile=photo.icc_profile, dpi=photo.dpi, mark=True)


def _photo(image: Picture) -> Photo:
    return image if isinstance(image, Photo) else Photo(image)


def _levels(saliency: SaliencyArray) -> NDArray[np.uint8]:
    return to_uint8(torch.from_numpy(saliency))


def _cutout(photo: Photo, saliency: SaliencyArray) -> NDArray[np.uint8]:
    alpha = _levels(saliency)
    if photo.alpha is not None:
        product = alpha.astype(np.uint16) * photo.alpha
        alpha = ((product + 127) // 255).astype(np.uint8)
    return _with_alpha(photo.pixels, alpha)


def _overlay(photo: Photo, saliency: SaliencyArray) -> NDArray[np.uint8]:
    tinted = tint_saliency(photo.pixels, saliency)
    return tinted if photo.alpha is None else _with_alpha(tinted, photo.alpha)


def _with_alpha(pixels: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return RGBA in which nothing is hidden under full transparency."""
    rgba = np.empty((*alpha.shape, 4), np.uint8)
    np.multiply(pixels, alpha[..., None] > 0, out=rgba[..., :3])
    rgba[..., 3] = alpha
    return rgba
