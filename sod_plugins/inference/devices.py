"""The device and number format of a network."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import nn

from sod_plugins.inference.sharing import survive_forks

Network = TypeVar('Network', bound=nn.Module)


def move_network(
    network: Network, device: str | torch.device | None
) -> tuple[Network, torch.device]:
    """Move a network to a device in evaluation mode, ready for threads and forked processes.

    Args:
        network: The network; one with a true attribute ``cpu_only`` runs only on the CPU.
        device: The device; by default CUDA if available, else the CPU.

    Raises:
        ValueError: The device does not exist, or the network cannot run there.
    """
    survive_forks()
    cpu_only = getattr(network, 'cpu_only', False)
    if device is None:
        device = 'cuda' if torch.cuda.is_available() and not cpu_only else 'cpu'
    try:
        chosen = torch.device(device)
        torch.empty(1, device=chosen)  # a network without parameters would not notice
    except (RuntimeError, AssertionError) as error:  # torch asserts that it has CUDA
        reason = str(error).splitlines()[0]
        raise ValueError(f"Cannot compute on device '{device}': {reason}.") from error
    if chosen.type == 'meta':
        raise ValueError("Cannot compute on device 'meta': its tensors hold no numbers.")
    if cpu_only and chosen.type != 'cpu':
        raise ValueError(
            f"Cannot compute on device '{device}': {type(network).__name__} computes on the CPU "
            'only. Leave out the device, or give torch the checkpoint.'
        )
    try:
        return network.to(chosen).eval(), chosen
    except (RuntimeError, NotImplementedError) as error:  # out of memory, or an unsupported type
        reason = str(error).splitlines()[0]
        raise ValueError(f"Cannot compute on device '{device}': {reason}.") from error


def input_dtype(network: nn.Module) -> torch.dtype:
    """Return the dtype in which a network computes: that of its first parameter."""
    types = (p.dtype for p in network.parameters() if p.is_floating_point())
    return next(types, torch.float32)


@torch.no_grad()
def zero_denormals(network: Network) -> Network:
    """Set parameters and statistics below 1e-30 to zero, in place, and return the network.

    Weights that decay has driven towards zero become denormal numbers, which make a CPU up to fifty
    times slower. No product with them is large enough to change a sum in float32.
    """
    for values in (*network.parameters(), *network.buffers()):
        if values.dtype == torch.float32:
            values[values.abs() < 1e-30] = 0
    return network
