"""Upsample a small map along the edges of its image.

This is a guided filter (He et al., "Guided image filtering", ECCV 2010, equations 5 to 8, and "Fast
guided filter", 2015), guided by the three colour channels: in every window the map is the linear
function of the image's colours that fits it best. The coefficients are computed at a moderate size
and upsampled, and the pixels of the image at full size then provide the edges. A gain restores the
contrast that averaging takes from the map.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sod_plugins.inference.enlarging import enlarge

Saliency = NDArray[np.float32]
_SOLVED_AT = 640  # pixels of the longer side, at which coefficients are computed
_RADIUS = 6  # of the windows, in pixels of that size
_SMOOTHNESS = 1e-3  # variance, for values in [0, 1], below which a window counts as flat
_GAIN = 1.5  # of the contrast around 0.5
_ROWS = 64  # processed at a time, to stay in the processor's cache


def enlarge_along_edges(saliency: Saliency, photo: NDArray[np.uint8]) -> Saliency:
    """Upsample a map (h, w) in [0, 1] to the size of its image, following the image's edges.

    Args:
        saliency: The small map.
        photo: ``(H, W, 3)``, RGB.

    Returns:
        ``(H, W)`` in [0, 1].
    """
    height, width = photo.shape[:2]
    scale = min(1.0, _SOLVED_AT / max(height, width))
    size = max(1, round(height * scale)), max(1, round(width * scale))
    small = Image.fromarray(photo).resize((size[1], size[0]), Image.Resampling.BOX)
    guide = np.asarray(small, np.float32) / np.float32(255)
    slopes, offset = _coefficients(guide, enlarge(saliency, size))
    result = enlarge(offset, (height, width))
    for channel in range(3):
        slope = enlarge(slopes[..., channel], (height, width))
        for row in range(0, height, _ROWS):
            rows = slice(row, row + _ROWS)
            slope[rows] *= photo[rows, :, channel]
        slope /= 255
        result += slope
    result -= 0.5
    result *= _GAIN
    result += 0.5
    return np.clip(result, 0, 1, out=result)


def _coefficients(guide: Saliency, target: Saliency) -> tuple[Saliency, Saliency]:
    """Return the slopes (h, w, 3) and offsets (h, w) of the linear functions, window-averaged."""
    mean, mean_target = _mean(guide), _mean(target)
    products = guide[..., :, None] * guide[..., None, :]
    covariance = _mean(products) - mean[..., :, None] * mean[..., None, :]
    covariance += _SMOOTHNESS * np.eye(3, dtype=np.float32)
    shared = _mean(guide * target[..., None]) - mean * mean_target[..., None]
    slopes = np.linalg.solve(covariance, shared[..., None])[..., 0].astype(np.float32)
    offset = mean_target - (slopes * mean).sum(-1)
    return _mean(slopes), _mean(offset)


def _mean(values: Saliency) -> Saliency:
    """Return the means over square windows of the first two axes."""
    from scipy.ndimage import uniform_filter1d

    size = 2 * _RADIUS + 1
    rows = uniform_filter1d(values, size, axis=0, mode='nearest')
    mean: Saliency = uniform_filter1d(rows, size, axis=1, mode='nearest')
    return mean
