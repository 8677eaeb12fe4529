"""Model cards: the facts about each model, one JSON file per model in ``cards/``.

The cards are the single source of the tables in the docs, the README and the configs' metafiles.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any

from sod_plugins._common.choices import require_choice

CARDS = Path(__file__).with_name('cards')
TASKS = ('saliency', 'instances')
# The models that commands and predictors use by default.
DEFAULT_MODELS = {'saliency': 'sod-small', 'instances': 'sod-instances'}


@dataclass(frozen=True)
class Measures:
    """Results of a model on a data set.

    Attributes:
        dataset: Name of the data set.
        protocol: Name of the protocol, see ``sod_plugins.metrics``.
        images: Number of images measured.
        date: The date of the evaluation, YYYY-MM-DD: repeated looks at a test set count.
        values: The measures by key.
    """

    dataset: str
    protocol: str
    images: int
    date: str
    values: Mapping[str, float]


@dataclass(frozen=True)
class ModelCard:
    """The facts about a model.

    Attributes:
        name: The name by which users refer to it.
        summary: One sentence.
        task: ``'saliency'`` or ``'instances'``.
        network: Name of the network in ``sod_plugins.networks``.
        arguments: Its constructor arguments.
        preprocessing: Input size and normalisation.
        data: The training data and their terms of use.
        backbone_weights: The initial weights of the backbone, their origin and licence.
        recipe: The configs, relative to the root of the repository.
        commit: The commit at which it was trained.
        date: The date of training, YYYY-MM-DD.
        measures: Its results.
        parameters: Number of parameters.
        macs: Multiply-accumulates per image at the input size.
        milliseconds: Time per image by engine, on one thread of ``processor``.
        processor: The processor on which the times were measured.
        licence: The terms of the weights.
        file: The weights file: below the package, below ``weights/`` beside it, or None if the
            weights cannot be distributed.
        sha256: SHA-256 of the file.
        size: Size of the file in bytes.
        url: The address from which the file can be downloaded, if any.
        conversion: The command that creates the file from the authors' release.
        exported: The same network as an ``.onnx`` file below the package, for prediction without
            torch, or None. ``tools/export_models.py`` creates it.
        exported_from: SHA-256 of the weights that ``exported`` was created from; it is used only
            while they are those of ``sha256``.
        exported_sha256: SHA-256 of ``exported``.
        notes: What to know before using it.
    """

    name: str
    summary: str
    task: str
    network: str
    arguments: Mapping[str, Any]
    preprocessing: Mapping[str, Any]
    data: str
    licence: str
    backbone_weights: str = ''
    recipe: tuple[str, ...] = ()
    commit: str = ''
    date: str = ''
    measures: tuple[Measures, ...] = ()
    parameters: int = 0
    macs: int = 0
    milliseconds: Mapping[str, float] = field(default_factory=dict)
    processor: str = ''
    file: str | None = None
    sha256: str = ''
    size: int = 0
    url: str = ''
    conversion: str = ''
    exported: str | None = None
    exported_from: str = ''
    exported_sha256: str = ''
    notes: tuple[str, ...] = ()

    @property
    def packaged(self) -> bool:
        """Whether the weights are installed with the package, not only part of the repository."""
        return self.file is not None and Path(self.file).parts[0] == 'zoo'

    def to_dict(self) -> dict[str, Any]:
        """Return the card as plain values, as in the JSON file."""
        return asdict(self)

    def describe(self) -> str:
        """Format the card as text for a terminal."""
        rows = [
            ('task', self.task),
            ('network', f'{self.network}, {self.parameters:,} parameters'),
            ('cost', f'{self.macs / 1e9:.2f} G multiply-accumulates an image' if self.macs else ''),
            ('time', ', '.join(f'{t:g} ms ({name})' for name, t in self.milliseconds.items())),
            ('processor', self.processor),
            ('input', _text_of_size(self.preprocessing)),
            ('trained on', self.data),
            ('backbone', self.backbone_weights),
            ('recipe', ', '.join(self.recipe)),
            ('commit', ' of '.join(filter(None, (self.commit, self.date)))),
            *((m.dataset, _text_of_measures(m)) for m in self.measures),
            ('weights', self.file or self.conversion or 'not given away'),
            ('licence', self.licence),
            *(('note', note) for note in self.notes),
        ]
        lines = [f'{name + ":":13} {value}' for name, value in rows if value]
        return '\n'.join([f'{self.name}: {self.summary}', *lines])


def list_models(task: str | None = None) -> list[str]:
    """Return the names of the models, the defaults first.

    Args:
        task: ``'saliency'`` or ``'instances'`` for the models of one task only.

    Raises:
        ValueError: The task is unknown.
    """
    if task is not None:
        require_choice('task', task, TASKS)
    names = [name for name, card in _cards().items() if task in (None, card.task)]
    defaults = list(DEFAULT_MODELS.values())
    return sorted(names, key=lambda n: (defaults.index(n) if n in defaults else len(defaults), n))


def model_card(name: str) -> ModelCard:
    """Return the card of a model.

    Raises:
        ValueError: The model is unknown; the message suggests the most similar name.
    """
    return _cards()[require_choice('model', name, list(_cards()))]


def default_model(task: str = 'saliency') -> str:
    """Return the name of the default model.

    Raises:
        ValueError: The task is unknown, or has no model yet.
    """
    name = DEFAULT_MODELS[require_choice('task', task, TASKS)]
    if name not in _cards():
        raise ValueError(
            f'There is no model for {task} in this version: name a checkpoint of your own.'
        )
    return name


@cache
def _cards() -> dict[str, ModelCard]:
    return {card.name: card for card in map(read_card, sorted(CARDS.glob('*.json')))}


def read_card(path: Path) -> ModelCard:
    """Read a card.

    Raises:
        ValueError: A field is unknown or missing; the message names the file.
    """
    values = json.loads(path.read_text('utf-8'))
    known = {f.name for f in fields(ModelCard)}
    if unknown := values.keys() - known:
        raise ValueError(f'{path} has unknown fields: {", ".join(sorted(unknown))}.')
    values['measures'] = tuple(Measures(**entry) for entry in values.get('measures', ()))
    for name in ('recipe', 'notes'):
        values[name] = tuple(values.get(name, ()))
    try:
        return ModelCard(**values)
    except TypeError as error:
        raise ValueError(f'{path} is not a model card: {error}.') from error


def _text_of_size(preprocessing: Mapping[str, Any]) -> str:
    height, width = preprocessing['size']
    return f'{height}x{width} pixels'


def _text_of_measures(measures: Measures) -> str:
    values = ', '.join(f'{key} {value:.3f}' for key, value in measures.values.items())
    return f'{values} ({measures.images:,} images, protocol {measures.protocol}, {measures.date})'
