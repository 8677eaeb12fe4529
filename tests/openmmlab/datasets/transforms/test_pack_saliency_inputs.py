from __future__ import annotations

import numpy as np
import pytest
import torch

pytest.importorskip('mmseg')

from sod_plugins.openmmlab.datasets.transforms.pack_saliency_inputs import PackSaliencyInputs


def test_nothing_is_rounded():
    image = np.array([[[0.25, 1, 254.5]]], dtype=np.float32)
    results = {'img': image, 'gt_seg_map': np.array([[0.3]], dtype=np.float32)}
    results |= {'img_path': 'a.jpg', 'ori_shape': (5, 6), 'rng': np.random.default_rng(0)}
    packed = PackSaliencyInputs()(results)
    torch.testing.assert_close(packed['inputs'], torch.tensor([[[0.25]], [[1.0]], [[254.5]]]))
    mask = packed['data_samples'].gt_sem_seg.data
    torch.testing.assert_close(mask, torch.tensor([[[0.3]]]))
    assert packed['data_samples'].metainfo == {'img_path': 'a.jpg', 'ori_shape': (5, 6)}


def test_flipped_and_integer_images_become_float_tensors():
    image = np.arange(6, dtype=np.uint8).reshape(1, 2, 3)[:, ::-1]
    packed = PackSaliencyInputs()({'img': image})
    expected = torch.tensor([[[3.0, 0]], [[4, 1]], [[5, 2]]])
    torch.testing.assert_close(packed['inputs'], expected)
    assert 'gt_sem_seg' not in packed['data_samples']
