"""The bilinear resize of the package, and the other modes that networks may choose."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor


def resize_bilinear(
    x: Tensor, size: tuple[int, int], *, align_corners: bool = False, antialias: bool = False
) -> Tensor:
    """Resize maps bilinearly, by default without antialiasing and with half-pixel centres.

    The inputs of a network, features between scales and saliency maps are all resized by this
    function, so that training, ``tools/test.py`` and ``sod predict`` see the same pixels.

    Args:
        x: Maps of shape (N, C, H, W), floating point.
        size: Height and width of the output, in pixels.
        align_corners: Whether to align the centres of the corner pixels instead, for networks whose
            paper or release does so.
        antialias: Whether to antialias when downsampling: average all pixels under a triangle as
            wide as the factor, instead of interpolating between four.

    Returns:
        Maps of shape (N, C, *size).
    """
    if antialias:
        return F.interpolate(
            x, size=size, mode='bilinear', align_corners=align_corners, antialias=True
        )
    if x.shape[1] == 1 and _is_exported_for(x, size):
        # Inference engines loop over pixels, which is slow for single channels.
        for axis in (2, 3):
            x = _resize_axis(x, axis, size[axis - 2], align_corners)
        return x
    return F.interpolate(x, size=size, mode='bilinear', align_corners=align_corners)


def average_pool(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Average-pool maps to size[0] x size[1] regions, which overlap if the size is not a multiple.

    Args:
        x: Maps of shape (N, C, H, W), floating point.
        size: Number of rows and columns of regions.

    Returns:
        Maps of shape (N, C, *size).
    """
    if _is_exported_for(x, size):
        # ONNX has no such operator, and gathering the pixels of every region is slower.
        rows = _regions(x, x.shape[-2], size[0])
        return rows @ x @ _regions(x, x.shape[-1], size[1]).T
    return F.adaptive_avg_pool2d(x, size)


def _regions(x: Tensor, length: int, count: int) -> Tensor:
    """Return the matrix (count, length) that averages every region of an axis."""
    weights = []
    for region in range(count):
        start, end = region * length // count, -(-(region + 1) * length // count)
        weights.append([(start <= i < end) / (end - start) for i in range(length)])
    return torch.tensor(weights, dtype=x.dtype, device=x.device)


def _is_exported_for(x: Tensor, size: tuple[int, int]) -> bool:
    """Return whether an exporter is tracing and both sizes are numbers."""
    fixed = all(isinstance(side, int) for side in (*x.shape[-2:], *size))
    return fixed and torch.compiler.is_exporting()


def _resize_axis(x: Tensor, axis: int, size: int, align_corners: bool) -> Tensor:
    """Resize one axis linearly: gather both neighbours of every position, then interpolate."""
    last = x.shape[axis] - 1
    # In at least float32, like the operator: more exact positions would differ from its by 1e-5.
    dtype = torch.promote_types(x.dtype, torch.float32)
    positions = torch.arange(size, dtype=dtype, device=x.device)
    if align_corners:
        positions = positions * (last / max(size - 1, 1))
    else:
        positions = ((positions + 0.5) * ((last + 1) / size) - 0.5).clamp(min=0)
    before = positions.long().clamp(max=last)
    after = (before + 1).clamp(max=last)
    share = (positions - before).to(x.dtype)
    start, end = x.index_select(axis, before), x.index_select(axis, after)
    return start + (end - start) * share.view(-1, *[1] * (3 - axis))


def _resize_nearest(x: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(x, size=size, mode='nearest-exact')


ResizeMode = Literal['bilinear', 'nearest', 'area', 'max']
RESIZE_MODES: dict[ResizeMode, Callable[[Tensor, tuple[int, int]], Tensor]] = {
    'bilinear': resize_bilinear,
    'nearest': _resize_nearest,
    'area': average_pool,
    'max': F.adaptive_max_pool2d,
}


def resize(x: Tensor, size: tuple[int, int], mode: ResizeMode = 'bilinear') -> Tensor:
    """Resize maps in one of several modes; maps of the right size are returned unchanged.

    Args:
        x: Maps of shape (N, C, H, W), floating point.
        size: Height and width of the output, in pixels.
        mode: ``'bilinear'`` as in :func:`resize_bilinear`; ``'nearest'``, the pixel at the centre;
            ``'area'``, the mean of all pixels that an output pixel touches; ``'max'``, their
            maximum.

    Returns:
        Maps of shape (N, C, *size).
    """
    return x if x.shape[-2:] == size else RESIZE_MODES[mode](x, size)
