"""The one bilinear resize of the package, and other ways to resize where a network may choose."""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor


def resize_bilinear(x: Tensor, size: tuple[int, int], *, align_corners: bool = False) -> Tensor:
    """Resize maps bilinearly, without antialiasing and, by default, with half-pixel centres.

    Inputs of a network, features between scales and saliency maps all go through this function, so
    that training, ``tools/test.py`` and ``sod predict`` see the same pixels.

    Args:
        x: Maps of shape (N, C, H, W), floating point.
        size: Height and width of the result, in pixels.
        align_corners: Whether the centres of the corner pixels are aligned instead, as inside
            networks whose paper or release has it so.

    Returns:
        Maps of shape (N, C, *size).
    """
    return F.interpolate(x, size=size, mode='bilinear', align_corners=align_corners)


def _resize_nearest(x: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(x, size=size, mode='nearest-exact')


RESIZE_MODES: dict[str, Callable[[Tensor, tuple[int, int]], Tensor]] = {
    'bilinear': resize_bilinear,
    'nearest': _resize_nearest,
    'area': F.adaptive_avg_pool2d,
    'max': F.adaptive_max_pool2d,
}


def resize(x: Tensor, size: tuple[int, int], mode: str = 'bilinear') -> Tensor:
    """Resize maps in one of several ways; of the same size they are returned as they are.

    Args:
        x: Maps of shape (N, C, H, W), floating point.
        size: Height and width of the result, in pixels.
        mode: ``'bilinear'`` as in :func:`resize_bilinear`; ``'nearest'``, the pixel at the centre;
            ``'area'``, the mean of all pixels that a pixel of the result touches; ``'max'``, their
            maximum.

    Returns:
        Maps of shape (N, C, *size).
    """
    return x if x.shape[-2:] == size else RESIZE_MODES[mode](x, size)
