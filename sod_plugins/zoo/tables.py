"""Write the cards as Markdown tables for the docs and the README."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from sod_plugins.zoo.cards import ModelCard, list_models, model_card
from sod_plugins.zoo.resolver import PACKAGE

DATASETS = ('ECSSD', 'DUTS-TE')


def models_markdown(task: str = 'saliency') -> str:
    """Return a table of the models of a task: their results and costs.

    Args:
        task: ``'saliency'`` or ``'instances'``.

    Raises:
        ValueError: The task is unknown.
    """
    cards = [model_card(name) for name in list_models(task)]
    measured = [name for name in DATASETS if any(_measures(card, name) for card in cards)]
    header = ['model', *(f'{name} max F / MAE' for name in measured)]
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
    config = card.recipe[-1]
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
        lines += ['      - Task: Salient Object Detection', f'        Dataset: {measures.dataset}']
        lines += ['        Metrics:', f'          protocol: {measures.protocol}']
        lines += [f'          {key}: {value}' for key, value in measures.values.items()]
    weights = card.url or (card.file and f'{PACKAGE.name}/{card.file}')
    return '\n'.join([*lines, *([f'    Weights: {weights}'] if weights else [])]) + '\n'


def _row(card: ModelCard, datasets: Sequence[str]) -> list[str]:
    height, width = card.preprocessing['size']
    weights = 'with the package' if card.file else f'`{card.conversion}`' if card.conversion else ''
    return [
        f'`{card.name}`',
        *(_measures(card, name) or '' for name in datasets),
        f'{card.parameters:,}',
        f'{card.macs / 1e9:.2f} G',
        f'{height}x{width}',
        weights,
        card.licence,
    ]


def _measures(card: ModelCard, dataset: str) -> str | None:
    for measures in card.measures:
        if measures.dataset == dataset and {'max_f', 'mae'} <= measures.values.keys():
            return f'{measures.values["max_f"]:.3f} / {measures.values["mae"]:.3f}'
    return None
