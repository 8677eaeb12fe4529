"""Draw instances over their image."""

from __future__ import annotations

import colorsys
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy.ndimage import binary_erosion

GOLDEN_RATIO = 0.618034  # hues at this distance are well separated for any number of them
OPACITY = 0.45
SHOWN = 0.5  # lowest score that is drawn: below, most of sod-instances' are parts of objects


def draw_instances(
    image: NDArray[np.uint8],
    masks: NDArray[np.bool_],
    scores: NDArray[Any] | None = None,
    boxes: NDArray[Any] | None = None,
    min_score: float = 0.0,
) -> NDArray[np.uint8]:
    """Tint each instance in its own colour, with its outline, box and score.

    Args:
        image: ``(H, W, 3)`` uint8, RGB.
        masks: ``(K, H, W)`` bool, best first; the best one is drawn last, on top of the others.
        scores: ``(K,)``, written at the boxes, or at the masks if there are no boxes.
        boxes: ``(K, 4)`` x1, y1, x2, y2 in pixels, x2 and y2 exclusive; None draws no boxes.
        min_score: Instances with lower scores are not drawn.

    Returns:
        ``(H, W, 3)`` uint8.

    Raises:
        ValueError: Image and masks differ in size.
    """
    if masks.shape[1:] != image.shape[:2]:
        raise ValueError(f'sizes differ: {image.shape[:2]} and {masks.shape[1:]}')
    shown = [k for k in range(len(masks)) if scores is None or scores[k] >= min_score]
    pixels = image.astype(np.float32)
    for k in reversed(shown):
        color = np.array(instance_color(k), dtype=np.float32)
        mask = masks[k]
        pixels[mask] += OPACITY * (color - pixels[mask])
        pixels[mask & ~binary_erosion(mask, border_value=0)] = color
    canvas = Image.fromarray(np.rint(pixels).astype(np.uint8))
    draw = ImageDraw.Draw(canvas)
    for k in reversed(shown):
        corner = _label_corner(masks[k], None if boxes is None else boxes[k])
        if boxes is not None:
            x1, y1, x2, y2 = (float(value) for value in boxes[k])
            draw.rectangle((x1, y1, max(x1, x2 - 1), max(y1, y2 - 1)), outline=instance_color(k))
        if scores is not None and corner is not None:
            text = f'{float(scores[k]):.2f}'
            draw.rectangle(draw.textbbox(corner, text), fill=instance_color(k))
            draw.text(corner, text, fill=(255, 255, 255))
    return np.asarray(canvas)


def instance_color(index: int) -> tuple[int, int, int]:
    """Return the RGB colour of the instance with this index."""
    red, green, blue = colorsys.hsv_to_rgb((0.85 + index * GOLDEN_RATIO) % 1, 0.9, 0.85)
    return round(255 * red), round(255 * green), round(255 * blue)


def _label_corner(mask: NDArray[np.bool_], box: NDArray[Any] | None) -> tuple[float, float] | None:
    """Return the upper left corner of the box or else of the mask; None if both are empty."""
    if box is not None:
        return float(box[0]), float(box[1])
    if not mask.any():
        return None
    return float(mask.any(0).argmax()), float(mask.any(1).argmax())
