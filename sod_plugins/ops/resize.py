"""The one bilinear resize of the package."""

from __future__ import annotations

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
