"""Random choices as a function of where they are made."""

from __future__ import annotations

import numpy as np


def sample_rng(seed: int, draw: int, index: int) -> np.random.Generator:
    """Make the random generator of one use of one sample.

    No state is kept between samples, so a resumed run, another number of workers or another
    order of loading gives the same choices.

    Args:
        seed: The run's seed, 0 or larger.
        draw: How often samples have been drawn before: an epoch or a draw number, 0 or larger.
        index: The sample's index in its data set, 0 or larger.
    """
    return np.random.default_rng([seed, draw, index])
