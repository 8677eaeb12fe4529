from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from sod_plugins.networks import Preprocessing, saliency_map, to_uint8


def test_resizes_then_normalises():
    image = np.zeros((2, 4, 3), np.uint8)
    image[:, :, 0] = [0, 100, 200, 40]
    batch = Preprocessing((2, 2), (10.0, 20.0, 30.0), (2.0, 4.0, 5.0)).apply(image)
    assert batch.dtype == torch.float32
    # Red is averaged in pairs, 50 and 120, without rounding; green and blue are 0.
    expected = [[[20.0, 55.0]] * 2, [[-5.0, -5.0]] * 2, [[-6.0, -6.0]] * 2]
    torch.testing.assert_close(batch, torch.tensor([expected]))


def test_antialiasing_averages_all_pixels_of_a_reduction():
    image = np.zeros((1, 8, 3), np.uint8)
    image[0, :, 0] = [0, 0, 0, 80, 0, 0, 0, 0]
    plain, fine = (
        Preprocessing((1, 2), (0.0,) * 3, (1.0,) * 3, antialias).apply(image)[0, 0, 0].tolist()
        for antialias in (False, True)
    )
    assert plain == [0, 0]  # reads pixels 1 and 2, 5 and 6
    # Triangles of half width 4 around 2 and 6: pixel 3, at 3.5, has 0.625 and 0.375 of the peak.
    sums = [sum(max(0, 1 - abs(i + 0.5 - c) / 4) for i in range(8)) for c in (2, 6)]
    assert fine == pytest.approx([80 * 0.625 / sums[0], 80 * 0.375 / sums[1]])


@pytest.mark.parametrize('antialias', [False, True])
def test_survives_a_checkpoint(antialias):
    described = Preprocessing((100, 80), (1.0, 2.0, 3.0), (4.0, 5.0, 6.0), antialias)
    assert Preprocessing.from_dict(described.to_dict()) == described
    text = json.loads(json.dumps(described.to_dict()))
    assert Preprocessing.from_dict(text) == described


def test_checkpoints_from_before_the_argument_reduce_without_antialiasing():
    values = {'size': (8, 8), 'mean': (0.0,) * 3, 'std': (1.0,) * 3}
    assert Preprocessing.from_dict(values).antialias is False


def test_sigmoid_comes_before_the_resize():
    logits = torch.tensor([[[[-4.0, 4.0]]]])
    low, high = torch.tensor([-4.0, 4.0]).sigmoid().tolist()
    expected = [[[[low, 0.75 * low + 0.25 * high, 0.25 * low + 0.75 * high, high]]]]
    torch.testing.assert_close(saliency_map(logits, (1, 4)), torch.tensor(expected))


def test_quantises_by_truncation():
    values = torch.tensor([0.0, 0.999 / 255, 1 / 255, 254.999 / 255, 1.0])
    assert to_uint8(values).tolist() == [0, 0, 1, 254, 255]
