"""Convert a checkpoint of the CSNet authors to a self-describing file of this package.

    sod convert csnet csnet-L-x1.pth.tar csnet-L-x1.bin csnet-L-x1.pth

The ``.bin`` beside a released checkpoint holds its learned channel widths. Both files are read as
data; nothing in them is executed. The released weights are licensed CC BY-NC-SA 4.0, and so is
everything derived from them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sod_plugins._common.reading import open_regular, why
from sod_plugins.checkpoints.network_file import save_network, state_dict_of
from sod_plugins.checkpoints.pickles import Unpickler
from sod_plugins.checkpoints.reading import read_checkpoint
from sod_plugins.networks import CSNet, Preprocessing
from sod_plugins.networks.backbones.csnet_widths import DILATIONS

# Entries of the widths file: one per ILBlock, then the fuse, dilated and merging convolutions, then
# the number of blocks of each stage, where the block that opens stage 1 is not counted.
LARGEST = 1 << 14
BLOCKS, FUSE, DILATED, MERGE, STAGE_BLOCKS = slice(0, 18), 18, 19, 20, 21


def read_widths(path: Path) -> dict[str, Any]:
    """Read a released widths file into the arguments ``stage_blocks`` and ``learned_widths``.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: The file holds anything but the widths of a CSNet.
    """
    try:
        with open_regular(path) as file:
            entries = Unpickler(file).load()
        outputs = [_widths_of(np.atleast_1d(entry[1])) for entry in entries[:STAGE_BLOCKS]]
        dilated = _widths_of(np.asarray(entries[DILATED][2]))
        first, *rest = _widths_of(np.asarray(entries[STAGE_BLOCKS]))
    except FileNotFoundError as error:
        raise FileNotFoundError(f'There is no widths file {path}.') from error
    except OSError as error:
        raise type(error)(f'{path} cannot be read as a widths file: {why(error)}.') from error
    except (ArithmeticError, LookupError, RecursionError, TypeError, ValueError) as error:
        reason = str(error) if isinstance(error, ValueError) else 'it is not a list of channels'
        raise ValueError(f'{path} is not a widths file of a released CSNet: {reason}.') from error
    return {
        'stage_blocks': (first + 1, *rest),
        'learned_widths': {
            'blocks': outputs[BLOCKS],
            'fuse': outputs[FUSE],
            'dilated': dilated,
            'merged': outputs[MERGE][0],
        },
    }


def _widths_of(numbers: np.ndarray[Any, Any]) -> Any:
    """Check numbers of channels and return them as nested lists.

    Raises:
        ValueError: The values are not numbers of channels.
    """
    if numbers.dtype.kind not in 'iuf' or numbers.size > LARGEST:
        raise ValueError('it holds something other than numbers of channels')
    if not ((numbers >= 0) & (numbers <= LARGEST)).all():
        raise ValueError('it holds absurd numbers of channels')
    return numbers.astype(int).tolist()


def convert_key(key: str) -> tuple[str, int]:
    """Translate a released key; the number orders depthwise weights that become one tensor."""
    if match := re.fullmatch(r'stage(\d)\.(\d+)\.(.*)', key):
        stage, block, rest = int(match[1]), int(match[2]), match[3]
        if stage == 1:
            block += 1
        prefix = f'backbone.stages.{max(stage - 1, 0)}.{block}.'
        rest = rest.replace('conv1x1.', 'conv1.')
        rest = rest.replace('conv3x3_1.', 'conv2.').replace('conv3x3_2.', 'conv3.')
        if part := re.fullmatch(r'(conv[23])\.convs\.(\d)\.weight', rest):
            return f'{prefix}{part[1]}.conv.weight', int(part[2])
    elif match := re.fullmatch(r'oct_fuse\.ms\.convs\.(\d)\.msconv\.(\d)\.weight', key):
        return f'decode_head.dilated.{match[1]}.convs.{DILATIONS[int(match[2])]}.weight', 0
    elif match := re.fullmatch(r'oct_fuse\.ms\.convs\.(\d)\.(bn|prelu)\.(\w+)', key):
        name = {'bn': 'norm', 'prelu': 'act'}[match[2]]
        return f'decode_head.dilated.{match[1]}.{name}.{match[3]}', 0
    elif match := re.fullmatch(r'oct_fuse\.(fuse|fuse1x1)\.(.*)', key):
        prefix = {'fuse': 'decode_head.fuse.', 'fuse1x1': 'decode_head.merge.'}[match[1]]
        rest = match[2]
    elif match := re.fullmatch(r'cls_layer\.(.*)', key):
        prefix, rest = 'decode_head.classifier.', match[1]
    else:
        raise ValueError(f'{key!r} is not a key of a released CSNet')
    return prefix + rest.replace('bns.', 'norms.').replace('prelus.', 'acts.'), 0


def convert_weights(released: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Translate a released state dict; depthwise weights of both scales become one tensor."""
    parts: dict[str, dict[int, Tensor]] = {}
    for key, value in released.items():
        new, part = convert_key(key.removeprefix('module.'))
        parts.setdefault(new, {})[part] = value
    return {
        key: next(iter(by_scale.values()))
        if len(by_scale) == 1
        else torch.cat([weight for _, weight in sorted(by_scale.items())])
        for key, by_scale in parts.items()
    }


def convert(checkpoint: Path, widths: Path, out: Path) -> CSNet:
    """Convert a released checkpoint and its widths file; return the written network.

    Raises:
        FileNotFoundError: An input does not exist.
        ValueError: An input is not what its name says, or the two do not belong together.
    """
    network = CSNet(**read_widths(widths))
    content = read_checkpoint(checkpoint)
    try:
        network.load_state_dict(convert_weights(state_dict_of(content)))
    except (LookupError, RuntimeError, TypeError, ValueError) as error:
        reason = str(error).partition('\n')[0] or 'it is empty'
        raise ValueError(
            f'{checkpoint} is not the checkpoint of a released CSNet with the widths of {widths}: '
            f'{reason}'
        ) from error
    save_network(out, network, Preprocessing())
    return network.eval()
