"""Rewrite networks for inference: the same function in fewer operations."""

from __future__ import annotations

import copy
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from sod_plugins.layers.channels_last import Implementation
from sod_plugins.layers.goctconv_fused import fold_norm

Network = TypeVar('Network', bound=nn.Module)

TRIAL_SIZE = 64  # image size of the trial run; every network of this package accepts it
TOLERANCE = 1e-6  # of saliency in float64, where folding changes at most 1e-12


@torch.no_grad()
def fuse(network: Network, implementation: Implementation = 'auto') -> Network:
    """Return a copy in evaluation mode with BatchNorms folded into the preceding convolutions.

    A trial run determines which convolution each BatchNorm follows. gOctConvs are replaced by their
    fused form. Weights are stored channels-last, which suits depthwise convolutions on a CPU;
    inputs need not be. Some weights exist in two forms: to change them, change those of the
    original and fuse again.

    Args:
        network: Maps images (N, 3, H, W) to logits, in any mode; not modified.
        implementation: Operators that gOctConvs use: ``'rows'``, the fastest on a CPU, without
            gradients; ``'reference'``, torch's own, which can be exported; or ``'auto'``, see
            :func:`~sod_plugins.layers.channels_last.reads_rows`.

    Returns:
        A network of the same class, whose logits differ only by rounding.

    Raises:
        ValueError: They differ by more: the network uses the output of a convolution in a way that
            the trial run does not show, or outputs NaN.
    """
    original = next(network.parameters())
    fused = copy.deepcopy(network).eval().to('cpu', torch.float64)
    generator = torch.Generator().manual_seed(0)
    shape = (2, 3, TRIAL_SIZE, TRIAL_SIZE)
    images = torch.randn(shape, generator=generator, dtype=torch.float64)
    expected, pairs = _trial(fused, images)
    for norm, conv in pairs.items():
        conv.weight, conv.bias = fold_norm(conv.weight, conv.bias, norm)
    _replace(fused, set(pairs))
    _replace_octaves(fused, implementation)
    difference = (fused(images).sigmoid() - expected.sigmoid()).abs().max().item()
    if not difference < TOLERANCE:
        raise ValueError(
            f'Fusing {type(network).__name__} changes saliency by {difference:.2g}: run it as it '
            'is, or check that its weights are finite and that its convolutions feed nothing else '
            'than their BatchNorms.'
        )
    fused = fused.to(original.device, original.dtype)
    for weight in fused.parameters():
        if weight.dim() == 4:
            weight.data = weight.data.contiguous(memory_format=torch.channels_last)
    return fused


def _trial(network: nn.Module, images: Tensor) -> tuple[Tensor, dict[nn.BatchNorm2d, nn.Conv2d]]:
    """Run the network; return its output and the single convolution before each BatchNorm."""
    outputs: list[tuple[Tensor, nn.Conv2d]] = []  # kept alive, so that ids are unique
    sources: dict[nn.Module, set[nn.Conv2d | None]] = {}

    def note(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        source = next((conv for x, conv in outputs if inputs and x is inputs[0]), None)
        sources.setdefault(module, set()).add(source)
        if isinstance(module, nn.Conv2d):
            outputs.append((output, module))

    # Layers other than norms count too: those parallel to a norm, or in place before it.
    layers = [module for module in network.modules() if not any(module.children())]
    hooks = [layer.register_forward_hook(note) for layer in layers]
    expected: Tensor = network(images)
    for hook in hooks:
        hook.remove()
    followers: dict[nn.Conv2d | None, set[nn.Module]] = {}
    for layer, convs in sources.items():
        for conv in convs:
            followers.setdefault(conv, set()).add(layer)
    pairs = {}
    for layer, convs in sources.items():
        conv = next(iter(convs))
        if conv is None or len(convs) > 1 or len(followers[conv]) > 1:
            continue
        if isinstance(layer, nn.BatchNorm2d) and layer.track_running_stats:
            pairs[layer] = conv
    return expected, pairs


def _replace(module: nn.Module, norms: set[nn.BatchNorm2d]) -> None:
    """Replace the given norms of a module by identities."""
    for name, child in module.named_children():
        if child in norms:
            setattr(module, name, nn.Identity())
        else:
            _replace(child, norms)


def _replace_octaves(module: nn.Module, implementation: Implementation) -> None:
    """Replace layers of a module by their inference form, if they have one."""
    for name, child in module.named_children():
        form = getattr(child, 'fused', None)
        octave = form(implementation) if callable(form) else None
        if octave is None:
            _replace_octaves(child, implementation)
        else:
            setattr(module, name, octave)
