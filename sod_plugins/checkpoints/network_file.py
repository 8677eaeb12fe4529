"""Self-describing checkpoints: a network's name, arguments, preprocessing and weights in one file.

Nothing in a file is executed, see :mod:`sod_plugins.checkpoints.reading`. A name that ends in
``.safetensors`` is written and read in that format, any other in torch's.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from sod_plugins._common.writing import write_bytes
from sod_plugins.checkpoints import old_formats
from sod_plugins.checkpoints.description import Description, describe, not_finite, some
from sod_plugins.checkpoints.reading import DESCRIPTION, SAFETENSORS, read_checkpoint
from sod_plugins.networks.base import DescribedNetwork
from sod_plugins.networks.preprocessing import Preprocessing


def save_network(
    path: str | Path, network: DescribedNetwork, preprocessing: Preprocessing | None = None
) -> None:
    """Write a network so that :func:`load_network` needs no config.

    Args:
        path: File to write; its folder is made where it is missing. ``.safetensors`` is written in
            that format.
        network: An instance of a registered class.
        preprocessing: Input size and normalisation, where they differ from the network's own.

    Raises:
        OSError: If the file cannot be written.
        ValueError: If the network's class is not registered.
    """
    try:
        description = describe(network, preprocessing)
    except ValueError as error:
        raise ValueError(f'save_network cannot describe it: {error}.') from error
    write_checkpoint(path, network.state_dict(), description.to_dict())


def write_checkpoint(
    path: str | Path, weights: Mapping[str, Tensor], description: Mapping[str, Any] | None
) -> None:
    """Write weights, and what describes their network.

    Raises:
        OSError: If the file cannot be written.
    """
    path = Path(path)
    described = {} if description is None else {DESCRIPTION: dict(description)}
    if path.suffix == SAFETENSORS:
        whole = {name: value.detach().cpu().contiguous() for name, value in weights.items()}
        metadata = {name: json.dumps(value) for name, value in described.items()}
        write_bytes(path, safetensors.torch.save(whole, {'format': 'pt', **metadata}))
        return
    content = io.BytesIO()
    torch.save({**described, 'state_dict': dict(weights)}, content)
    write_bytes(path, content.getvalue())


def load_network(path: str | Path) -> DescribedNetwork:
    """Build the network that a checkpoint describes and load its weights.

    Reads what :func:`save_network` wrote, and training checkpoints of any host and version (no host
    is needed).

    Args:
        path: Checkpoint file.

    Returns:
        The network in eval mode on the CPU, its :class:`Preprocessing` in ``.preprocessing``.

    Raises:
        FileNotFoundError: If there is no such file.
        OSError: If it is no regular file, or may not be read.
        ValueError: If the file is no checkpoint of this package, does not fit its description, or
            holds NaN or infinite weights; the message names the file.
    """
    path = Path(path)
    checkpoint = read_checkpoint(path)
    description, weights = _parts_of(path, checkpoint)
    if broken := not_finite(weights):
        raise ValueError(
            f'{path} holds NaN or infinite weights, in {some(broken)}: its training diverged. Use '
            'an earlier checkpoint, or train with a smaller learning rate.'
        )
    try:
        return description.build(weights)
    except ValueError as error:
        raise ValueError(f'{path} {error}.') from error


def read_description(checkpoint: Mapping[str, Any]) -> Description | None:
    """Return the description in a checkpoint, None where there is none.

    Raises:
        ValueError: If it cannot be read, or is newer; the message goes on from the file's name.
    """
    if DESCRIPTION not in checkpoint:
        return None
    return Description.from_dict(checkpoint[DESCRIPTION])


def state_dict_of(checkpoint: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return the weights in a checkpoint, without what wrappers put before their names.

    Raises:
        ValueError: If it holds none; the message goes on from the file's name.
    """
    state = checkpoint.get('state_dict', checkpoint)
    if not isinstance(state, Mapping) or not state:
        raise ValueError('holds no weights')
    for name, value in state.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise ValueError(f'holds a state dict with other things than tensors ({name!s:.80})')
    prefixes = ('module.', '_orig_mod.')
    while prefix := next((p for p in prefixes if all(k.startswith(p) for k in state)), None):
        state = {name.removeprefix(prefix): value for name, value in state.items()}
    return dict(state)


def _parts_of(path: Path, checkpoint: Mapping[str, Any]) -> tuple[Description, dict[str, Tensor]]:
    """Return a checkpoint's description, as it is now or was, and its weights by plain names."""
    try:
        description = read_description(checkpoint)
        if description is None:
            state = checkpoint.get('state_dict')
            count = len(state) if isinstance(state, Mapping) else 0
            description = old_formats.read_description(checkpoint, count)
        return description, description.own_weights(state_dict_of(checkpoint))
    except old_formats.UndescribedError as error:
        raise ValueError(f'{path} {error}') from error
    except ValueError as error:
        raise ValueError(f'{path} {error}.') from error


def load_classifier(path: str | Path) -> Any:
    """Build the classifier in a checkpoint and load its weights.

    Returns:
        The :class:`~sod_plugins.networks.CSNetClassifier` in eval mode on the CPU.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it holds no classifier made of a CSNet.
    """
    network = load_network(path)
    if network.task != 'classes':
        raise ValueError(f'{path} holds a {type(network).__name__}, which is no classifier.')
    return network


def extract_network(training_checkpoint: str | Path, out: str | Path, half: bool = False) -> None:
    """Write the network of a training checkpoint as a self-describing file, without its optimizer.

    Args:
        training_checkpoint: The checkpoint.
        out: File to write.
        half: Whether to write half precision, 11 bits a weight in half the bytes.
            :func:`load_network` makes float32 of it again.

    Raises:
        FileNotFoundError: If there is no such checkpoint.
        ValueError: If it does not hold a network of this package, or one whose weights exceed half
            precision's range.
    """
    network = load_network(training_checkpoint)
    if half and (beyond := not_finite(network.half().state_dict())):
        raise ValueError(
            f'{training_checkpoint} holds weights beyond 65504, the largest number of half '
            f'precision, in {some(beyond)}: leave them in float32.'
        )
    save_network(out, network)
