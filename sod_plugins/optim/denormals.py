"""Numbers so small that processors compute with them many times slower."""

from __future__ import annotations

import torch


def flush_denormals() -> None:
    """Let this process compute with numbers below 1e-38 as zeros on a CPU, which is faster.

    :class:`~sod_plugins.optim.DynamicWeightDecay` itself ends in exact zeros. But in any training
    the moments of an optimizer fade by a constant factor once gradients vanish, as do weights under
    standard weight decay, and pass through these numbers on their way.
    """
    torch.set_flush_denormal(True)
