"""Networks rewritten for inference: the same function of the image, in fewer operations."""

from __future__ import annotations

import copy
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from sod_plugins.layers.channels_last import Implementation
from sod_plugins.layers.goctconv_fused import fold_norm

Network = TypeVar('Network', bound=nn.Module)

TRIAL_SIZE = 64  # images of the trial run; every network of this package takes them
TOLERANCE = 1e-6  # of saliency in float64, in which folding changes 1e-12 or less


@torch.no_grad()
def fuse(network: Network, implementation: Implementation = 'auto') -> Network:
    """Return a copy in evaluation mode whose BatchNorms are part of the convolutions before them.

    Which convolution a BatchNorm follows is seen in a trial run. gOctConvs are replaced by their
    fused form. Weights are channels-last in memory, as depthwise convolutions on a CPU like it;
    inputs need not be. Some weights are there in two forms: change those of the original, and fuse
    anew.

    Args:
        network: From images (N, 3, H, W) to logits, in any mode; it is left as it is.
        implementation: Which operators gOctConvs run: ``'rows'``, the fastest on a CPU, without
            gradients; ``'reference'``, torch's own, which can be exported; or ``'auto'``, see
            :func:`~sod_plugins.layers.channels_last.reads_rows`.

    Returns:
        A network of the same class, whose logits differ by rounding.

    Raises:
        ValueError: If they differ by more: the network uses a convolution's result in a way that
            the trial does not show, or gives NaN.
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
    """Run the network; return its output and the one convolution that each BatchNorm follows."""
    outputs: list[tuple[Tensor, nn.Conv2d]] = []  # keeps them alive, so that identities are unique
    sources: dict[nn.Module, set[nn.Conv2d | None]] = {}

    def note(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        source = next((conv for x, conv in outputs if inputs and x is inputs[0]), None)
        sources.setdefault(module, set()).add(source)
        if isinstance(module, nn.Conv2d):
            outputs.append((output, module))

    # Other layers than norms too: what a map goes through beside its norm, or before it in place.
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
    """Put the identity wherever a module holds one of the norms."""
    for name, child in module.named_children():
        if child in norms:
            setattr(module, name, nn.Identity())
        else:
            _replace(child, norms)


def _replace_octaves(module: nn.Module, implementation: Implementation) -> None:
    """Put its form for inference wherever a module holds a layer that has one."""
    for name, child in module.named_children():
        form = getattr(child, 'fused', None)
        octave = form(implementation) if callable(form) else None
        if octave is None:
            _replace_octaves(child, implementation)
        else:
            setattr(module, name, octave)
