"""Random states as functions of (seed, iteration, process), so that none must be stored."""

from __future__ import annotations

import random
from typing import Literal

import numpy as np
import torch

Phase = Literal['load', 'train']
_PHASES: tuple[Phase, ...] = ('load', 'train')


def seed_generators(seed: int, iteration: int, rank: int, phase: Phase) -> None:
    """Seed the global generators of Python, NumPy and torch.

    Call it before each batch is loaded and again before the training step. Every iteration then
    starts with the same generator states as in an uninterrupted run, whatever happened before.

    Args:
        seed: The seed of the run.
        iteration: The iteration, counted from 0.
        rank: The rank of this process.
        phase: The next phase: loading the batch, or training on it.
    """
    entropy = [seed, iteration, rank, _PHASES.index(phase)]
    python, numpy, torch_ = (int(s) for s in np.random.SeedSequence(entropy).generate_state(3))
    random.seed(python)
    np.random.seed(numpy)
    torch.manual_seed(torch_)
