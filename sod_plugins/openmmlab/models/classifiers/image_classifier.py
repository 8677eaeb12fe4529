"""An image classifier for any backbone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.model import BaseModel
from mmengine.structures import BaseDataElement
from torch import Tensor, nn

from sod_plugins._common.choices import require_choice
from sod_plugins._common.declarations import passes_on
from sod_plugins.networks.classification import PooledClassifier
from sod_plugins.registry import MODELS


@MODELS.register_module()
@passes_on(PooledClassifier)
class ImageClassifier(BaseModel):
    """A backbone, and a :class:`PooledClassifier` of one of its maps.

    Use it to pre-train backbones: the keys of their weights begin with ``backbone.``, where a
    segmentor finds them by ``backbone=dict(init_cfg=dict(type='Pretrained', checkpoint=...,
    prefix='backbone.'))``.

    Args:
        backbone: Config of a module that maps images (N, 3, H, W) to a tuple of maps.
        num_classes: Number of classes.
        in_channels: Channels of the map to classify.
        in_index: Index of the map to classify; by default the last.
        neck: Config of a module in between, from a tuple of maps to another one, for classifying a
            fusion of several maps.
        frozen: Names of modules in the model whose parameters and statistics stay fixed, such as
            ``'backbone.net.stages.0'`` or ``'neck'``.
        data_preprocessor: Config of the preprocessor, such as mmengine's ``ImgDataPreprocessor``.
        init_cfg: Initialisation; by default that of every part.

    Raises:
        ValueError: The map has other channels, a fraction is not between 0 and 1, or a module to
            freeze does not exist.
    """

    def __init__(
        self,
        backbone: dict[str, Any],
        num_classes: int,
        in_channels: int,
        in_index: int = -1,
        neck: dict[str, Any] | None = None,
        frozen: Sequence[str] = (),
        data_preprocessor: dict[str, Any] | nn.Module | None = None,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
        **arguments: Any,
    ) -> None:
        super().__init__(data_preprocessor, init_cfg)
        self.backbone: Any = MODELS.build(backbone)
        self.neck: Any = nn.Identity() if neck is None else MODELS.build(neck)
        self.classifier = PooledClassifier(in_channels, num_classes, **arguments)
        self.in_index = in_index
        self._frozen = tuple(frozen)
        for module in self._frozen_modules():
            module.requires_grad_(False)
        self.train()

    def train(self, mode: bool = True) -> ImageClassifier:
        """Switch to training, except for what is frozen."""
        super().train(mode)
        for module in self._frozen_modules():
            module.eval()
        return self

    def _frozen_modules(self) -> list[nn.Module]:
        try:
            return [self.get_submodule(name) for name in self._frozen]
        except AttributeError as error:
            names = [name for name, _ in self.named_modules() if 0 < len(name.split('.')) < 5]
            raise ValueError(
                f'frozen names {list(self._frozen)}, but {error}: choose from {names}.'
            ) from error

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return self.classifier.out_features

    def forward(
        self,
        inputs: Tensor,
        data_samples: list[BaseDataElement] | None = None,
        mode: str = 'tensor',
    ) -> Tensor | dict[str, Tensor] | list[BaseDataElement]:
        """Classify normalised images.

        Args:
            inputs: Images (N, 3, H, W).
            data_samples: One per image; its ``gt_label``, int64 (1,), is needed for the loss.
            mode: What to return, see below.

        Returns:
            ``'tensor'``: logits (N, num_classes). ``'loss'``: the cross-entropy as ``loss``.
            ``'predict'``: the samples with ``pred_score``, probabilities (num_classes,), and
            ``pred_label``, int64 (1,).
        """
        require_choice('mode', mode, ('tensor', 'loss', 'predict'))
        logits = self._logits(inputs)
        if mode == 'tensor':
            return logits
        if mode == 'loss':
            labels = torch.cat([sample.gt_label for sample in data_samples or ()])
            return self.classifier.losses(logits, labels)
        return _predictions(logits, data_samples)

    def _logits(self, inputs: Tensor) -> Tensor:
        features = self.neck(self.backbone(inputs))[self.in_index]
        if features.shape[1] != self.classifier.in_features:
            raise ValueError(
                f'The map {self.in_index} has {features.shape[1]} channels, but in_channels is '
                f'{self.classifier.in_features}: set in_channels or in_index.'
            )
        return self.classifier(features)


def _predictions(
    logits: Tensor, data_samples: list[BaseDataElement] | None
) -> list[BaseDataElement]:
    if data_samples is None:
        data_samples = [BaseDataElement() for _ in logits]
    for sample, score in zip(data_samples, logits.float().softmax(dim=1), strict=True):
        sample.pred_score = score
        sample.pred_label = score.argmax(dim=0, keepdim=True)
    return data_samples
