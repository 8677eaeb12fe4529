"""Pack a transformed sample into the inputs of mmengine's models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmengine.structures import BaseDataElement
from numpy.typing import NDArray

from sod_plugins.registry import TRANSFORMS


@TRANSFORMS.register_module()
class PackClassInputs(BaseTransform):
    """Pack the image as a tensor, and its class index.

    Returns ``inputs``, float32 (3, H, W) in 0..255, and ``data_samples``, a ``BaseDataElement``
    whose ``gt_label`` (if present) is int64 (1,).

    Args:
        meta_keys: Keys to keep as meta information of the data sample, if present.
    """

    def __init__(
        self, meta_keys: Sequence[str] = ('img_path', 'ori_shape', 'img_shape', 'flip')
    ) -> None:
        self.meta_keys = tuple(meta_keys)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Pack ``img`` (H, W, 3) and ``gt_label``."""
        sample = BaseDataElement(
            metainfo={key: results[key] for key in self.meta_keys if key in results}
        )
        if 'gt_label' in results:
            sample.gt_label = torch.tensor([results['gt_label']])
        return {'inputs': channels_first(results['img']), 'data_samples': sample}

    def __repr__(self) -> str:
        return f'{type(self).__name__}(meta_keys={self.meta_keys})'


def channels_first(image: NDArray[Any]) -> torch.Tensor:
    """Copy an image (H, W, C) to a float32 tensor (C, H, W)."""
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1), dtype=np.float32))
