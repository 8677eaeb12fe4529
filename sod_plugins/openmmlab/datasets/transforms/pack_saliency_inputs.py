"""Pack a transformed sample into the inputs of mmseg's segmentors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmcv.transforms import BaseTransform
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from sod_plugins.openmmlab.datasets.transforms.formatting import channels_first
from sod_plugins.registry import TRANSFORMS


@TRANSFORMS.register_module()
class PackSaliencyInputs(BaseTransform):
    """Pack the image and the soft mask as tensors, without casting either to integers.

    Returns ``inputs``, float32 (3, H, W) in 0..255, and ``data_samples``, a ``SegDataSample`` whose
    ``gt_sem_seg`` (where a mask was loaded) is float32 (1, H, W) in [0, 1].

    Args:
        meta_keys: Keys to keep as meta information of the data sample, if present.
    """

    def __init__(
        self,
        meta_keys: Sequence[str] = (
            'img_path',
            'seg_map_path',
            'ori_shape',
            'img_shape',
            'flip',
            'flip_direction',
        ),
    ) -> None:
        self.meta_keys = tuple(meta_keys)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Pack ``img`` (H, W, 3) and ``gt_seg_map`` (H, W)."""
        sample = SegDataSample(
            # How the files are read belongs to their paths.
            metainfo={key: results[key] for key in (*self.meta_keys, 'exif') if key in results}
        )
        if 'gt_seg_map' in results:
            sample.gt_sem_seg = PixelData(data=channels_first(results['gt_seg_map'][..., None]))
        return {'inputs': channels_first(results['img']), 'data_samples': sample}

    def __repr__(self) -> str:
        return f'{type(self).__name__}(meta_keys={self.meta_keys})'
