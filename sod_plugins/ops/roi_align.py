"""RoIAlign, RoIPool, and their inverse: pasting maps of regions back onto the image."""

from __future__ import annotations

import torch
from torch import Tensor

Size = tuple[int, int]
LOBES = 4


def roi_align(
    features: Tensor, rois: Tensor, output_size: Size, spatial_scale: float, sampling_ratio: int = 2
) -> Tensor:
    """Resample each region bilinearly to a fixed size (He et al., "Mask R-CNN", ICCV 2017).

    Uses half-pixel centres (``aligned=True`` of mmcv). Bilinear sampling on a grid is a product
    with one matrix for the rows and one for the columns, and so is the mean over a bin.

    Args:
        features: Maps (N, C, H, W).
        rois: Regions (K, 5): image index, x1, y1, x2, y2 in pixels of the input.
        output_size: Rows and columns of the output.
        spatial_scale: Cells per pixel.
        sampling_ratio: Samples per bin and axis.

    Returns:
        Maps (K, C, *output_size).
    """
    boxes = rois[:, 1:].float() * spatial_scale - 0.5
    rows, columns = (
        _sampling_matrix(boxes[:, axis], boxes[:, axis + 2], bins, length, sampling_ratio)
        for axis, bins, length in (
            (1, output_size[0], features.shape[2]),
            (0, output_size[1], features.shape[3]),
        )
    )
    dtype = features.dtype
    regions = features.index_select(0, rois[:, 0].long())
    return rows[:, None].to(dtype) @ regions @ columns[:, None].to(dtype).transpose(-1, -2)


def roi_pool(features: Tensor, rois: Tensor, output_size: Size, spatial_scale: float) -> Tensor:
    """Max-pool each region over bins (Girshick, "Fast R-CNN", ICCV 2015).

    Corners are rounded to cells, both inclusive, and bins are widened to whole cells. An empty bin
    outside the map is 0.

    Args:
        features: Maps (N, C, H, W).
        rois: Regions (K, 5): image index, x1, y1, x2, y2 in pixels of the input.
        output_size: Rows and columns of the output.
        spatial_scale: Cells per pixel.

    Returns:
        Maps (K, C, *output_size).
    """
    corners = (rois[:, 1:].float() * spatial_scale + 0.5).floor().long()
    regions = features.index_select(0, rois[:, 0].long())
    regions = _pool_axis(regions, corners[:, 1], corners[:, 3], output_size[0], 2)
    regions = _pool_axis(regions, corners[:, 0], corners[:, 2], output_size[1], 3)
    return regions.masked_fill(regions == -torch.inf, 0)


def paste_maps(maps: Tensor, regions: Tensor, size: Size, *, lanczos: bool = False) -> Tensor:
    """Paste maps onto an image: the inverse of RoIAlign.

    Args:
        maps: (K, h, w).
        regions: The position of each map, (K, 4) x1, y1, x2, y2 in pixels of the image; (1, 4) for
            all.
        size: Height and width of the image.
        lanczos: Whether to interpolate by Lanczos' kernel with four lobes. It keeps thin parts that
            bilinear interpolation blurs, but slightly overshoots the values of the maps.

    Returns:
        Maps (K, *size); outside its region a map repeats its border.
    """
    rows, columns = (
        _paste_matrix(regions[:, axis], regions[:, axis + 2], cells, pixels, lanczos)
        for axis, cells, pixels in ((1, maps.shape[1], size[0]), (0, maps.shape[2], size[1]))
    )
    dtype = maps.dtype
    return rows.to(dtype) @ (maps @ columns.to(dtype).transpose(-1, -2))


def _sampling_matrix(start: Tensor, end: Tensor, bins: int, length: int, samples: int) -> Tensor:
    """Return the matrices (K, bins, length) that sample an axis and average each bin."""
    count = bins * samples
    steps = (torch.arange(count, device=start.device, dtype=start.dtype) + 0.5) / count
    positions = start[:, None] + (end - start)[:, None] * steps
    # As in all implementations: the border value up to one cell outside, and 0 beyond.
    valid = (positions >= -1) & (positions <= length)
    weights = _bilinear_weights(positions, length) * valid[..., None]
    return weights.view(len(start), bins, samples, length).mean(2)


def _paste_matrix(start: Tensor, end: Tensor, cells: int, pixels: int, lanczos: bool) -> Tensor:
    """Return the matrices (K, pixels, cells) that sample an axis of maps at pixel centres."""
    centres = torch.arange(pixels, device=start.device, dtype=start.dtype) + 0.5
    scale = cells / (end - start).clamp(min=1e-6)
    positions = (centres - start[:, None]) * scale[:, None] - 0.5
    return (_lanczos_weights if lanczos else _bilinear_weights)(positions, cells)


def _bilinear_weights(positions: Tensor, length: int) -> Tensor:
    """Return the bilinear weights (..., length) of the cells at positions (...) inside the map."""
    cells = torch.arange(length, device=positions.device, dtype=positions.dtype)
    distance = (positions.clamp(0, length - 1)[..., None] - cells).abs()
    return (1 - distance).clamp(min=0)


def _lanczos_weights(positions: Tensor, length: int) -> Tensor:
    """Return the weights of Lanczos' kernel; beyond the map its border is repeated."""
    cells = torch.arange(-LOBES, length + LOBES, device=positions.device, dtype=positions.dtype)
    distance = positions.clamp(0, length - 1)[..., None] - cells
    weights = torch.sinc(distance) * torch.sinc(distance / LOBES) * (distance.abs() < LOBES)
    weights = weights / weights.sum(-1, keepdim=True)
    inside = weights[..., LOBES:-LOBES].clone()
    inside[..., 0] += weights[..., :LOBES].sum(-1)
    inside[..., -1] += weights[..., -LOBES:].sum(-1)
    return inside


def _pool_axis(regions: Tensor, first: Tensor, last: Tensor, bins: int, axis: int) -> Tensor:
    """Max-pool over bins along an axis; an empty bin is minus infinity."""
    length = regions.shape[axis]
    width = (last - first + 1).clamp(min=1)[:, None]
    index = torch.arange(bins, device=first.device)
    # Integer floor and ceiling of i * width / bins, because floats would round some bins wrongly.
    start = (first[:, None] + index * width // bins).clamp(0, length)
    end = (first[:, None] - (-(index + 1) * width // bins)).clamp(0, length)
    shape = [len(regions), 1, 1, 1]
    shape[axis] = bins
    sizes = list(regions.shape)
    sizes[axis] = bins
    pooled = regions.new_full(sizes, -torch.inf)
    widest = int((end - start).max()) if len(regions) else 1
    for step in range(widest):
        cell = start + step
        values = regions.gather(axis, cell.clamp(max=length - 1).view(shape).expand(sizes))
        pooled = pooled.maximum(values.masked_fill((cell >= end).view(shape), -torch.inf))
    return pooled
