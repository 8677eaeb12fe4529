"""The record of the run that wrote a folder of outputs, for resumed runs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sod_plugins import __version__
from sod_plugins._common.reading import read_json, sha256_of
from sod_plugins._common.writing import write_text
from sod_plugins.zoo.cards import default_model, list_models, model_card
from sod_plugins.zoo.resolver import PREFIX, find_model

_FORMAT = 1


class Manifest:
    """The record of a run in its folder.

    Args:
        path: The file.
        model: The identity of the model that makes the outputs, see :func:`identify`.
        pictures: The options of each kind of output.

    Attributes:
        values: The content of the file.
    """

    def __init__(self, path: Path, model: str, pictures: Mapping[str, Any]) -> None:
        self.path = path
        self._older = read_manifest(path) if path.exists() else None
        self.values: dict[str, Any] = {
            'format': _FORMAT,
            'program': f'sod_plugins {__version__}',
            'model': model,
            'pictures': dict(pictures),
        }

    def begin(self, present: bool, overwrite: bool) -> None:
        """Check that an earlier run in the folder had the same settings, and write the file.

        Args:
            present: Whether outputs of this run exist already.
            overwrite: Whether they are written again.

        Raises:
            ValueError: Outputs that would be kept are from another model or other options, or their
                origin is not known.
            OSError: The file cannot be written.
        """
        pictures = self.values['pictures']
        reason = self._difference()
        if present and not overwrite and reason:
            raise ValueError(
                f"'{self.path.parent}' has outputs of an earlier run {reason}. Choose another "
                'folder, or replace them (overwrite=True, --overwrite).'
            )
        if reason is None and self._older is not None:
            pictures = {**self._older['pictures'], **pictures}
        self.values['pictures'] = pictures
        if overwrite and present and (reason or (self._older or {}).get('overwriting')):
            self.values['overwriting'] = True
        if self.values != self._older:
            self._write()

    def finish(self, **results: Any) -> None:
        """Record that the run is complete, and its results."""
        if results or self.values.pop('overwriting', False):
            self.values.update(results)
            self._write()

    def _difference(self) -> str | None:
        """Describe how an earlier run differs; None if it does not."""
        older = self._older
        if older is None:
            return f'without a {self.path.name} that says what made them'
        if older.get('overwriting'):
            return 'that was interrupted while it replaced them'
        if older['model'] != self.values['model']:
            return f"by another model ('{older['model']}')"
        for kind, options in self.values['pictures'].items():
            if older['pictures'].get(kind, options) != options:
                return f'with other options of the {kind}'
        return None

    def _write(self) -> None:
        write_manifest(self.path, self.values)


def write_manifest(path: Path, values: Mapping[str, Any]) -> None:
    """Write the record of a run."""
    write_text(path, json.dumps(values, indent=1) + '\n')


def read_manifest(path: Path) -> dict[str, Any]:
    """Read the record of a run.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is not a record of this version.
    """
    values = read_json(path)
    if (
        not isinstance(values, dict)
        or values.get('format') != _FORMAT
        or not isinstance(values.get('pictures'), dict)
        or not isinstance(values.get('model'), str)
    ):
        raise ValueError(f"'{path}' is not a record of a run of this version. Move or remove it.")
    return values


def identify(network: Any) -> str:
    """Return an identity of a model, unique by the content of its file or its weights."""
    network = default_model() if network is None else network
    if isinstance(network, str) and network.removeprefix(PREFIX) in list_models():
        card = model_card(network.removeprefix(PREFIX))
        if card.sha256:
            return f'{card.name}, SHA-256 {card.sha256}'
        network = find_model(card.name)
    if isinstance(network, (str, Path)):
        return f'{Path(network).name}, SHA-256 {sha256_of(network)}'
    digest = hashlib.sha256()
    for name, value in network.state_dict().items():
        digest.update(f'{name} {tuple(value.shape)}'.encode())
        digest.update(value.detach().cpu().float().contiguous().numpy().tobytes())
    return f'{type(network).__name__}, SHA-256 {digest.hexdigest()}'
