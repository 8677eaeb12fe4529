"""What of the detectron2 adapter can be tested without detectron2; this is no test of it there."""

from __future__ import annotations

import ast
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ADAPTER = ROOT / 'sod_plugins/detectron2'
CONFIGS = ROOT / 'configs/detectron2'
LAZY = sorted([*CONFIGS.glob('*.py'), *CONFIGS.glob('_base_/*.py')])
YAML = sorted(CONFIGS.glob('*.yaml'))
HIDDEN = "import sys; sys.modules['detectron2'] = None; "


def public_names():
    """The names that the adapter offers, read without importing it."""
    for statement in ast.parse((ADAPTER / '__init__.py').read_text()).body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == '__all__':
            return set(ast.literal_eval(statement.value))
    raise AssertionError('no __all__')


def run(code, *paths):
    paths = os.pathsep.join(map(str, [*paths, ROOT]))
    return subprocess.run(
        [sys.executable, '-c', code],
        capture_output=True,
        text=True,
        env={**os.environ, 'PYTHONPATH': paths},
        cwd='/',
    )


def test_without_detectron2_one_sentence_says_so():
    done = run(HIDDEN + 'import sod_plugins.detectron2')
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1] == (
        'ImportError: sod_plugins.detectron2 needs detectron2: install it as '
        'https://detectron2.readthedocs.io/tutorials/install.html says.'
    )


@pytest.mark.skipif(
    importlib.util.find_spec('detectron2') is not None, reason='detectron2 is installed'
)
def test_a_folder_of_that_name_is_no_host(tmp_path):
    (tmp_path / 'detectron2').mkdir()
    done = run('import sod_plugins.detectron2', tmp_path)
    assert 'ImportError: sod_plugins.detectron2 needs detectron2' in done.stderr


def test_the_tools_name_what_is_missing(tmp_path):
    tool = ROOT / 'tools/train.py'
    words = [str(tool), str(YAML[0])]
    done = run(
        HIDDEN + f'sys.argv = {words!r}; import runpy; runpy.run_path({str(tool)!r}, '
        "run_name='__main__')"
    )
    assert done.returncode == 2
    assert done.stderr.strip().splitlines() == [
        'train.py: error: sod_plugins.detectron2 needs detectron2: install it as '
        'https://detectron2.readthedocs.io/tutorials/install.html says.'
    ]


@pytest.fixture(params=['yacs', 'fvcore'])
def cfg(request):
    """The adapter's keys in a real CfgNode."""
    pytest.importorskip('yacs')
    module = {'yacs': 'yacs.config', 'fvcore': 'fvcore.common.config'}[request.param]
    node = pytest.importorskip(module).CfgNode
    spec = importlib.util.spec_from_file_location('d2_config', ADAPTER / 'config.py')
    config = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(config)  # the package itself imports detectron2
    cfg = node()
    config.add_sod_plugins_config(cfg)
    return cfg


@pytest.mark.parametrize('path', YAML, ids=lambda path: path.name)
def test_yaml_files_fit_the_keys(path, cfg):
    content = type(cfg).load_cfg(path.read_text())
    cfg.SOD.merge_from_other_cfg(content.SOD)
    assert len(cfg.SOD.DATASETS) == 2
    assert all(cfg.SOD.INPUT_SIZE)
    assert content.INPUT.MIN_SIZE_TEST == 0  # else DefaultPredictor resizes images before
    assert {entry['name'] for entry in cfg.SOD.DATASETS} == {
        *ast.literal_eval(str(content.DATASETS.TRAIN)),
        *ast.literal_eval(str(content.DATASETS.TEST)),
    }


def test_an_unknown_key_is_refused(cfg):
    with pytest.raises((AssertionError, KeyError), match='INPUT_SISE'):  # yacs asserts
        cfg.merge_from_list(['SOD.INPUT_SISE', (3, 4)])
    cfg.SOD.BACKBONE.merge_from_other_cfg(type(cfg)({'width': 2.0}))  # arguments have any names
    assert cfg.SOD.BACKBONE.width == 2.0


@pytest.mark.parametrize('path', LAZY, ids=lambda path: path.stem)
def test_lazy_configs_compile_and_import_what_there_is(path):
    tree = ast.parse(path.read_text(), path)
    compile(tree, path, 'exec')
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom):
            continue
        names = {alias.name for alias in node.names}
        if node.level:
            module = path.parent / f'{node.module.replace(".", "/")}.py'
            assert all(name in module.read_text() for name in names), node.module
        elif node.module == 'sod_plugins.detectron2':
            assert names <= public_names()


def test_every_method_has_a_config():
    methods = {path.stem.split('_')[0].split('-')[0] for path in CONFIGS.glob('*.py')}
    assert methods == {'csnet', 'samnet', 'picanet', 'itdbu', 's4net'}
    assert {path.stem.split('-')[0].split('_')[0] for path in YAML} == {'csnet', 's4net'}


def test_public_names_are_imported():
    imported = {
        alias.asname or alias.name
        for node in ast.parse((ADAPTER / '__init__.py').read_text()).body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert public_names() <= imported
    registered = {
        node.name
        for path in ADAPTER.glob('*.py')
        for node in ast.parse(path.read_text()).body
        if isinstance(node, (ast.ClassDef, ast.FunctionDef))
        and any('_REGISTRY.register' in ast.unparse(d) for d in node.decorator_list)
    }
    assert len(registered) > 20
    assert {name for name in registered if name[0].isupper()} <= public_names()


def test_registered_names_fit_a_real_registry():
    """No two classes of one registry have the same name."""
    registry_class = pytest.importorskip('fvcore.common.registry').Registry
    registries = {}
    for path in ADAPTER.glob('*.py'):
        for node in ast.parse(path.read_text()).body:
            for decorator in map(ast.unparse, getattr(node, 'decorator_list', ())):
                if decorator.endswith('_REGISTRY.register()'):
                    name = decorator.removesuffix('.register()')
                    registry = registries.setdefault(name, registry_class(name))
                    registry.register(type(node.name, (), {}))
    assert set(registries) == {
        'BACKBONE_REGISTRY',
        'META_ARCH_REGISTRY',
        'ROI_HEADS_REGISTRY',
        'ROI_MASK_HEAD_REGISTRY',
        'SEM_SEG_HEADS_REGISTRY',
    }
