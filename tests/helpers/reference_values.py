"""Deterministic weights and the few numbers that a map is compared by."""

from __future__ import annotations

import re
import zlib
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

# Arguments of CSNets that differ in structure: two scales, one scale, an empty scale, cross-scale
# convolutions throughout, learned channels, and a head without fusion.
CSNET_VARIANTS = [
    {},
    {'split_ratio': (1, 0)},
    {'split_ratio': (0, 1)},
    {'vanilla': True, 'fuse_stages': (3, 4)},
    {'fuse_stages': (), 'weight_scale': 1.0},
    {
        'stage_blocks': (1, 1, 1, 1),
        'learned_widths': {
            'blocks': [(3, 4), (7,), (5,), (9,)],
            'fuse': (2, 0, 3),
            'dilated': ((1, 0, 0, 0, 2), (0, 0, 0, 0, 0), (0, 2, 0, 1, 0)),
            'merged': 12,
        },
    },
]


def load_tool(name: str) -> ModuleType:
    """Import a file below tools/ as a module."""
    path = Path(__file__).parents[2] / 'tools' / name
    spec = spec_from_file_location(f'tool_{path.stem}', path)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def save_training_checkpoint(path: Path, classifier: nn.Module, backbone: dict[str, Any]) -> None:
    """Write a classifier as tools/train.py does: the adapters' keys, and its config as text."""
    preprocessing = classifier.preprocessing
    model = {
        'type': 'sod_plugins.ImageClassifier',
        'data_preprocessor': {'mean': preprocessing.mean, 'std': preprocessing.std},
        'backbone': {'type': 'sod_plugins.CSNet', **backbone},
        'neck': {
            'type': 'sod_plugins.CSFNeck',
            'in_channels': classifier.backbone.out_channels,
            'weight_scale': classifier.arguments['weight_scale'],
        },
        'in_channels': classifier.classifier.in_features,
        'num_classes': classifier.classifier.out_features,
    }
    pipeline = [{'type': 'sod_plugins.ResizeSaliency', 'size': preprocessing.size}]
    loader = {'dataset': {'pipeline': pipeline}}
    state = {
        re.sub(r'^(backbone|neck)\.', r'\1.net.', key): value
        for key, value in classifier.state_dict().items()
    }
    text = f'model = {model!r}\ntest_dataloader = {loader!r}\n'
    torch.save({'state_dict': state, 'meta': {'cfg': text}}, path)


def crc_values(key: str, numel: int) -> Tensor:
    """The sine sequence (float64) from which reference weights are filled, by their key."""
    phase = 2 * torch.pi * (zlib.crc32(key.encode()) % 1000) / 1000
    return torch.sin(0.7 * torch.arange(numel, dtype=torch.float64) + phase)


