from __future__ import annotations

import numpy as np
import pytest
import torch

from sod_plugins.networks.distillation import attention_transfer_loss, soft_map_loss


def test_soft_map_loss_is_the_divergence_of_the_maps():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(2, 1, 5, 7))
    taught = rng.uniform(0.01, 0.99, size=(2, 1, 5, 7))
    own = 1 / (1 + np.exp(-logits))
    divergence = taught * np.log(taught / own) + (1 - taught) * np.log((1 - taught) / (1 - own))
    loss = soft_map_loss(torch.tensor(logits), torch.tensor(taught))
    assert loss.item() == pytest.approx(divergence.mean(), rel=1e-9)
    decided = torch.tensor([[[[0.0, 1.0]]]])
    assert soft_map_loss(60 * (decided - 0.5), decided).item() == pytest.approx(0, abs=1e-9)


def test_attention_transfer_compares_normed_energies_of_maps_of_the_same_size():
    rng = np.random.default_rng(0)
    student = [rng.normal(size=(2, 3, 8, 6)), rng.normal(size=(2, 4, 4, 3))]
    shallow, fine, coarse = (
        rng.normal(size=(2, channels, height, width))
        for channels, height, width in ((2, 8, 6), (5, 8, 6), (6, 4, 3))
    )

    def attention(features):
        energy = (features**2).mean(1).reshape(2, -1)
        return energy / np.linalg.norm(energy, axis=1, keepdims=True)

    expected = np.mean(
        [
            np.linalg.norm(attention(own) - attention(other), axis=1).mean()
            for own, other in zip(student, (fine, coarse), strict=True)  # the deeper of two alike
        ]
    )
    tensors = [torch.tensor(features) for features in student]
    guides = [torch.tensor(features) for features in (shallow, fine, coarse)]
    loss = attention_transfer_loss(tensors, guides)
    assert loss.item() == pytest.approx(expected, rel=1e-9)
    scaled = [3 * features for features in tensors]
    assert attention_transfer_loss(scaled, tensors).item() == pytest.approx(0, abs=1e-7)
