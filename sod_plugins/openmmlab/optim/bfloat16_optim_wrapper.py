"""Mixed precision on a CPU, which the host's ``AmpOptimWrapper`` does not support."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.optim import OptimWrapper
from torch import nn

from sod_plugins.registry import OPTIM_WRAPPERS


@OPTIM_WRAPPERS.register_module()
class BFloat16OptimWrapper(OptimWrapper):
    """The host's ``OptimWrapper``, with the forward pass under the CPU's bfloat16 autocast.

    Weights, gradients and the optimizer's state stay float32. bfloat16 has the range of float32, so
    losses need no scaling.
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Enter the host's context and autocast."""
        with super().optim_context(model), torch.autocast('cpu', torch.bfloat16):
            yield
