"""Where a network computes, and in which number format."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import nn

from sod_plugins.inference.sharing import survive_forks

Network = TypeVar('Network', bound=nn.Module)


def move_network(
    network: Network, device: str | torch.device | None
) -> tuple[Network, torch.device]:
    """Put a network into evaluation mode on a device, ready for threads and forked processes.

    Args:
        network: The network; one with a true attribute ``cpu_only`` computes on the CPU alone.
        device: By default a CUDA device where there is one, else the CPU.

    Raises:
        ValueError: There is no such device, or the network does not compute there.
    """
    survive_forks()
    cpu_only = getattr(network, 'cpu_only', False)
    if device is None:
        device = 'cuda' if torch.cuda.is_available() and not cpu_only else 'cpu'
    try:
        chosen = torch.device(device)
        torch.empty(1, device=chosen)  # which a network without parameters would not notice
    except (RuntimeError, AssertionError) as error:  # torch asserts that it was built for CUDA
        reason = str(error).splitlines()[0]
        raise ValueError(f"Cannot compute on device '{device}': {reason}.") from error
    if chosen.type == 'meta':
        raise ValueError("Cannot compute on device 'meta': its tensors hold no numbers.")
    if cpu_only and chosen.type != 'cpu':
        raise ValueError(
            f"Cannot compute on device '{device}': {type(network).__name__} computes on the CPU "
            'alone. Leave out the device, or give torch the checkpoint.'
        )
    try:
        return network.to(chosen).eval(), chosen
    except (RuntimeError, NotImplementedError) as error:  # out of memory, or a type it lacks
        reason = str(error).splitlines()[0]
        raise ValueError(f"Cannot compute on device '{device}': {reason}.") from error


def input_dtype(network: nn.Module) -> torch.dtype:
    """Return the type that a network computes in, which is that of its first parameter."""
    types = (p.dtype for p in network.parameters() if p.is_floating_point())
    return next(types, torch.float32)


@torch.no_grad()
def zero_denormals(network: Network) -> Network:
    """Set parameters and statistics below 1e-30 to zero, in place, and return the network.

    Weights that decay drove towards zero end as denormal numbers, with which a CPU is up to fifty
    times as slow. No product of theirs reaches what float32 can add to a sum.
    """
    for values in (*network.parameters(), *network.buffers()):
        if values.dtype == torch.float32:
            values[values.abs() < 1e-30] = 0
    return network
