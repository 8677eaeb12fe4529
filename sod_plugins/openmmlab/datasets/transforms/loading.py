"""Read an image and its saliency mask."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from mmcv.transforms import BaseTransform, LoadImageFromFile

from sod_plugins._common.choices import require_choice
from sod_plugins.data import DataError, read_image, read_mask
from sod_plugins.registry import TRANSFORMS

CHANNEL_ORDERS = ('rgb', 'bgr')


@TRANSFORMS.register_module()
class LoadSaliencyImage(LoadImageFromFile):
    """Read the image at ``img_path``, turned upright unless ``exif`` is ``'ignore'``.

    Replaces the hosts' ``LoadImageFromFile``. It reads every file that
    :func:`sod_plugins.data.read_image` does, and names files that it cannot read. Adds ``img``,
    uint8 (H, W, 3), ``ori_shape`` and ``img_shape``, both (H, W), and ``channel_order``.

    Args:
        channel_order: ``'rgb'``, or ``'bgr'`` as in the hosts' loaders; the data preprocessor
            then needs ``bgr_to_rgb=True``.

    Raises:
        ValueError: The order is unknown.
    """

    def __init__(self, channel_order: Literal['rgb', 'bgr'] = 'rgb') -> None:
        require_choice('channel_order', channel_order, CHANNEL_ORDERS)
        super().__init__()
        self.channel_order = channel_order

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Add the image; raises ``DataError`` if it cannot be read."""
        image = read_image(results['img_path'], results.get('exif', 'apply'))
        if self.channel_order == 'bgr':
            image = np.ascontiguousarray(image[..., ::-1])
        results |= {'img': image, 'channel_order': self.channel_order}
        results['ori_shape'] = results['img_shape'] = image.shape[:2]
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(channel_order={self.channel_order!r})'


@TRANSFORMS.register_module()
class LoadSaliencyMask(BaseTransform):
    """Read the mask at ``seg_map_path``; must follow the image's loader.

    Adds ``gt_seg_map``, float32 (H, W) in [0, 1]; soft edges stay soft. A sample without a mask, as
    created by the hosts' inferencers, is left unchanged.
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Add the mask; raises ``DataError`` if it cannot be read or has another size."""
        if 'seg_map_path' not in results:
            return results
        mask = read_mask(results['seg_map_path'], results.get('exif', 'apply'))
        if mask.shape != tuple(results['ori_shape']):
            raise DataError(
                f"The mask '{results['seg_map_path']}' has {mask.shape} pixels (height, width), "
                f'its image {results["ori_shape"]}. Make the sizes equal.'
            )
        results['gt_seg_map'] = mask
        return results
