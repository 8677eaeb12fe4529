"""Self-describing checkpoints: a network's name, arguments, preprocessing and weights in one file.

Files are read with ``weights_only``: nothing in them is executed.
"""

from __future__ import annotations

from pathlib import Path

import torch

from sod_plugins.checkpoints.old_formats import describe_training_checkpoint
from sod_plugins.checkpoints.reading import read_checkpoint
from sod_plugins.networks.base import DescribedNetwork
from sod_plugins.networks.csnet.csf import CSF
from sod_plugins.networks.csnet.network import CSNet
from sod_plugins.networks.itdbu.network import ITDBU
from sod_plugins.networks.picanet.network import PiCANet
from sod_plugins.networks.preprocessing import Preprocessing
from sod_plugins.networks.s4net.network import S4Net
from sod_plugins.networks.samnet.network import SAMNet

FORMAT = 'sod_plugins.network/1'
NETWORKS: dict[str, type[DescribedNetwork]] = {
    'CSF': CSF,
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
                '`sod convert` first.'
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
