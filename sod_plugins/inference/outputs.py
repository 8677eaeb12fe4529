"""The pictures that a prediction is saved as."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from sod_plugins.data import save_png
from sod_plugins.networks import to_uint8
from sod_plugins.visualization.overlays import tint_saliency


def save_map(path: str | Path, saliency: NDArray[np.float32]) -> None:
    """Save a saliency map ``(H, W)`` in [0, 1] as 8-bit grey PNG: level floor(255 s).

    Truncated, not rounded: so the published maps of the field were made.
    """
    save_png(path, to_uint8(torch.from_numpy(saliency)))


def save_cutout(path: str | Path, image: NDArray[np.uint8], saliency: NDArray[np.float32]) -> None:
    """Save the image ``(H, W, 3)`` as an RGBA PNG whose alpha is the map ``(H, W)`` in [0, 1]."""
    save_png(path, np.dstack([image, to_uint8(torch.from_numpy(saliency))]))


def save_overlay(path: str | Path, image: NDArray[np.uint8], saliency: NDArray[np.float32]) -> None:
    """Save the image ``(H, W, 3)`` tinted where the map ``(H, W)`` in [0, 1] is high, as PNG."""
    save_png(path, tint_saliency(image, saliency))
