"""Write the cards as Markdown tables for the docs and the README."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from sod_plugins.zoo.cards import ModelCard, list_models, model_card
from sod_plugins.zoo.resolver import PACKAGE


@dataclass(frozen=True)
class Columns:
    """The columns of results in the table of a task."""

    datasets: tuple[str, ...]
    keys: tuple[str, str]
    titles: str
    task: str  # as model indexes name it


COLUMNS = {
    'saliency': Columns(
        ('ECSSD', 'DUTS-TE'), ('max_f', 'mae'), 'max F / MAE', 'Salient Object Detection'
    ),
    'instances': Columns(
        ('composites, held back', 'COCO, large objects', 'Penn-Fudan'),
        ('mask_ap50', 'mask_ap70'),
        'AP50 / AP70',
        'Instance Segmentation',
    ),
}


def models_markdown(task: str = 'saliency') -> str:
    """Return a table of the models of a task: their results and costs.

    Args:
        task: ``'saliency'`` or ``'instances'``.

    Raises:
        ValueError: The task is unknown.
    """
    cards = [model_card(name) for name in list_models(task)]
    columns = COLUMNS[task]
    measured = [name for name in columns.datasets if any(_results(card, name) for card in cards)]
    header = ['model', *(f'{name} {columns.titles}' for name in measured)]
    header += ['parameters', 'multiply-accumulates', 'input', 'weights', 'licence']
    rows = [header, ['---'] * len(header)]
    rows += [_row(card, measured) for card in cards]
    return '\n'.join(f'| {" | ".join(row)} |' for row in rows) + '\n'


def metafile_entry(card: ModelCard, collection: str) -> str:
    """Return the entry of a model in the ``metafile.yml`` next to its recipe.

    Args:
        card: The card of a model with a recipe, whose last stage represents the model.
        collection: The name of the collection.
    """
    config, task = card.recipe[-1], COLUMNS[card.task].task
    lines = [
        f'  - Name: {PurePosixPath(config).stem}',
        f'    In Collection: {collection}',
        f'    Config: {config}',
        '    Metadata:',
        f'      Parameters: {card.parameters}',
    ]
    if card.measures:
        lines.append('    Results:')
    for measures in card.measures:
        lines += [f'      - Task: {task}', f'        Dataset: {measures.dataset}']
        lines += ['        Metrics:', f'          protocol: {measures.protocol}']
        lines += [f'          {key}: {value}' for key, value in measures.values.items()]
    file = f'{PACKAGE.name}/{card.file}' if card.packaged else card.file
    weights = card.url or file
    return '\n'.join([*lines, *([f'    Weights: {weights}'] if weights else [])]) + '\n'


def _row(card: ModelCard, datasets: Sequence[str]) -> list[str]:
    height, width = card.preprocessing['size']
    source = card.file or card.conversion
    weights = 'with the package' if card.packaged else source and f'`{source}`'
    return [
        f'`{card.name}`',
        *(_results(card, name) for name in datasets),
        f'{card.parameters:,}',
        f'{card.macs / 1e9:.2f} G',
        f'{height}x{width}',
        weights,
        card.licence,
    ]


def _results(card: ModelCard, dataset: str) -> str:
    """Return the two main measures of a model on a data set, or an empty text."""
    keys = COLUMNS[card.task].keys
    for measures in card.measures:
        if measures.dataset == dataset and set(keys) <= measures.values.keys():
            return ' / '.join(f'{measures.values[key]:.3f}' for key in keys)
    return ''
