from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from sod_plugins.analysis import count_macs, count_parameters
from sod_plugins.cli import main
from sod_plugins.inference import SaliencyPredictor
from sod_plugins.zoo import (
    cards,
    default_model,
    find_model,
    list_models,
    load,
    model_card,
    resolver,
)
from sod_plugins.zoo.cards import ModelCard, read_card
from sod_plugins.zoo.tables import metafile_entry, models_markdown

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
        message = "is not a model card: .*'licence'"
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
    network = load(name)
    assert type(network).__name__ == card.network
    assert json.loads(json.dumps(network.arguments)) == card.arguments
    assert json.loads(json.dumps(network.preprocessing.to_dict())) == card.preprocessing
    assert count_parameters(network) == card.parameters
    assert count_macs(network, network.preprocessing.size) == card.macs


@pytest.mark.parametrize(
    'use',
    [
        lambda name: find_model(name),
        lambda name: load(name),
        lambda name: load(),
        lambda name: SaliencyPredictor(),
        lambda name: SaliencyPredictor(f'zoo:{name}'),
    ],
)
def test_a_file_that_was_changed_is_refused(use, monkeypatch, tmp_path):
    card = model_card('sod-small')
    path = tmp_path / card.file
    path.parent.mkdir(parents=True)
    path.write_bytes(find_model('sod-small').read_bytes()[:-1] + b'?')
    monkeypatch.setattr(resolver, 'PACKAGE', tmp_path)
    with pytest.raises(ValueError, match=r'is not the file of sod-small .* SHA-256 differs'):
        use('sod-small')


@pytest.mark.parametrize('words', [[], ['--model', 'sod-small']])
def test_predict_refuses_a_changed_file_before_any_work(words, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(resolver, 'sha256_of', lambda path: '0' * 64)
    assert main(['predict', 'photo.jpg', '-o', str(tmp_path / 'out'), *words]) == 2
    assert 'SHA-256 differs. Install the package again.' in capsys.readouterr().err
    assert not (tmp_path / 'out').exists()


def test_files_are_found_in_the_package_beside_it_and_by_address(toy, monkeypatch, tmp_path):
    """In the wheel, in a clone, else in the cache; without any of them it is said."""
    content = b'weights'
    known = hashlib.sha256(content).hexdigest()
    card = replace(toy, file='weights/toy.safetensors', sha256=known)
    monkeypatch.setattr(cards, '_cards', lambda: {'toy': card})
    monkeypatch.setattr(resolver, 'PACKAGE', tmp_path / 'clone/package')
    with pytest.raises(FileNotFoundError, match='they come with a clone of the repository'):
        find_model('zoo:toy')
    beside = tmp_path / 'clone' / card.file
    beside.parent.mkdir(parents=True)
    beside.write_bytes(content)
    assert find_model('zoo:toy') == beside
    inside = tmp_path / 'clone/package' / card.file
    inside.parent.mkdir(parents=True)
    inside.write_bytes(content)
    assert find_model('toy') == inside
    for path in (inside, beside):
        path.unlink()
    asked = []
    monkeypatch.setattr(resolver, 'download', lambda *words: asked.append(words) or inside)
    card = replace(card, url='https://example.org/toy.safetensors')
    assert find_model('toy') == inside
    assert asked == [(card.url, known)]


def test_the_docs_show_the_cards():
    page = (ROOT / 'docs/models.md').read_text('utf-8')
    for what, task, command in (
        ('models', 'saliency', 'sod models --markdown'),
        ('instance models', 'instances', 'sod models --task instances --markdown'),
    ):
        begin, end = f'<!-- {what}: written by `{command}` -->\n', f'<!-- end of {what} -->'
        assert f'{begin}{models_markdown(task)}{end}' in page, f'run `{command}`'


@pytest.mark.parametrize('name', [n for n in list_models() if model_card(n).recipe])
def test_the_metafiles_have_results_and_weights_of_the_cards(name):
    yaml = pytest.importorskip('yaml')
    card = model_card(name)
    text = (ROOT / card.recipe[-1]).with_name('metafile.yml').read_text('utf-8')
    content = yaml.safe_load(text)
    collection = content['Collections'][0]['Name']
    assert metafile_entry(card, collection) in text, 'run `sod models NAME --metafile COLLECTION`'
    configs = [model['Config'] for model in content['Models']]
    assert set(card.recipe) <= set(configs) and len(set(configs)) == len(configs)
    (entry,) = (model for model in content['Models'] if model['Config'] == card.recipe[-1])
    measured = [(m.dataset, {'protocol': m.protocol, **m.values}) for m in card.measures]
    assert [(r['Dataset'], r['Metrics']) for r in entry['Results']] == measured
    assert (ROOT / entry['Weights']).is_file()


def test_a_table_has_what_is_known(toy):
    row = '| `toy` | 0.900 / 0.050 | 210,985 | 0.00 G | 224x224 |  | Apache-2.0 |'
    assert row in models_markdown()


def test_instances_have_columns_of_their_own(monkeypatch, tmp_path):
    results = {
        'dataset': 'Penn-Fudan',
        'protocol': 'coco',
        'images': 34,
        'date': '2026-11-27',
        'values': {'mask_ap50': 0.75, 'mask_ap70': 0.5, 'mask_map': 0.4},
    }
    changes = {'task': 'instances', 'recipe': ['configs/a.py'], 'measures': [results]}
    card = read_card(write(tmp_path / 'toy.json', **changes))
    monkeypatch.setattr(cards, '_cards', lambda: {'toy': card})
    table = models_markdown('instances')
    assert table.startswith('| model | Penn-Fudan AP50 / AP70 | parameters |')
    assert '| `toy` | 0.750 / 0.500 | 210,985 |' in table
    assert models_markdown().count('\n') == 2  # no model of saliency
    entry = metafile_entry(card, 'toys')
    assert 'Task: Instance Segmentation' in entry and 'mask_ap70: 0.5' in entry
    with pytest.raises(ValueError, match='task must be one of'):
        models_markdown('classes')
