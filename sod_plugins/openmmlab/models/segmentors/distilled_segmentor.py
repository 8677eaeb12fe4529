"""A segmentor that learns from a teacher beside the masks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from mmseg.structures import SegDataSample
from mmseg.utils import add_prefix
from torch import Tensor

from sod_plugins.checkpoints import load_network
from sod_plugins.inference.predictor import model_file
from sod_plugins.networks.distillation import attention_transfer_loss, soft_map_loss
from sod_plugins.openmmlab.models.segmentors.saliency_segmentor import SaliencySegmentor
from sod_plugins.registry import MODELS


@MODELS.register_module()
class DistilledSegmentor(SaliencySegmentor):
    """A :class:`SaliencySegmentor` that also learns from the maps and features of a teacher.

    The teacher sees the same images, normalised as it expects, and is neither trained nor saved:
    checkpoints are those of a ``SaliencySegmentor``. The losses ``distill.loss_map`` and
    ``distill.loss_features`` join those of the decode head, which must be one of this package.

    Args:
        teacher: A saliency network: the path of a checkpoint, or ``zoo:NAME``.
        map_weight: Weight of :func:`~sod_plugins.networks.distillation.soft_map_loss`, for each
            output that the decoder supervises times that output's own weight.
        feature_weight: Weight of
            :func:`~sod_plugins.networks.distillation.attention_transfer_loss` between the maps of
            the two backbones; 0 omits it.

    Raises:
        ValueError: The teacher is unknown, or finds no saliency.
        OSError: Its weights cannot be read.
    """

    def __init__(
        self,
        *args: Any,
        teacher: str | Path,
        map_weight: float = 1.0,
        feature_weight: float = 0.0,
        **arguments: Any,
    ) -> None:
        super().__init__(*args, **arguments)
        network = load_network(model_file(teacher))
        if network.task != 'saliency':
            raise ValueError(f"The teacher '{teacher}' finds {network.task}, and not saliency.")
        # In a tuple it is no submodule: not trained, saved, averaged or switched to training mode.
        self._teacher = (network.requires_grad_(False),)
        self.map_weight = map_weight
        self.feature_weight = feature_weight

    def loss(self, inputs: Tensor, data_samples: list[SegDataSample]) -> dict[str, Tensor]:
        """Compute the losses of the decode head, and those towards the teacher."""
        features = self.extract_feat(inputs)
        outputs = self.decode_head(features)
        masks = self.decode_head.loss_by_feat(outputs, data_samples)
        saliency, guides = self._taught(inputs)
        terms = self.decode_head.net.supervised(outputs, saliency.shape[-2:]).values()
        maps = sum(weight * soft_map_loss(logits, saliency) for logits, weight in terms)
        towards = {'loss_map': self.map_weight * maps}
        if self.feature_weight:
            alike = attention_transfer_loss(features, guides)
            towards['loss_features'] = self.feature_weight * alike
        return add_prefix(masks, 'decode') | add_prefix(towards, 'distill')

    @torch.no_grad()
    def _taught(self, inputs: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return the teacher's saliency (N, 1, H, W) and the maps of its backbone."""
        teacher = self._teacher[0].to(inputs.device)
        own, wanted = self.data_preprocessor, teacher.preprocessing
        mean, std = (inputs.new_tensor(v).view(3, 1, 1) for v in (wanted.mean, wanted.std))
        images = (inputs * own.std + own.mean - mean) / std
        found: list[tuple[Tensor, ...]] = []
        hook = teacher.backbone.register_forward_hook(lambda *call: found.append(call[-1]))
        logits = teacher(images)
        hook.remove()
        return logits.float().sigmoid(), found[0]
