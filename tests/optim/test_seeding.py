from __future__ import annotations

import random

import numpy as np
import torch

from sod_plugins.optim.seeding import seed_generators


def drawn(*position):
    seed_generators(*position)
    return random.random(), float(np.random.random()), float(torch.rand(()))


def test_the_same_position_finds_the_same_generators():
    first = drawn(7, 12, 0, 'train')
    drawn(7, 13, 0, 'load')
    assert drawn(7, 12, 0, 'train') == first


def test_every_part_of_the_position_counts():
    positions = [
        *((7, 12, 0, 'train'), (8, 12, 0, 'train'), (7, 13, 0, 'train')),
        *((7, 12, 1, 'train'), (7, 12, 0, 'load')),
    ]
    for generator in zip(*(drawn(*position) for position in positions), strict=True):
        assert len(set(generator)) == len(positions)
