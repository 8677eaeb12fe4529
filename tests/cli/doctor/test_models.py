from __future__ import annotations

from dataclasses import replace

import pytest

from sod_plugins.cli.doctor import models
from sod_plugins.cli.doctor.models import check_exported, check_models, check_weights
from sod_plugins.zoo import find_model, model_card, resolver


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """The default model's card and a copy of its weights, which a test may damage."""
    card = model_card('sod-small')
    path = tmp_path / card.file
    path.parent.mkdir(parents=True)
    path.write_bytes(find_model('sod-small').read_bytes())
    monkeypatch.setattr(resolver, 'PACKAGE', tmp_path)
    return card, path


def test_what_is_distributed_is_whole():
    findings = {finding.name: finding for finding in check_models()}
    assert findings['sod-small'].status == findings['sod-small, exported'].status == 'ok'
    assert findings['csnet-L-x1'].status == 'note'
    assert 'sod convert csnet' in findings['csnet-L-x1'].value


def test_a_truncated_file(copy):
    card, path = copy
    assert check_weights(card).status == 'ok'
    path.write_bytes(path.read_bytes()[:-100])
    finding = check_weights(card)
    assert (finding.status, f'{card.size - 100:,} bytes' in finding.value) == ('problem', True)


def test_a_file_with_one_other_bit(copy):
    card, path = copy
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    finding = check_weights(card)
    assert finding.status == 'problem'
    assert 'is not the file of sod-small that its card describes' in finding.value
    assert finding.advice.startswith('Install the package again')


def test_files_that_are_absent(copy):
    card, path = copy
    path.unlink()
    assert check_weights(card).status == 'problem'
    assert check_exported(card).status == 'problem'  # no copy was made of it
    beside = replace(card, file='weights/large.safetensors')
    assert check_weights(beside).status == 'note'  # the wheel leaves it out


def test_an_exported_file_of_other_weights():
    card = replace(model_card('sod-small'), exported_from='0' * 64)
    finding = check_exported(card)
    assert (finding.status, 'tools/export_models.py' in finding.advice) == ('problem', True)


def test_every_model_is_examined(monkeypatch):
    monkeypatch.setattr(models, 'list_models', lambda: ['csnet-L-x2'])
    assert [finding.name for finding in check_models()] == ['csnet-L-x2']
