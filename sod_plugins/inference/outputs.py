"""The pictures that a prediction is saved as.

Each file is written under a temporary name and then renamed, so that a picture under its final
name is always complete, also after a run that was killed.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from sod_plugins.networks import to_uint8
from sod_plugins.visualization.overlays import tint_saliency


def save_map(path: str | Path, saliency: NDArray[np.float32]) -> None:
    """Save a saliency map ``(H, W)`` in [0, 1] as 8-bit grey PNG: level floor(255 s).

    Truncated, not rounded: so the published maps of the field were made.
    """
    _save_png(Path(path), to_uint8(torch.from_numpy(saliency)))


def save_cutout(path: str | Path, image: NDArray[np.uint8], saliency: NDArray[np.float32]) -> None:
    """Save the image ``(H, W, 3)`` as an RGBA PNG whose alpha is the map ``(H, W)`` in [0, 1]."""
    _save_png(Path(path), np.dstack([image, to_uint8(torch.from_numpy(saliency))]))


def save_overlay(path: str | Path, image: NDArray[np.uint8], saliency: NDArray[np.float32]) -> None:
    """Save the image ``(H, W, 3)`` tinted where the map ``(H, W)`` in [0, 1] is high, as PNG."""
    _save_png(Path(path), tint_saliency(image, saliency))


def _save_png(path: Path, pixels: NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # One fixed temporary name a file: the next run overwrites what a killed one left.
    unfinished = path.with_name(f'.{path.name}.part')
    Image.fromarray(pixels).save(unfinished, format='PNG')
    unfinished.replace(path)
