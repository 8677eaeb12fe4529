"""Random states as functions of (seed, iteration, process), so that a resume needs none stored."""

from __future__ import annotations

import random
from typing import Literal

import numpy as np
import torch

Phase = Literal['load', 'train']
_PHASES: tuple[Phase, ...] = ('load', 'train')


def seed_generators(seed: int, iteration: int, rank: int, phase: Phase) -> None:
    """Seed the global generators of Python, numpy and torch.

    Called before each batch is loaded and again before it is trained on, it lets every iteration
    find the generators as it would in an uninterrupted run, whatever happened in between.

    Args:
        seed: The run's seed.
        iteration: The iteration, from 0.
        rank: The number of this process.
        phase: What follows: the batch is loaded, or trained on.
    """
    entropy = [seed, iteration, rank, _PHASES.index(phase)]
    python, numpy, torch_ = (int(s) for s in np.random.SeedSequence(entropy).generate_state(3))
    random.seed(python)
    np.random.seed(numpy)
    torch.manual_seed(torch_)
