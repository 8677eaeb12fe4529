"""The built wheel is complete, and works where it is installed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

import sod_plugins

ROOT = Path(__file__).resolve().parents[1]
SHIPPED = ('configs', 'tools')
CONSTRAINTS = ROOT / 'tools' / 'environment'
DETECTION_HOST = {'onedl': 'onedl-mmdetection', 'openmmlab': 'mmdet'}


def relative_files(folder: Path) -> set[str]:
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob('*')
        if path.is_file() and '__pycache__' not in path.parts
    }


def run(*command: str | Path, cwd: Path) -> str:
    environ = {name: value for name, value in os.environ.items() if name != 'PYTHONPATH'}
    done = subprocess.run(
        command, cwd=cwd, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope='module')
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what the build needs: a build leaves its own folders beside its sources."""
    copy = tmp_path_factory.mktemp('checkout')
    for name in ('setup.py', 'pyproject.toml', 'README.md', 'LICENSE', 'model-index.yml'):
        shutil.copy(ROOT / name, copy)
    for name in ('sod_plugins', *SHIPPED):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns('__pycache__'))
    (copy / 'weights').mkdir()
    (copy / 'weights' / 'model.safetensors').write_bytes(b'weights')
    return copy


@pytest.fixture(scope='module')
def wheel(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel made the long way, checkout -> source distribution -> wheel, without network."""
    folder = tmp_path_factory.mktemp('wheel')
    run(sys.executable, 'setup.py', '-q', 'sdist', '-d', folder, cwd=checkout)
    (sdist,) = folder.glob('*.tar.gz')
    with tarfile.open(sdist) as archive:
        # The filter keeps an archive from writing elsewhere; older Pythons lack the argument.
        archive.extractall(folder, **({'filter': 'data'} if sys.version_info >= (3, 12) else {}))
    source = folder / sdist.name.removesuffix('.tar.gz')
    pip = [sys.executable, '-m', 'pip', 'wheel', '--no-build-isolation', '--no-deps', '-w', folder]
    run(*pip, source, cwd=folder)
    (wheel,) = folder.glob('*.whl')
    return wheel


def test_wheel_holds_package_configs_and_tools(checkout: Path, wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        everything = archive.namelist()
    names = {name for name in everything if name.startswith('sod_plugins/')}
    modules = {f'sod_plugins/{name}' for name in relative_files(checkout / 'sod_plugins')}
    shipped = {
        f'sod_plugins/.mim/{top}/{name}'
        for top in SHIPPED
        for name in relative_files(checkout / top)
    }
    shipped.add('sod_plugins/.mim/model-index.yml')
    assert 'sod_plugins/.mim/tools/train.py' in shipped
    assert names == modules | shipped
    assert not [name for name in everything if name.endswith('model.safetensors')]
    assert 'sod_plugins/py.typed' in names  # without it, type checkers take all for untyped


def test_building_leaves_the_package_folder_as_it_was(checkout: Path, wheel: Path) -> None:
    assert relative_files(checkout / 'sod_plugins') == relative_files(ROOT / 'sod_plugins')
    assert not any(path.is_symlink() for path in checkout.rglob('*'))


@pytest.fixture(scope='module')
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The site-packages and the interpreter of an environment that holds the wheel alone."""
    folder = tmp_path_factory.mktemp('installed')
    site, python = fresh_environment(folder)
    pip = [sys.executable, '-m', 'pip', '--python', python, 'install', '--no-deps', '--no-index']
    run(*pip, wheel, cwd=folder)
    return site, python


def test_installed_wheel_works(installed: tuple[Path, Path], tmp_path: Path) -> None:
    site, python = installed
    answer = run(python.with_name('sod'), '--version', cwd=tmp_path)
    assert answer == f'sod_plugins {sod_plugins.__version__}\n'

    with_requirements(site)
    code = (
        'import json, sod_plugins.networks as n; from importlib.metadata import version;'
        'print(json.dumps([n.__file__, version("sod-plugins"), n.CSNet.__name__]))'
    )
    file, version, name = json.loads(run(python, '-c', code, cwd=tmp_path))
    assert Path(file).is_relative_to(site)
    assert (version, name) == (sod_plugins.__version__, 'CSNet')


@pytest.mark.slow
@pytest.mark.host
def test_mim_trains_tests_and_runs_scripts(installed: tuple[Path, Path], tmp_path: Path) -> None:
    """The doors of OpenMMLab's package manager, by names alone, on the wheel."""
    pytest.importorskip('mmseg')
    site, python = installed
    with_requirements(site)
    mim = (python, '-W', 'ignore', '-m', 'mim')
    name = 'csnet-x1_1xb16-450i_synthetic-64x64'
    for split in ('train', 'val', 'test'):
        words = ['--count', '2', '--size', '48', '64', '--split', split]
        out = tmp_path / 'data/synthetic' / split
        run(python.with_name('sod'), 'data', 'synth', out, *words, cwd=tmp_path)
    single = [f'{split}_dataloader.num_workers=0' for split in ('train', 'val', 'test')]
    single += [f'{split}_dataloader.persistent_workers=False' for split in ('train', 'val')]
    options = ['--cfg-options', 'train_cfg.max_iters=2', 'default_hooks.logger.interval=1', *single]
    # mim adds .py to no name.
    words = ['sod_plugins', f'{name}.py', '--gpus', '0', '--work-dir', 'work']
    run(*mim, 'train', *words, *options, cwd=tmp_path)
    checkpoint = ['--checkpoint', 'work/iter_2.pth', '--out', 'maps']
    printed = run(*mim, 'test', *words, *checkpoint, *options, cwd=tmp_path)
    assert 'Testing finished successfully' in printed
    assert len(list((tmp_path / 'maps/maps').glob('*.png'))) == 2
    run(*mim, 'run', 'sod_plugins', 'log_to_csv', 'work', '-o', 'log.csv', cwd=tmp_path)
    assert len((tmp_path / 'log.csv').read_text().splitlines()) == 1 + 2  # iterations
    listed = 'csnet-x1_1xb24-300e_duts-224x224'
    printed = run(*mim, 'search', 'sod_plugins', '--config', listed, cwd=tmp_path)
    assert '210985' in printed


def with_requirements(site: Path) -> None:
    """Let the requirements come from the environment of the tests, the package from the wheel."""
    (site / 'requirements.pth').write_text(sysconfig.get_path('purelib') + '\n', 'utf-8')


def fresh_environment(folder: Path) -> tuple[Path, Path]:
    """Make an empty virtual environment; return its site-packages and its interpreter."""
    environment = folder / 'venv'
    venv.create(environment, with_pip=False, symlinks=os.name != 'nt')
    python = environment / ('Scripts' if os.name == 'nt' else 'bin') / 'python'
    code = 'import sysconfig; print(sysconfig.get_path("purelib"))'
    return Path(run(python, '-c', code, cwd=folder).strip()), python


def test_metadata(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith('.dist-info/METADATA'))
        metadata = archive.read(name).decode('utf-8')
        (name,) = (n for n in archive.namelist() if n.endswith('.dist-info/entry_points.txt'))
        assert 'sod = sod_plugins.cli:main' in archive.read(name).decode('utf-8')
    required = re.findall(r'^Requires-Dist: ([^;\n]+)$', metadata, re.MULTILINE)
    assert sorted(required) == ['Pillow', 'numpy', 'safetensors', 'scipy', 'torch', 'tqdm']
    extras = set(re.findall(r'^Provides-Extra: (.+)$', metadata, re.MULTILINE))
    hosts = {'onedl', 'onedl-det', 'openmmlab'}
    assert extras == hosts | {
        *(
            'export',
            'openvino',
            'numba',
            'fast',
            'ray',
            'instances',
            'report',
            'completion',
            'crf',
            'heic',
            'weights',
        ),
        *('serve', 'dev'),
    }


@pytest.mark.parametrize(('line', 'other'), [('onedl', 'openmmlab'), ('openmmlab', 'onedl')])
def test_every_requirement_is_pinned(wheel: Path, line: str, other: str) -> None:
    """A version that is pinned nowhere changes under the two commands without notice."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith('.dist-info/METADATA'))
        metadata = archive.read(name).decode('utf-8')
    required = {
        project.lower()
        for project, condition in re.findall(
            r'^Requires-Dist: ([\w-]+)[^;\n]*(.*)$', metadata, re.MULTILINE
        )
        if f'"{other}' not in condition.replace("'", '"')
    }
    text = (CONSTRAINTS / f'constraints-{line}.txt').read_text('utf-8')
    pinned = {row.split('==')[0] for row in text.splitlines() if '==' in row}
    assert {'torch', 'pytest', DETECTION_HOST[line]} <= required
    assert required - {'sod-plugins'} <= pinned


def test_the_index_names_every_metafile() -> None:
    yaml = pytest.importorskip('yaml')
    index = yaml.safe_load((ROOT / 'model-index.yml').read_text('utf-8'))
    metafiles = (ROOT / 'configs').glob('*/metafile.yml')
    assert index['Import'] == sorted(path.relative_to(ROOT).as_posix() for path in metafiles)


@pytest.mark.parametrize('metafile', sorted((ROOT / 'configs').glob('*/metafile.yml')), ids=str)
def test_metafiles_name_files_that_exist(metafile: Path) -> None:
    """Collections name their README and code, models their config."""
    yaml = pytest.importorskip('yaml')
    content = yaml.safe_load(metafile.read_text('utf-8'))
    named = [entry[key] for entry in content['Collections'] for key in ('README',)]
    named += [entry['Code']['URL'] for entry in content['Collections']]
    named += [model['Config'] for model in content['Models']]
    assert [name for name in named if not (ROOT / name).is_file()] == []
