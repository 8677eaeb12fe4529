"""Self-describing checkpoints: a network's name, arguments, preprocessing and weights in one file.

Files are read with ``weights_only``: nothing in them is executed.
"""

from __future__ import annotations

import ast
import pickle
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sod_plugins.networks.base import SaliencyNetwork
from sod_plugins.networks.csnet import CSNet
from sod_plugins.networks.preprocessing import Preprocessing

FORMAT = 'sod_plugins.network/1'
NETWORKS: dict[str, type[SaliencyNetwork]] = {'CSNet': CSNet}


def save_network(
    path: str | Path, network: SaliencyNetwork, preprocessing: Preprocessing | None = None
) -> None:
    """Write a network of this package so that :func:`load_network` needs no config.

    Args:
        path: File to write.
        network: An instance of a class in ``NETWORKS``.
        preprocessing: Input size and normalisation, where they differ from the network's own.

    Raises:
        ValueError: If the network is of another class.
    """
    name = type(network).__name__
    if NETWORKS.get(name) is not type(network):
        raise ValueError(f'save_network knows {sorted(NETWORKS)}, got a {name}.')
    torch.save(
        {
            'format': FORMAT,
            'network': name,
            'arguments': network.arguments,
            'preprocessing': (preprocessing or network.preprocessing).to_dict(),
            'state_dict': network.state_dict(),
        },
        path,
    )


def load_network(path: str | Path) -> SaliencyNetwork:
    """Build the network that a checkpoint describes and load its weights.

    Reads what :func:`save_network` wrote, and checkpoints of ``tools/train.py``, whose config is
    stored in them (neither mmengine nor any host is needed).

    Args:
        path: Checkpoint file.

    Returns:
        The network in eval mode on the CPU, its :class:`Preprocessing` in ``.preprocessing``.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is no checkpoint of this package, or does not fit its description.
    """
    path = Path(path)
    checkpoint = _read(path)
    if checkpoint.get('format') != FORMAT:
        checkpoint = _describe_training_checkpoint(path, checkpoint)
    if checkpoint['network'] not in NETWORKS:
        raise ValueError(
            f'{path} holds a network {checkpoint["network"]!r}; this version knows '
            f'{sorted(NETWORKS)}.'
        )
    network = NETWORKS[checkpoint['network']](**checkpoint['arguments'])
    try:
        network.load_state_dict(checkpoint['state_dict'])
    except RuntimeError as error:
        raise ValueError(f'The weights in {path} do not fit its description: {error}') from error
    network.preprocessing = Preprocessing.from_dict(checkpoint['preprocessing'])
    return network.eval()


def extract_network(training_checkpoint: str | Path, out: str | Path) -> None:
    """Write the network of a training checkpoint as a self-describing file, without its optimizer.

    Raises:
        FileNotFoundError: If there is no such checkpoint.
        ValueError: If it does not hold a network of this package.
    """
    save_network(out, load_network(training_checkpoint))


class _Ignored:
    """Stands in for objects of a training log, which the weights do not need."""

    def __init__(self, *_: Any) -> None: ...

    def __setstate__(self, _: Any) -> None: ...


# mmengine's checkpoints carry their logs; each name is unpickled as an inert object.
_LOG_GLOBALS: list[Callable[..., Any] | tuple[Callable[..., Any], str]] = [
    (_Ignored, name)
    for name in (
        'mmengine.logging.history_buffer.HistoryBuffer',
        'builtins.getattr',
        'numpy.core.multiarray._reconstruct',
        'numpy._core.multiarray._reconstruct',
        'numpy._core.numeric._frombuffer',
        'numpy.core.multiarray.scalar',
        'numpy._core.multiarray.scalar',
        'numpy.ndarray',
        'numpy.dtype',
    )
]


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise FileNotFoundError(f'There is no checkpoint {path}.')
    try:
        with torch.serialization.safe_globals(_LOG_GLOBALS):
            checkpoint = torch.load(path, map_location='cpu', weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise ValueError(
            f'{path} cannot be read as a checkpoint: {str(error).splitlines()[0]}'
        ) from error
    if not isinstance(checkpoint, dict):
        raise ValueError(f'{path} holds a {type(checkpoint).__name__}, not a checkpoint.')
    return checkpoint


def _describe_training_checkpoint(path: Path, checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    try:
        model = _assignments(checkpoint['meta']['cfg'])['model']
        backbone, head = dict(model['backbone']), dict(model['decode_head'])
        preprocessor = model['data_preprocessor']
        size = model['input_size']
        weights: Mapping[str, Tensor] = checkpoint['state_dict']
    except (KeyError, TypeError, SyntaxError) as error:
        raise ValueError(
            f'{path} is neither a network file of this package nor a training checkpoint of '
            'tools/train.py. Convert released weights with tools/model_converters first.'
        ) from error
    del head, backbone, preprocessor, size, weights
    raise NotImplementedError


def _assignments(config: str) -> dict[str, Any]:
    """Evaluate the literal assignments of a config's text, with nothing but dict() allowed."""
    return {
        target.id: _literal(statement.value)
        for statement in ast.parse(config).body
        if isinstance(statement, ast.Assign)
        for target in statement.targets
        if isinstance(target, ast.Name)
    }


def _literal(node: ast.expr) -> Any:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == 'dict':
        return {k.arg: _literal(k.value) for k in node.keywords}
    if isinstance(node, ast.Dict):
        return {_literal(k): _literal(v) for k, v in zip(node.keys, node.values, strict=True) if k}
    if isinstance(node, ast.List | ast.Tuple):
        values = [_literal(element) for element in node.elts]
        return values if isinstance(node, ast.List) else tuple(values)
    return ast.literal_eval(node)


def _plain_key(key: str) -> str:
    return re.sub(r'^(module\.)?(backbone|decode_head)\.net\.', r'\2.', key)
