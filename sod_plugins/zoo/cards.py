"""Model cards: what is known about each model, one JSON file a model in ``cards/``.

The cards are the one source of the tables in the docs, the README and the configs' metafiles.
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
# What a command or predictor takes where no model is named.
DEFAULT_MODELS = {'saliency': 'sod-small', 'instances': 'sod-instances'}


@dataclass(frozen=True)
class Measures:
    """What a model reaches on a data set.

    Attributes:
        dataset: The data set's name.
        protocol: The name of the protocol, see ``sod_plugins.metrics``.
        images: How many images were measured.
        date: When, as YYYY-MM-DD: how often a test set was looked at counts.
        values: The measures by their keys.
    """

    dataset: str
    protocol: str
    images: int
    date: str
    values: Mapping[str, float]


@dataclass(frozen=True)
class ModelCard:
    """What is known about a model.

    Attributes:
        name: What users call it.
        summary: One sentence.
        task: ``'saliency'`` or ``'instances'``.
        network: The network's name in ``sod_plugins.networks``.
        arguments: Its constructor arguments.
        preprocessing: Size of the input and normalisation.
        data: What it was trained on, and on which terms.
        backbone_weights: What the backbone began with, where it came from, and its licence.
        recipe: The configs, relative to the repository's root.
        commit: The commit that it was trained at.
        date: When, as YYYY-MM-DD.
        measures: What it reaches.
        parameters: How many it has.
        macs: Multiply-accumulates of an image at the size of the input.
        milliseconds: Of an image, by engine, on one thread of a processor that ``processor`` names.
        processor: What the times were measured on.
        licence: The terms of the weights.
        file: The weights: below the package, below ``weights/`` beside it, or None where they
            cannot be given away.
        sha256: Of the file.
        size: Of the file, in bytes.
        url: Where the file can be fetched, if anywhere.
        conversion: The command that makes the file of what its authors released.
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
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as the JSON file has them."""
        return asdict(self)

    def describe(self) -> str:
        """Write the card as text for a terminal."""
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
        lines = [f'{name + ":":14}{value}' for name, value in rows if value]
        return '\n'.join([f'{self.name}: {self.summary}', *lines])


def list_models(task: str | None = None) -> list[str]:
    """Return the names of the models, the defaults first.

    Args:
        task: ``'saliency'`` or ``'instances'`` for those of one task alone.

    Raises:
        ValueError: If there is no such task.
    """
    if task is not None:
        require_choice('task', task, TASKS)
    names = [name for name, card in _cards().items() if task in (None, card.task)]
    return sorted(names, key=lambda name: (name not in DEFAULT_MODELS.values(), name))


def model_card(name: str) -> ModelCard:
    """Return the card of a model.

    Raises:
        ValueError: If there is no such model; the message names the nearest.
    """
    return _cards()[require_choice('model', name, list(_cards()))]


def default_model(task: str = 'saliency') -> str:
    """Return the name of the model that is taken where none is named.

    Raises:
        ValueError: If there is no such task, or no model of it yet.
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
        ValueError: If a field is unknown or missing; the message names the file.
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
        raise ValueError(f'{path} is no model card: {error}.') from error


def _text_of_size(preprocessing: Mapping[str, Any]) -> str:
    height, width = preprocessing['size']
    return f'{height}x{width} pixels'


def _text_of_measures(measures: Measures) -> str:
    values = ', '.join(f'{key} {value:.3f}' for key, value in measures.values.items())
    return f'{values} ({measures.images:,} images, protocol {measures.protocol}, {measures.date})'
