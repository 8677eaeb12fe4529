"""Resize an image and its saliency mask."""

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
        results['img'] = self._resize(results['img'])
        if 'gt_seg_map' in results:
            results['gt_seg_map'] = self._resize(results['gt_seg_map'][..., None])[..., 0]
        results['img_shape'] = self.size
        return results

    def _resize(self, image: np.ndarray) -> np.ndarray:
        channels_first = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))).float()
        return resize_bilinear(channels_first[None], self.size)[0].permute(1, 2, 0).numpy()

    def __repr__(self) -> str:
        return f'{type(self).__name__}(size={self.size})'
