from __future__ import annotations

import numpy as np
import pytest
import torch

pytest.importorskip('mmcv')

from sod_plugins.openmmlab.datasets.transforms import PackClassInputs


def test_image_and_label_become_tensors():
    image = np.arange(6, dtype=np.uint8).reshape(1, 2, 3)[:, ::-1]
    results = {'img': image, 'gt_label': 7, 'img_path': 'a.jpg', 'ori_shape': (5, 6)}
    packed = PackClassInputs()({**results, 'rng': np.random.default_rng(0)})
    torch.testing.assert_close(packed['inputs'], torch.tensor([[[3.0, 0]], [[4, 1]], [[5, 2]]]))
    assert torch.equal(packed['data_samples'].gt_label, torch.tensor([7]))
    assert packed['data_samples'].metainfo == {'img_path': 'a.jpg', 'ori_shape': (5, 6)}


def test_an_image_of_unknown_class_has_no_label():
    packed = PackClassInputs()({'img': np.array([[[0.25, 1, 254.5]]], dtype=np.float32)})
    torch.testing.assert_close(packed['inputs'].flatten(), torch.tensor([0.25, 1, 254.5]))
    assert 'gt_label' not in packed['data_samples']