def fingerprint(values: Tensor) -> list[float]:
    """Five values of a map, at the flat indices 0, n/4, n/2, 3n/4 and n - 1."""
    flat = values.flatten()
    n = len(flat)
    return [flat[k].item() for k in (0, n // 4, n // 2, 3 * n // 4, n - 1)]


def settle_statistics(network: nn.Module, images: Tensor) -> None:
    """Give BatchNorm layers the statistics of a batch, as training would.

    A fresh CSNet in eval mode overflows: its scaled convolutions need running statistics.
    """
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
    network.train()
    with torch.no_grad():
        network(images)
    for norm in norms:
        norm.momentum = 0.1
    network.eval()


def released_csnet_shapes(
    blocks: list[list[int]], fuse: list[int], dilated: list[list[int]], merged: int
) -> dict[str, tuple[int, ...]]:
    """Keys and shapes of a released CSNet checkpoint, from the widths of its 18 blocks and head.

    The grammar is that of the published files: what has no channels has no keys.
    """
    shapes: dict[str, tuple[int, ...]] = {}

    def norm(prefix: str, channels: int) -> None:
        for name in ('weight', 'bias', 'running_mean', 'running_var'):
            shapes[f'{prefix}.{name}'] = (channels,)
        shapes[f'{prefix}.num_batches_tracked'] = ()

    def norms_and_prelus(prefix: str, widths: list[int]) -> None:
        for scale, channels in enumerate(widths):
            if channels:
                norm(f'{prefix}.bns.{scale}', channels)
                shapes[f'{prefix}.prelus.{scale}.weight'] = (channels,)

    names = [f'stage{s}.{b}' for s, n in enumerate((1, 3, 4, 6, 4)) for b in range(n)]
    columns, ends = 3, []
    for name, widths in zip(names, blocks, strict=True):
        k = 3 if name in ('stage0.0', 'stage2.0', 'stage3.0', 'stage4.0') else 1
        shapes[f'{name}.conv1x1.conv.weight'] = (sum(widths), columns, k, k)
        norms_and_prelus(f'{name}.conv1x1', widths)
        for conv in ('conv3x3_1', 'conv3x3_2'):
            for scale, channels in enumerate(widths):
                if channels:
                    shapes[f'{name}.{conv}.convs.{scale}.weight'] = (channels, 1, 3, 3)
            norms_and_prelus(f'{name}.{conv}', widths)
        columns = sum(widths)
        if len(widths) == 1:
            ends.append(columns)
    shapes['oct_fuse.fuse.conv.weight'] = (sum(fuse), sum(ends), 1, 1)
    norms_and_prelus('oct_fuse.fuse', fuse)
    for scale, (channels, widths) in enumerate(zip(fuse, dilated, strict=True)):
        prefix = f'oct_fuse.ms.convs.{scale}'
        for branch, width in enumerate(widths):
            if width:
                shapes[f'{prefix}.msconv.{branch}.weight'] = (width, channels, 3, 3)
        norm(f'{prefix}.bn', sum(widths))
        shapes[f'{prefix}.prelu.weight'] = (sum(widths),)
    shapes['oct_fuse.fuse1x1.conv.weight'] = (merged, sum(map(sum, dilated)), 1, 1)
    norms_and_prelus('oct_fuse.fuse1x1', [merged])
    shapes['cls_layer.weight'], shapes['cls_layer.bias'] = (1, merged, 1, 1), (1,)
    return shapes


def released_samnet_shapes(shared_spatial: bool = True) -> dict[str, tuple[int, ...]]:
    """Keys and shapes of a released SAMNet checkpoint, by the grammar of the published files."""
    shapes: dict[str, tuple[int, ...]] = {}
    previous = 3
    for layer, (channels, modules, branches) in enumerate(
        zip((16, 32, 64, 96, 128), (1, 1, 3, 6, 3), (3, 3, 3, 3, 2), strict=True), 1
    ):
        prefix = f'context_path.layer{layer}.'
        if layer == 1:
            shapes |= _conv_norm(f'{prefix}0', channels, previous, 3)
        else:
            shapes |= _separable(f'{prefix}0', channels, previous, 3)
        for module in range(1, modules + 1):
            sam = released_sam_shapes(channels, branches, shared_spatial)
            shapes |= {f'{prefix}{module}.{key}': shape for key, shape in sam.items()}
        previous = channels
    for i in range(1, 5):
        shapes |= _conv_norm(f'pyramid_pooling.conv{i}', 32, 128, 1)
    shapes |= _conv_norm('pyramid_pooling.out', 128, 256, 1)
    for i, (channels, fused, k) in enumerate(
        zip((128, 96, 64, 32, 16), (96, 64, 32, 16, 16), (3, 3, 5, 5, 5), strict=True)
    ):
        shapes |= _conv_norm(f'prepare.{i}', channels, channels, 1)
        shapes |= _separable(f'fuse.{i}', fused, channels, k)
        shapes[f'heads.{i}.conv.1.weight'] = (1, fused, 1, 1)
        shapes[f'heads.{i}.conv.1.bias'] = (1,)
    return shapes


def released_sam_shapes(
    channels: int, branches: int, shared_spatial: bool = True
) -> dict[str, tuple[int, ...]]:
    """Keys and shapes of one released SAM module with a number of dilated branches."""
    quarter = channels // 4
    shapes = _separable('conv', channels, channels, 3)
    for i in range(branches):
        shapes |= _separable(f'branches.{i}', channels, channels, 3)
    shapes |= _conv_norm('fc1', channels, channels, 1)
    shapes['fc2.weight'] = ((branches + 1) * channels, channels, 1, 1)
    shapes |= _conv_norm('convs.0', quarter, channels, 1)
    shapes |= _separable('convs.1', quarter, quarter, 3) | _separable(
        'convs.2', quarter, quarter, 3
    )
    shapes['convs.3.weight'] = (1 if shared_spatial else branches + 1, quarter, 1, 1)
    return shapes | _conv_norm('fuse', channels, channels, 1)


def _conv_norm(prefix: str, out: int, columns: int, k: int) -> dict[str, tuple[int, ...]]:
    norm = dict.fromkeys(('weight', 'bias', 'running_mean', 'running_var'), (out,))
    return {
        f'{prefix}.conv.0.weight': (out, columns, k, k),
        **{f'{prefix}.conv.1.{name}': shape for name, shape in norm.items()},
        f'{prefix}.conv.1.num_batches_tracked': (),
    }


def _separable(prefix: str, out: int, columns: int, k: int) -> dict[str, tuple[int, ...]]:
    return {
        **_conv_norm(f'{prefix}.conv.0', columns, 1, k),
        **_conv_norm(f'{prefix}.conv.1', out, columns, 1),
    }


def crc_filled(shapes: dict[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """Fill a released network's keys with the weights of the reference values, in float64."""
    state = {}
    for key, shape in shapes.items():
        if key.endswith('num_batches_tracked'):
            state[key] = torch.tensor(0)
            continue
        s = crc_values(key, torch.Size(shape).numel())
        if len(shape) == 4:
            factor = 0.01 if 'conv3x3' in key or 'msconv' in key else 1.0
            s = 2 * factor * s / (s.numel() / shape[0]) ** 0.5
        elif key.endswith('running_var'):
            s = 1 + 0.5 * s**2
        elif 'prelu' in key:
            s = 0.25 + 0.05 * s
        elif key.endswith('.weight'):
            s = 1 + 0.1 * s
        else:
            s = 0.1 * s
        state[key] = s.reshape(shape)
    return state
