"""Count parameters and multiply-accumulates, by two rules that must not be mixed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from sod_plugins._common.limits import fitting_memory, require_size
from sod_plugins.layers.goctconv import GOctConv, ParallelDilatedConv
from sod_plugins.ops.octave_conv import Maps, scale_sizes

# Costs per element in the CSNet authors' counter.
NORM_COST, PRELU_COST, UPSAMPLE_COST, AVERAGE_POOL_COST = 4, 3, 9, 5


def count_parameters(network: nn.Module) -> int:
    """Return the number of learnable parameters of a network."""
    return sum(p.numel() for p in network.parameters())


def count_macs(network: nn.Module, size: tuple[int, int] = (224, 224)) -> int:
    """Count the multiply-accumulates of all convolutions and matrix products for one image.

    The count is PyTorch's (``torch.utils.flop_counter``), which counts a multiply-accumulate as
    two operations. Pooling, resizing, normalisation and activations cost nothing.

    Args:
        network: Maps images (1, 3, *size) to anything.
        size: Height and width of the image in pixels.
    """
    with FlopCounterMode(display=False) as counter:
        _run(network, size)
    return int(counter.get_total_flops()) // 2


def count_macs_csnet(network: nn.Module, size: tuple[int, int] = (224, 224)) -> int:
    """Count by the rules of the CSNet authors' counter, used for the MACC columns of their paper.

    The rules count the multiply-accumulates of convolutions and linear layers, one per output with
    a bias, 4 per element of a normalisation and 3 per element of a PReLU. Inside a gOctConv they
    add 9 per output element of an upsampling, k**2 per output element of a max pooling (where k is
    the kernel of the *convolution*) and 5 per input element of a stride-2 average pooling. The last
    resize, to the input size, is free. The count is valid only for networks of gOctConvs; for
    others it differs from that of the authors' counter.

    Args:
        network: A CSNet, or another network of gOctConvs.
        size: Height and width of the image in pixels.
    """
    total = 0

    def add(cost: Callable[[Any, Any, Any], int]) -> Callable[[nn.Module, Any, Any], None]:
        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            nonlocal total
            total += cost(module, inputs[0], output)

        return hook

    handles = [
        module.register_forward_hook(add(cost))
        for module in network.modules()
        for kind, cost in _COSTS.items()
        if isinstance(module, kind)
    ]
    try:
        _run(network, size)
    finally:
        for handle in handles:
            handle.remove()
    return total


def _run(network: nn.Module, size: tuple[int, int]) -> None:
    require_size(size)
    parameter = next(network.parameters())
    training = network.training
    network.eval()
    try:
        with torch.no_grad(), fitting_memory(f'an input of {size[0]} x {size[1]} pixels'):
            network(torch.zeros(1, 3, *size, dtype=parameter.dtype, device=parameter.device))
    finally:
        network.train(training)


def _octave_cost(conv: GOctConv, inputs: Sequence[Tensor | None], outputs: Maps) -> int:
    area = conv.kernel_size**2
    cost = 0
    if conv.stride == 2:
        cost += sum(AVERAGE_POOL_COST * x.numel() for x in inputs if x is not None)
        inputs = [None if x is None else x[..., ::2, ::2] for x in inputs]
    if not conv.cross_scale:
        return cost + sum(area * y.numel() for y in outputs if y is not None)
    sizes = scale_sizes(inputs, max(len(inputs), len(outputs)))
    positions = [height * width for height, width in sizes]
    for i, c_in in enumerate(conv.in_channels):
        for j, c_out in enumerate(conv.out_channels):
            cost += area * c_in * c_out * positions[max(i, j)]
            if j > i and c_out:
                cost += area * c_in * positions[j]
            elif j < i and c_in:
                cost += UPSAMPLE_COST * c_out * positions[j]
    return cost


def _dilated_cost(layer: ParallelDilatedConv, x: Tensor, y: Tensor) -> int:
    return 9 * x.shape[1] * y.numel()


def _dense_cost(layer: nn.Conv2d | nn.Linear, x: Tensor, y: Tensor) -> int:
    per_output = layer.weight[0].numel() + (layer.bias is not None)
    return per_output * y.numel()


_COSTS: dict[type[nn.Module], Callable[[Any, Any, Any], int]] = {
    GOctConv: _octave_cost,
    ParallelDilatedConv: _dilated_cost,
    nn.Conv2d: _dense_cost,
    nn.Linear: _dense_cost,
    nn.BatchNorm2d: lambda module, x, y: NORM_COST * y.numel(),
    nn.PReLU: lambda module, x, y: PRELU_COST * y.numel(),
}
