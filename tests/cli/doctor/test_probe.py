"""Modules that fail to import, in every way that a module can, cost the parent nothing."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from sod_plugins.cli.doctor import probe as probing
from sod_plugins.cli.doctor.probe import probe, run_child

BROKEN = {
    'toy_raises': 'raise RuntimeError("two lines,\\nof which this is one")',
    'toy_exits': 'raise SystemExit("no licence")',
    'toy_dies': 'import os; os.abort()',
    'toy_quits': 'import os; os._exit(3)',
    'toy_prints': 'import sys; print("@sod"); print("hello", file=sys.stderr)\n__version__ = "4.2"',
}


@pytest.fixture
def modules(tmp_path, monkeypatch):
    for name, source in BROKEN.items():
        (tmp_path / f'{name}.py').write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_each_module_has_its_own_result(modules):
    results = probe([*BROKEN, 'toy_absent', 'json'])
    assert list(results) == ['toy_raises', 'toy_exits', 'toy_dies', *list(results)[3:]]
    assert results['toy_raises'].error == 'RuntimeError: two lines,\nof which this is one'
    assert results['toy_exits'].error == 'SystemExit: no licence'
    assert results['toy_dies'].error == 'the import ended Python: signal SIGABRT'
    assert results['toy_quits'].error == 'the import ended Python: exit status 3'
    assert results['toy_absent'].error == "ModuleNotFoundError: No module named 'toy_absent'"
    assert (results['toy_prints'].error, results['toy_prints'].version) == (None, '4.2')
    assert results['json'].error is None
    assert not {*BROKEN, 'toy_absent'} & sys.modules.keys()


def test_an_import_without_end_is_ended(modules, monkeypatch):
    (modules / 'toy_hangs.py').write_text('import time; time.sleep(100)')
    assert run_child('probe', 'import_all', ['json', 'toy_hangs'], seconds=3) == (
        [{'module': 'json', 'version': '2.0.9'}],
        'it took longer than 3 seconds',
    )


def test_torch_tells_what_it_is_built_for():
    torch = pytest.importorskip('torch')
    facts = probe(['torch'])['torch'].facts
    assert facts['built_for'] == torch.version.cuda
    assert len(facts['devices']) == torch.cuda.device_count()


def test_facts_of_a_build_for_cuda():
    total = 7.0
    cuda = SimpleNamespace(
        get_arch_list=lambda: ['sm_90'],
        init=lambda: None,
        device_count=lambda: 1,
        get_device_capability=lambda _: (9, 0),
        get_device_name=lambda _: 'H100',
    )
    torch = SimpleNamespace(
        version=SimpleNamespace(cuda='12.8'),
        cuda=cuda,
        ones=lambda *_, **__: SimpleNamespace(sum=lambda: total),
    )
    facts = probing.FACTS['torch'](torch)
    assert facts['devices'] == [{'name': 'H100', 'capability': (9, 0)}]
    assert facts['error'] == 'cuda:0 computes a wrong sum'
    total = 8.0
    assert probing.FACTS['torch'](torch)['error'] is None
