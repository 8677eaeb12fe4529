"""Resize an image and its saliency mask; resize an image and keep its centre."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from mmcv.transforms import BaseTransform

from sod_plugins.ops import resize_bilinear
from sod_plugins.registry import TRANSFORMS


@TRANSFORMS.register_module()
class ResizeSaliency(BaseTransform):
    """Resize bilinearly in floating point, without antialiasing; the mask stays soft.

    The same function as in ``sod_plugins.networks.Preprocessing``, so that a network sees in
    training, in ``tools/test.py`` and in ``sod predict`` the same pixels. (The hosts' own
    ``Resize`` rounds the image to whole grey levels and picks the nearest mask pixels.)

    Args:
        size: Height and width, in pixels. The aspect ratio is not kept.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        self.size = tuple(size)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Resize ``img`` (H, W, 3) and, where there is one, ``gt_seg_map`` (H, W) as float32."""
        results['img'] = resize_image(results['img'], self.size)
        if 'gt_seg_map' in results:
            results['gt_seg_map'] = resize_image(results['gt_seg_map'], self.size)
        results['img_shape'] = self.size
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(size={self.size})'


@TRANSFORMS.register_module()
class ResizeCenterCrop(BaseTransform):
    """Resize so that the short edge gets a given length, and keep the centre.

    The usual view of a classifier's test image: of the short edge's 256 pixels the central 224.

    Args:
        size: Height and width of the result, in pixels.
        short_edge: Length of the short edge before the crop, at least that of either side of
            ``size``.
    """

    def __init__(self, size: tuple[int, int] = (224, 224), short_edge: int = 256) -> None:
        if short_edge < max(size):
            raise ValueError(
                f'short_edge must be at least the larger side of size {tuple(size)}, '
                f'but is {short_edge}.'
            )
        self.size = tuple(size)
        self.short_edge = short_edge

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Resize and crop ``img`` (H, W, 3) as float32."""
        shape = results['img'].shape[:2]
        height, width = (round(side * self.short_edge / min(shape)) for side in shape)
        top, left = (height - self.size[0]) // 2, (width - self.size[1]) // 2
        image = resize_image(results['img'], (height, width))
        results['img'] = image[top : top + self.size[0], left : left + self.size[1]]
        results['img_shape'] = self.size
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(size={self.size}, short_edge={self.short_edge})'


def resize_image(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize an image (H, W, C), or a map (H, W), to float32."""
    channels_first = image[None] if image.ndim == 2 else image.transpose(2, 0, 1)
    tensor = torch.from_numpy(np.ascontiguousarray(channels_first)).float()
    resized = resize_bilinear(tensor[None], size)[0]
    return (resized[0] if image.ndim == 2 else resized.permute(1, 2, 0)).numpy()
