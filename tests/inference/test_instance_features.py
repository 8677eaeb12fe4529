from __future__ import annotations

import numpy as np
import torch

from sod_plugins.inference import InstanceDescriber
from sod_plugins.networks import Preprocessing


def test_features_are_those_of_the_instance_alone():
    torch.manual_seed(0)
    describe = InstanceDescriber(weights=None, preprocessing=Preprocessing((32, 32)))
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)
    masks = np.zeros((2, 40, 50), dtype=bool)
    masks[0, 5:25, 8:30] = rng.random((20, 22)) < 0.9
    masks[1, 30:38, 2:45] = True
    features = describe(image, masks)
    assert features.shape == (2, 320)
    # Other pixels, and a place elsewhere, change nothing.
    moved, moved_mask = rng.integers(0, 256, (60, 60, 3), dtype=np.uint8), np.zeros((60, 60), bool)
    moved_mask[31:51, 3:25] = masks[0, 5:25, 8:30]
    moved[moved_mask] = image[masks[0]]
    np.testing.assert_array_equal(describe(moved, [moved_mask]), features[:1])
    # The whole box is what a network sees that is given the box.
    box = describe.preprocessing.apply(image[30:38, 2:45])
    with torch.no_grad():
        expected = describe.backbone(box)[-1].mean(dim=(2, 3))
    np.testing.assert_array_equal(features[1:], expected.numpy())
    assert np.abs(features[0] - features[1]).max() > 0
