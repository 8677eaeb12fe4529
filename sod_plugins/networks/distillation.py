"""Losses by which a network learns from the maps and features of another one."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from sod_plugins.networks.losses import binary_cross_entropy
from sod_plugins.ops.resize import resize_bilinear


def soft_map_loss(logits: Tensor, saliency: Tensor) -> Tensor:
    """Compare logits with the soft saliency of a teacher by cross-entropy (Hinton et al., 2015).

    Args:
        logits: The student's, (N, 1, h, w).
        saliency: The teacher's, (N, 1, H, W) in [0, 1]; the logits are resized to it.

    Returns:
        A scalar. The entropy of the teacher's maps is subtracted, so it is 0 for equal maps.
    """
    own = resize_bilinear(logits, saliency.shape[-2:])
    entropy = (torch.special.entr(saliency) + torch.special.entr(1 - saliency)).mean()
    return binary_cross_entropy(own, saliency) - entropy


def attention_transfer_loss(student: Sequence[Tensor], teacher: Sequence[Tensor]) -> Tensor:
    """Compare where features are large (Zagoruyko and Komodakis, 2017, Eq. 2 with p = 2).

    The attention of a map is the mean of its squares over the channels, as a vector of norm 1, so
    the numbers of channels may differ. Each map of the student is compared with the teacher's of
    the nearest width, the deepest of these, resized to it.

    Args:
        student: Maps (N, C_i, H_i, W_i).
        teacher: Maps (N, D_j, H'_j, W'_j), from shallow to deep.

    Returns:
        A scalar: the distance of the attentions, from 0 to 1.42, averaged over images and maps.
    """
    distances = []
    for features in student:
        size = features.shape[-2:]
        nearest = min(reversed(teacher), key=lambda other: abs(other.shape[-1] - size[-1]))
        apart = _attention(features, size) - _attention(nearest, size)
        distances.append(apart.norm(dim=1).mean())
    return torch.stack(distances).mean()


def _attention(features: Tensor, size: Sequence[int]) -> Tensor:
    """Return the attention of maps (N, C, H, W) as vectors of norm 1, (N, h * w)."""
    energy = resize_bilinear(features.square().mean(1, keepdim=True), tuple(size))
    return functional.normalize(energy.flatten(1), dim=1)
