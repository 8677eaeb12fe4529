"""What classifiers of whole images end in."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class PooledClassifier(nn.Linear):
    """Global average pooling, dropout and a linear layer, as ResNet classifies.

    Args:
        in_channels: Channels of the features.
        num_classes: Number of classes.
        dropout: Share of the pooled features that are left out while training.
        label_smoothing: Share of the target that is spread over all classes evenly.

    Raises:
        ValueError: A share does not lie between 0 and 1.
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        dropout: float = 0.0,
        label_smoothing: float = 0.0,
    ) -> None:
        for name, share in (('dropout', dropout), ('label_smoothing', label_smoothing)):
            if not 0 <= share <= 1:
                raise ValueError(f'{name} must lie between 0 and 1, but is {share}.')
        super().__init__(in_channels, num_classes)
        self.dropout = dropout
        self.label_smoothing = label_smoothing

    def forward(self, features: Tensor) -> Tensor:
        """Map features (N, C, H, W) to logits (N, num_classes)."""
        pooled = F.dropout(features.mean((2, 3)), self.dropout, self.training)
        return super().forward(pooled)

    def losses(self, logits: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Compare logits (N, num_classes) with labels (N): ``loss``, the mean cross-entropy."""
        return {'loss': F.cross_entropy(logits, labels, label_smoothing=self.label_smoothing)}
