"""Wrap models for several processes, and unwrap them."""

from __future__ import annotations

from typing import Any

from detectron2.engine.defaults import create_ddp_model
from torch import nn

DDP = {'broadcast_buffers': False}


def wrap_model(model: Any, **arguments: Any) -> Any:
    """Wrap a model for several processes, if there are any, on CPUs too.

    Args:
        model: The model.
        **arguments: Arguments of ``DistributedDataParallel``, and ``fp16_compression``.
    """
    # detectron2 names a GPU for each process, also where there is none.
    devices = {} if next(model.parameters()).is_cuda else {'device_ids': None}
    return create_ddp_model(model, **{**DDP, **devices, **arguments})


def unwrapped(model: Any) -> Any:
    """Return the model in a wrapper for several processes."""
    return model.module if isinstance(model, nn.parallel.DistributedDataParallel) else model
