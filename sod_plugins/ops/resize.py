"""The one bilinear resize of the package, and other ways to resize where a network may choose."""

from __future__ import annotations

from collections.abc import Callable

import torch
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
    fixed = all(isinstance(side, int) for side in (*x.shape[-2:], *size))
    if torch.compiler.is_exporting() and x.shape[1] == 1 and fixed:
        # Inference engines are slow at single channels: theirs is a loop over pixels.
        for axis in (2, 3):
            x = _resize_axis(x, axis, size[axis - 2], align_corners)
        return x
    return F.interpolate(x, size=size, mode='bilinear', align_corners=align_corners)


def _resize_axis(x: Tensor, axis: int, size: int, align_corners: bool) -> Tensor:
    """Resize one axis linearly: gather both neighbours of every position, then mix them."""
    last = x.shape[axis] - 1
    if align_corners:
        positions = [i * last / max(size - 1, 1) for i in range(size)]
    else:
        positions = [max((i + 0.5) * (last + 1) / size - 0.5, 0) for i in range(size)]
    before = torch.tensor([min(int(position), last) for position in positions], device=x.device)
    after = (before + 1).clamp(max=last)
    share = torch.tensor(positions, dtype=x.dtype, device=x.device) - before
    start, end = x.index_select(axis, before), x.index_select(axis, after)
    return start + (end - start) * share.view(-1, *[1] * (3 - axis))


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
