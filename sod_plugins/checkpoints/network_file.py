"""Self-describing checkpoints: a network's name, arguments, preprocessing and weights in one file.

Nothing in a file is executed, see :mod:`sod_plugins.checkpoints.reading`. Files with the extension
``.safetensors`` are written and read in that format, all others in torch's.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
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
    path: str | Path,
    network: DescribedNetwork,
    preprocessing: Preprocessing | None = None,
    half: bool = False,
) -> None:
    """Save a network in a file that :func:`load_network` reads without a config.

    Args:
        path: The output file; its folder is created if it does not exist. The extension
            ``.safetensors`` selects that format.
        network: An instance of a registered class.
        preprocessing: Input size and normalisation, if they differ from the network's own.
        half: Whether to store weights in half precision: 11 significant bits in about half the
            bytes, rounded so that a filter's errors add up to next to nothing. The smallest
            tensors, which hold a tenth of all values, keep float32: rounding them would change
            maps the most. :func:`load_network` converts all back to float32.

    Raises:
        OSError: The file cannot be written.
        ValueError: The network's class is not registered, or its weights exceed the range of half
            precision.
    """
    try:
        description = describe(network, preprocessing)
    except ValueError as error:
        raise ValueError(f'save_network cannot describe it: {error}.') from error
    weights = network.state_dict()
    if half:
        weights = _halved(weights)
        if beyond := not_finite(weights):
            raise ValueError(
                f'{path} cannot be in half precision, whose largest number is 65504: weights are '
                f'beyond it in {some(beyond)}. Write single precision.'
            )
    write_checkpoint(path, weights, description.to_dict())


def write_checkpoint(
    path: str | Path, weights: Mapping[str, Tensor], description: Mapping[str, Any] | None
) -> None:
    """Write weights and the description of their network.

    Raises:
        OSError: The file cannot be written.
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

    Reads files written by :func:`save_network` and training checkpoints of any host and version.
    The host need not be installed.

    Args:
        path: Checkpoint file.

    Returns:
        The network in eval mode on the CPU, its :class:`Preprocessing` in ``.preprocessing``.

    Raises:
        FileNotFoundError: The file does not exist.
        OSError: It is not a regular file or cannot be read.
        ValueError: The file is not a checkpoint of this package, does not match its description,
            or holds NaN or infinite weights; the message names the file.
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
    """Return the description in a checkpoint, or None if there is none.

    Raises:
        ValueError: It is invalid or of a newer version; the message continues after the file name.
    """
    if DESCRIPTION not in checkpoint:
        return None
    return Description.from_dict(checkpoint[DESCRIPTION])


def state_dict_of(checkpoint: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return the weights in a checkpoint, without the prefixes that wrappers add to their names.

    Raises:
        ValueError: It holds no weights; the message continues after the file name.
    """
    state = checkpoint.get('state_dict', checkpoint)
    if not isinstance(state, Mapping) or not state:
        raise ValueError('holds no weights')
    for name, value in state.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise ValueError(f'holds a state dict with values other than tensors ({name!s:.80})')
    prefixes = ('module.', '_orig_mod.')
    while prefix := next((p for p in prefixes if all(k.startswith(p) for k in state)), None):
        state = {name.removeprefix(prefix): value for name, value in state.items()}
    return dict(state)


def _parts_of(path: Path, checkpoint: Mapping[str, Any]) -> tuple[Description, dict[str, Tensor]]:
    """Return a checkpoint's description, in any version, and its weights by plain names."""
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
        FileNotFoundError: The file does not exist.
        ValueError: It does not hold a CSNet classifier.
    """
    network = load_network(path)
    if network.task != 'classes':
        raise ValueError(f'{path} holds a {type(network).__name__}, which is not a classifier.')
    return network


def extract_network(
    training_checkpoint: str | Path,
    out: str | Path,
    half: bool = False,
    size: tuple[int, int] | None = None,
) -> None:
    """Write the network of a training checkpoint as a self-describing file, without its optimizer.

    Args:
        training_checkpoint: The checkpoint.
        out: The output file.
        half: As for :func:`save_network`.
        size: Height and width to which the file's users resize images; by default those at which
            the training validated.

    Raises:
        FileNotFoundError: The checkpoint does not exist.
        ValueError: It does not hold a network of this package, its weights exceed the range of
            half precision, or the size is absurd.
    """
    network = load_network(training_checkpoint)
    save_network(out, network, network.preprocessing.with_size(size), half)


def _halved(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Convert all but the smallest tensors, which hold a tenth of the values."""
    floats = sorted(
        (name for name in weights if weights[name].is_floating_point()),
        key=lambda name: weights[name].numel(),
    )
    left = sum(weights[name].numel() for name in floats) // 10
    halved = dict(weights)
    for name in floats:
        left -= weights[name].numel()
        if left < 0:
            halved[name] = _rounded_to_half(weights[name])
    return halved


def _rounded_to_half(weights: Tensor) -> Tensor:
    """Round filters, the rows of a tensor, so that the errors in each add up to next to nothing.

    A filter's inputs are seldom negative (they come from a ReLU), so errors of one sign shift its
    output: the bias of quantization (Nagel et al., 2019, https://arxiv.org/abs/1906.04721). As few
    weights as needed are rounded to the number on their other side, those nearest to it first.
    """
    exact = weights.detach().cpu().double().numpy()
    exact = exact.reshape(len(exact), -1) if exact.ndim > 1 else exact.reshape(-1, 1)
    with np.errstate(over='ignore', invalid='ignore'):  # weights beyond the range stay infinite
        nearest = exact.astype(np.float16)
        errors = exact - nearest
        excess = errors.sum(1, keepdims=True)
        other = np.nextafter(nearest, np.copysign(np.float16(np.inf), excess, dtype=np.float16))
        steps = np.subtract(other, nearest, dtype=np.float64)
        costs = np.where(errors * excess > 0, np.abs(steps) - 2 * np.abs(errors), np.inf)
        steps[~np.isfinite(costs)] = 0
        order = costs.argsort(1)
        moved = np.take_along_axis(steps, order, 1).cumsum(1)
        count = np.abs(np.concatenate([excess, excess - moved], 1)).argmin(1)[:, None]
    chosen = np.empty(exact.shape, bool)
    np.put_along_axis(chosen, order, np.arange(exact.shape[1]) < count, 1)
    return torch.from_numpy(np.where(chosen, other, nearest)).view_as(weights)
