"""Convert a checkpoint of the SAMNet authors to a file of this package.

    sod convert samnet RELEASED.pth samnet.pth

A file of the whole network becomes a self-describing file for ``sod predict`` and ``load_network``.
A file of the ImageNet-pretrained backbone alone becomes a file for
``init_cfg=dict(type='sod_plugins.BackboneWeights', checkpoint='OUT.pth')`` of the backbone
``sod_plugins.SAMNet``. Keys may begin with ``module.``; the shapes tell whether each branch has its
own spatial map. The file is read as data; nothing in it is executed. The released weights are
licensed CC BY-NC-SA 4.0, and so is everything derived from them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from sod_plugins.checkpoints.description import one_line
from sod_plugins.checkpoints.network_file import save_network, state_dict_of, write_checkpoint
from sod_plugins.checkpoints.reading import read_checkpoint
from sod_plugins.networks import SAMNet
from sod_plugins.networks.backbones import SAMNetBackbone

BACKBONE = 'context_path.'
# Names of the parts of a SAM module: released, and here.
MODULE_PARTS = {
    'conv': 'stem',
    'fc1': 'channel_gate.hidden',
    'fc2': 'channel_gate.logits',
    'convs.0': 'spatial_gate.reduce',
    'convs.1': 'spatial_gate.context.0',
    'convs.2': 'spatial_gate.context.1',
    'convs.3': 'spatial_gate.logits',
    'fuse': 'fuse',
}
# The other parts. Decoder levels count from the coarsest in the release, from the finest here.
PARTS: dict[str, Callable[[re.Match[str]], str]] = {
    r'context_path\.layer([1-5])\.0': lambda m: f'backbone.stages.{int(m[1]) - 1}.0',
    r'pyramid_pooling\.conv([1-4])': lambda m: f'decode_head.pooling.reduce.{int(m[1]) - 1}',
    r'pyramid_pooling\.out': lambda _: 'decode_head.pooling.fuse',
    r'prepare\.([0-4])': lambda m: f'decode_head.laterals.{4 - int(m[1])}',
    r'fuse\.([0-4])': lambda m: f'decode_head.fusions.{4 - int(m[1])}',
}
SPATIAL_MAPS = 'backbone.stages.0.1.spatial_gate.logits.weight'
NORMALISED_CONV = ('conv', 'norm')
SEPARABLE_CONV = ('depthwise', 'pointwise')


def convert_key(key: str) -> str:
    """Translate a released key of the whole network.

    Raises:
        ValueError: The key is unknown.
    """
    if match := re.fullmatch(r'heads\.([0-4])\.conv\.1\.(\w+)', key):
        return f'decode_head.classifiers.{4 - int(match[1])}.1.{match[2]}'
    if match := re.fullmatch(
        r'context_path\.layer([1-5])\.([1-9]\d*)\.(conv|fc[12]|convs\.[0-3]|fuse|branches\.\d)\.(.+)',
        key,
    ):
        part = MODULE_PARTS.get(match[3], match[3])
        return f'backbone.stages.{int(match[1]) - 1}.{match[2]}.{part}.{_convert_leaf(match[4])}'
    for pattern, replacement in PARTS.items():
        if match := re.match(rf'{pattern}\.', key):
            return f'{replacement(match)}.{_convert_leaf(key[match.end() :])}'
    raise ValueError(f'{key!r} is not a key of a released SAMNet')


def _convert_leaf(rest: str) -> str:
    """Translate the rest of a key: of a plain, a normalised or a separable convolution."""
    rest = re.sub(
        r'^conv\.([01])\.conv\.([01])\.',
        lambda m: f'{SEPARABLE_CONV[int(m[1])]}.{NORMALISED_CONV[int(m[2])]}.',
        rest,
    )
    return re.sub(r'^conv\.([01])\.', lambda m: f'{NORMALISED_CONV[int(m[1])]}.', rest)


def convert_weights(released: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Translate a released state dict, of the whole network or of the backbone alone.

    The released modules order their branches F_1 .. F_N, F_0; this package puts F_0 first.
    """
    released = {key.removeprefix('module.'): value for key, value in released.items()}
    whole = any(key.startswith((BACKBONE, 'heads.')) for key in released)
    weights = {}
    for key, value in released.items():
        try:
            new = convert_key(key if whole else BACKBONE + key)
        except ValueError:
            raise ValueError(f'{key!r} is not a key of a released SAMNet') from None
        if new.endswith('channel_gate.logits.weight'):
            value = value.roll(value.shape[1], 0)
        elif new.endswith('spatial_gate.logits.weight'):
            value = value.roll(1, 0)
        weights[new] = value
    return weights


def convert(checkpoint: Path, out: Path) -> nn.Module:
    """Convert a released checkpoint; return the written network or backbone.

    Raises:
        FileNotFoundError: The checkpoint does not exist.
        IsADirectoryError: The output is a folder.
        ValueError: The file is not a released SAMNet checkpoint, or would be overwritten.
    """
    if out.is_dir():
        raise IsADirectoryError(f'{out} is a folder: name a file to write.')
    content: Mapping[str, Any] = read_checkpoint(checkpoint)
    if out.exists() and out.samefile(checkpoint):
        raise ValueError(f'{out} is the released file itself: name another file to write.')
    try:
        weights = convert_weights(state_dict_of(content))
        if SPATIAL_MAPS not in weights:
            raise ValueError('it lacks the spatial maps of the first module')
        shared_spatial = len(weights[SPATIAL_MAPS]) == 1
        spec = {'type': 'SAMNet', 'shared_spatial': shared_spatial}
        if any(key.startswith('decode_head.') for key in weights):
            network = SAMNet(backbone=spec)
            network.load_state_dict(weights)
            save_network(out, network)
            return network.eval()
        backbone = SAMNetBackbone(shared_spatial=shared_spatial)
        backbone.load_state_dict({k.removeprefix('backbone.'): v for k, v in weights.items()})
    except (AttributeError, IndexError, RuntimeError, TypeError, ValueError) as error:
        raise ValueError(
            f'{checkpoint} is not the checkpoint of a released SAMNet: {one_line(error)}.'
        ) from error
    write_checkpoint(out, weights, None)
    return backbone.eval()
