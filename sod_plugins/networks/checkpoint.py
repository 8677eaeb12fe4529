"""Self-describing checkpoints: a network's name, arguments, preprocessing and weights in one file.

Files are read with ``weights_only``: nothing in them is executed.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from sod_plugins.networks.base import DescribedNetwork
from sod_plugins.networks.csnet import CSNet
from sod_plugins.networks.itdbu import ITDBU
from sod_plugins.networks.picanet import PiCANet
from sod_plugins.networks.preprocessing import Preprocessing
from sod_plugins.networks.s4net import S4Net
from sod_plugins.networks.samnet import SAMNet
from sod_plugins.networks.training_checkpoint import describe_training_checkpoint

FORMAT = 'sod_plugins.network/1'
NETWORKS: dict[str, type[DescribedNetwork]] = {
    'CSNet': CSNet,
    'ITDBU': ITDBU,
    'PiCANet': PiCANet,
    'S4Net': S4Net,
    'SAMNet': SAMNet,
}


def save_network(
    path: str | Path, network: DescribedNetwork, preprocessing: Preprocessing | None = None
) -> None:
    """Write a network of this package so that :func:`load_network` needs no config.

    Args:
        path: File to write; its folder is made where it is missing.
        network: An instance of a class in ``NETWORKS``.
        preprocessing: Input size and normalisation, where they differ from the network's own.

    Raises:
        ValueError: If the network is of another class.
    """
    name = type(network).__name__
    if NETWORKS.get(name) is not type(network):
        raise ValueError(f'save_network knows {sorted(NETWORKS)}, got a {name}.')
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f'.{path.name}.part')  # an interrupted save spoils no older file
    torch.save(
        {
            'format': FORMAT,
            'network': name,
            'arguments': network.arguments,
            'preprocessing': (preprocessing or network.preprocessing).to_dict(),
            'state_dict': network.state_dict(),
        },
        unfinished,
    )
    unfinished.replace(path)


def load_network(path: str | Path) -> DescribedNetwork:
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
    checkpoint = read_checkpoint(path)
    if checkpoint.get('format') != FORMAT:
        try:
            checkpoint = describe_training_checkpoint(checkpoint)
        except (KeyError, TypeError, SyntaxError, ValueError) as error:
            reason = f'it holds no {error}' if isinstance(error, KeyError) else error
            raise ValueError(
                f'{path} is neither a network file of this package nor a training checkpoint of '
                f'one of its networks ({reason}). Released weights are converted by '
                'tools/model_converters first.'
            ) from error
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


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint onto the CPU; nothing in it is executed, and a training log is left out.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no checkpoint.
    """
    if not path.is_file():
        raise FileNotFoundError(f'There is no checkpoint {path}.')
    try:
        with _inert_log():
            checkpoint = torch.load(path, map_location='cpu', weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise ValueError(
            f'{path} cannot be read as a checkpoint: it is damaged, or holds code.'
        ) from error
    if not isinstance(checkpoint, dict):
        raise ValueError(f'{path} holds a {type(checkpoint).__name__}, not a checkpoint.')
    return checkpoint


@contextmanager
def _inert_log() -> Iterator[None]:
    """Trust the inert names alone: a training that reads weights trusts the real ones meanwhile.

    Beside each other, the real log would be filled with inert objects.
    """
    trusted = torch.serialization.get_safe_globals()
    torch.serialization.clear_safe_globals()
    try:
        with torch.serialization.safe_globals(_LOG_GLOBALS):
            yield
    finally:
        torch.serialization.add_safe_globals(trusted)
