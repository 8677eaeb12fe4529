"""Draw saliency maps and their errors in colour."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

# A colour that is rare in photos; red and green objects are common.
TINT = (255, 0, 200)
EXCESS = np.array((214, 39, 40), dtype=np.float32)
MISSING = np.array((31, 119, 180), dtype=np.float32)
_ROWS = 256  # processed at a time, to save memory


def tint_saliency(
    image: NDArray[np.uint8],
    saliency: NDArray[np.float32] | NDArray[np.uint8],
    color: tuple[int, int, int] = TINT,
    opacity: float = 0.5,
) -> NDArray[np.uint8]:
    """Blend a colour into an image in proportion to the saliency.

    Args:
        image: ``(H, W, 3)`` uint8, RGB.
        saliency: ``(H, W)`` in [0, 1], or uint8 from 0 to 255.
        color: RGB of the tint.
        opacity: Opacity of the tint where the saliency is 1.

    Returns:
        ``(H, W, 3)`` uint8: ``image + opacity * saliency * (color - image)``, rounded.

    Raises:
        ValueError: Image and map differ in size.
    """
    _check_same_size(image, saliency)
    tinted = np.empty(image.shape, np.uint8)
    if saliency.dtype == np.uint8:
        opacity /= 255
    for row in range(0, len(image), _ROWS):
        share = opacity * saliency[row : row + _ROWS].astype(np.float32)[..., None]
        pixels = image[row : row + _ROWS].astype(np.float32)
        blended = pixels + share * (np.array(color, dtype=np.float32) - pixels)
        tinted[row : row + _ROWS] = _to_pixels(blended)
    return tinted


def error_map(prediction: NDArray[np.float32], mask: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Show in colour where a prediction differs from the ground truth.

    White where they agree, red where the prediction has too much saliency, blue where it has too
    little, in proportion to the difference.

    Args:
        prediction: ``(H, W)`` in [0, 1].
        mask: ``(H, W)`` in [0, 1].

    Returns:
        ``(H, W, 3)`` uint8, RGB.

    Raises:
        ValueError: The two differ in size.
    """
    _check_same_size(prediction, mask)
    difference = prediction.astype(np.float32) - mask.astype(np.float32)
    hue = np.where(difference[..., None] > 0, EXCESS, MISSING)
    colored = 255 + np.abs(difference)[..., None] * (hue - 255)
    return _to_pixels(colored)


def _to_pixels(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    pixels: NDArray[np.uint8] = np.rint(values).astype(np.uint8)
    return pixels


def _check_same_size(first: NDArray[Any], second: NDArray[Any]) -> None:
    if first.shape[:2] != second.shape[:2]:
        raise ValueError(f'sizes differ: {first.shape[:2]} and {second.shape[:2]}')
