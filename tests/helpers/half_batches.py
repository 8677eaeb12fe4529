"""One of two processes that share each batch; spawned processes import it by this short name.

A test's own module would not do: its name begins with ``tests``, and upstream mmsegmentation
installs a package of that name.
"""

from __future__ import annotations

from pathlib import Path

import torch
from reference_values import settle_statistics
from torch import Tensor, nn

from sod_plugins.networks import CSNet
from sod_plugins.optim import DynamicWeightDecay


def frozen_network() -> CSNet:
    """Return a network whose norms are in eval mode, with statistics that fit its weights."""
    torch.manual_seed(0)
    network = CSNet(width=0.4)
    settle_statistics(network, torch.randn(4, 3, 32, 32))
    return network


def backward(network: nn.Module, images: Tensor) -> None:
    """Let gradients of the mean square flow."""
    network(images).square().mean().backward()


def half_batch(rank: int, port: int, images: Tensor, results: Path) -> None:
    """Train two steps on every second image; the first process saves the weights."""
    torch.distributed.init_process_group(
        'gloo', init_method=f'tcp://127.0.0.1:{port}', rank=rank, world_size=2
    )
    torch.set_num_threads(1)
    network = frozen_network()
    model = nn.parallel.DistributedDataParallel(network)
    decay = DynamicWeightDecay(network)
    optimizer = torch.optim.Adam(decay.parameter_groups(5e-3), lr=1e-2, eps=1e-3)
    decay.attach(optimizer)
    for step in range(2):
        optimizer.zero_grad()
        backward(model, images[step][rank::2])
        optimizer.step()
    if rank == 0:
        torch.save(network.state_dict(), results)
    torch.distributed.destroy_process_group()
