"""Find and load models by name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sod_plugins._common.reading import sha256_of
from sod_plugins.checkpoints.downloads import download
from sod_plugins.zoo.cards import default_model, model_card

if TYPE_CHECKING:
    from sod_plugins.networks.base import DescribedNetwork

PREFIX = 'zoo:'
PACKAGE = Path(__file__).resolve().parents[1]


def find_model(name: str) -> Path:
    """Return the weights file of a model, downloading it if necessary.

    The file is verified by the SHA-256 of the model's card.

    Args:
        name: The name of a model, with or without the prefix ``zoo:``.

    Raises:
        ValueError: The model is unknown, its weights are not distributed (the message says how to
            create them), or the file does not match the card.
        OSError: The weights cannot be downloaded.
    """
    card = model_card(name.removeprefix(PREFIX))
    if card.file is None:
        how = f' Make them by {card.conversion}' if card.conversion else ''
        raise ValueError(f'The weights of {card.name} do not come with this package.{how}')
    if path := local_file(card.file):
        verify(path, card.sha256, card.name)
        return path
    if card.url:
        return download(card.url, card.sha256)
    raise FileNotFoundError(
        f'The weights of {card.name} are missing: they come with a clone of the repository, as '
        f'{card.file}, and not with the installed package.'
    )


def find_exported(name: str) -> Path | None:
    """Return the ``.onnx`` file of a model; None if there is none for its present weights.

    Raises:
        ValueError: There is no such model, or the file does not match its card.
    """
    card = model_card(name.removeprefix(PREFIX))
    if card.exported is None or card.exported_from != card.sha256:
        return None
    path = PACKAGE / card.exported
    if not path.is_file():
        return None
    verify(path, card.exported_sha256, card.name)
    return path


def local_file(file: str) -> Path | None:
    """Return the path of a file of a card, in the package or beside it; None if it is absent."""
    paths = (folder / file for folder in (PACKAGE, PACKAGE.parent))
    return next((path for path in paths if path.is_file()), None)


def load(name: str | None = None, task: str = 'saliency') -> DescribedNetwork:
    """Load a model of this package.

    Args:
        name: The name of the model; by default that of the task.
        task: ``'saliency'`` or ``'instances'``.

    Returns:
        The network in eval mode on the CPU, its preprocessing in ``.preprocessing``.

    Raises:
        ValueError: The model is unknown, or the weights do not match its card.
        OSError: The weights cannot be found or downloaded.
    """
    from sod_plugins.checkpoints import load_network

    return load_network(find_model(name or default_model(task)))


def verify(path: Path, sha256: str, name: str) -> None:
    """Check that a file is the one that the card of a model describes.

    Raises:
        ValueError: Its SHA-256 is another.
    """
    if sha256_of(path) != sha256:
        raise ValueError(
            f'{path} is not the file of {name} that its card describes: its SHA-256 differs. '
            'Install the package again.'
        )
