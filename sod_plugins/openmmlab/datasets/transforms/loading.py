"""Read an image and its saliency mask."""

from __future__ import annotations

from typing import Any

from mmcv.transforms import BaseTransform

from sod_plugins.data import DataError, read_image, read_mask
from sod_plugins.registry import TRANSFORMS


@TRANSFORMS.register_module()
class LoadSaliencyImage(BaseTransform):
    """Read the image at ``img_path``, turned upright as its EXIF orientation says.

    Adds ``img``, uint8 (H, W, 3) in RGB, and ``ori_shape`` and ``img_shape``, both (H, W).
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Add the image; raises ``DataError`` where it cannot be read."""
        image = read_image(results['img_path'])
        results['img'] = image
        results['ori_shape'] = results['img_shape'] = image.shape[:2]
        return results


@TRANSFORMS.register_module()
class LoadSaliencyMask(BaseTransform):
    """Read the mask at ``seg_map_path``; comes after ``LoadSaliencyImage``.

    Adds ``gt_seg_map``, float32 (H, W) in [0, 1]; soft edges stay soft.
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Add the mask; raises ``DataError`` where it cannot be read or is of another size."""
        mask = read_mask(results['seg_map_path'])
        if mask.shape != results['img_shape']:
            raise DataError(
                f"The mask '{results['seg_map_path']}' has {mask.shape} pixels (height, width), "
                f'its image {results["img_shape"]}. Make the sizes equal.'
            )
        results['gt_seg_map'] = mask
        return results
