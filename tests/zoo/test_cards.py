from __future__ import annotations

import json
from pathlib import Path

import pytest

from sod_plugins.analysis import count_macs, count_parameters
from sod_plugins.zoo import cards, default_model, find_model, list_models, load, model_card
from sod_plugins.zoo.cards import ModelCard, read_card
from sod_plugins.zoo.tables import insert_table, models_markdown

ROOT = Path(__file__).resolve().parents[2]

CARD = {
    'name': 'toy',
    'summary': 'A toy.',
    'task': 'saliency',
    'network': 'CSNet',
    'arguments': {'width': 1.0},
    'preprocessing': {'size': [224, 224]},
    'data': 'none',
    'licence': 'Apache-2.0',
    'parameters': 210985,
    'measures': [
        {
            'dataset': 'ECSSD',
            'protocol': 'salmetric',
            'images': 1000,
            'date': '2026-11-26',
            'values': {'max_f': 0.9, 'mae': 0.05},
        }
    ],
}


def write(path, **changes):
    path.write_text(json.dumps({**CARD, **changes}))
    return path


@pytest.fixture
def toy(monkeypatch, tmp_path):
    """A zoo of one card."""
    card = read_card(write(tmp_path / 'toy.json'))
    monkeypatch.setattr(cards, '_cards', lambda: {'toy': card})
    return card


def test_a_card_tells_all_that_it_holds(toy):
    text = toy.describe()
    for part in ('toy: A toy.', '210,985', '224x224', 'max_f 0.900, mae 0.050 (1,000 images'):
        assert part in text
    assert ModelCard(**{**toy.to_dict(), 'measures': toy.measures}) == toy


def test_names_are_looked_up(toy):
    assert list_models() == list_models('saliency') == ['toy']
    assert list_models('instances') == []
    assert model_card('toy') is toy
    with pytest.raises(ValueError, match=r"model must be one of 'toy', got 'tay'\. Did you mean"):
        model_card('tay')
    with pytest.raises(ValueError, match="task must be one of 'saliency', 'instances', got 'x'"):
        list_models('x')
    with pytest.raises(ValueError, match='There is no model for instances in this version'):
        default_model('instances')


def test_weights_that_are_not_given_away_are_named(toy):
    with pytest.raises(ValueError, match='weights of toy do not come with this package'):
        find_model('toy')


@pytest.mark.parametrize(
    ('changes', 'message'),
    [({'colour': 'red'}, 'unknown fields: colour'), ({'licence': None}, None)],
)
def test_wrong_cards_are_named(tmp_path, changes, message):
    path = write(tmp_path / 'toy.json', **changes)
    if message is None:
        values = json.loads(path.read_text())
        del values['licence']
        path.write_text(json.dumps(values))
        message = "is no model card: .*'licence'"
    with pytest.raises(ValueError, match=message):
        read_card(path)


@pytest.mark.parametrize('name', list_models())
def test_every_card_describes_its_file(name):
    card = model_card(name)
    if card.file is None:
        assert card.conversion or card.notes
        return
    path = find_model(name)
    assert path.stat().st_size == card.size <= 10_000_000
    network = load(name)  # which compares the SHA-256
    assert type(network).__name__ == card.network
    assert json.loads(json.dumps(network.arguments)) == card.arguments
    assert json.loads(json.dumps(network.preprocessing.to_dict())) == card.preprocessing
    assert count_parameters(network) == card.parameters
    assert count_macs(network, network.preprocessing.size) == card.macs


def test_the_docs_show_the_cards():
    page = (ROOT / 'docs/models.md').read_text('utf-8')
    assert page == insert_table(page, models_markdown()), 'run `sod models --markdown`'


def test_a_table_has_what_is_known(toy):
    table = models_markdown()
    assert '| `toy` | 0.900 / 0.050 | 210,985 | 0.00 G | 224x224 |  | Apache-2.0 |' in table
    with pytest.raises(ValueError, match='The page lacks the marks'):
        insert_table('no marks', table)
