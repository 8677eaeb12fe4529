"""The models of this package: their weights, and the checksums of their cards."""

from __future__ import annotations

from collections.abc import Iterator

from sod_plugins.cli.doctor.finding import Finding
from sod_plugins.zoo.cards import ModelCard, list_models, model_card
from sod_plugins.zoo.resolver import local_file, verify

SECTION = 'models'
_AGAIN = 'Install the package again: pip install --force-reinstall --no-deps sod-plugins.'


def check_models() -> Iterator[Finding]:
    """Examine the files of every model against its card, without downloading any."""
    for name in list_models():
        card = model_card(name)
        yield check_weights(card)
        if card.exported is not None:
            yield check_exported(card)


def check_weights(card: ModelCard) -> Finding:
    """Examine the weights of a model."""
    if card.file is None:
        how = f' They are made by {card.conversion}' if card.conversion else ''
        return Finding(SECTION, card.name, 'note', f'weights are not distributed.{how}')
    return _check_file(card.name, card.file, card.sha256, card.size, card.packaged)


def check_exported(card: ModelCard) -> Finding:
    """Examine the exported file of a model, by which it runs without torch."""
    name = f'{card.name}, exported'
    if card.exported_from != card.sha256:
        value = 'made of other weights, so that torch is needed to predict'
        advice = f'Run python tools/export_models.py {card.name} in the checkout.'
        return Finding(SECTION, name, 'problem', value, advice)
    return _check_file(name, str(card.exported), card.exported_sha256)


def _check_file(name: str, file: str, sha256: str, size: int = 0, packaged: bool = True) -> Finding:
    path = local_file(file)
    if path is None:
        if packaged:
            return Finding(SECTION, name, 'problem', f'{file} is missing', _AGAIN)
        value = f'{file} is not installed'
        advice = 'It comes with a clone of the repository.'
        return Finding(SECTION, name, 'note', value, advice)
    found = path.stat().st_size
    if size and found != size:
        value = f'{path} has {found:,} bytes, its card says {size:,}'
        return Finding(SECTION, name, 'problem', value, _AGAIN)
    try:
        verify(path, sha256, name)
    except (ValueError, OSError) as error:
        return Finding(SECTION, name, 'problem', str(error).split(': its')[0], _AGAIN)
    return Finding(SECTION, name, 'ok', f'{found / 1e6:.1f} MB, SHA-256 as in its card')
