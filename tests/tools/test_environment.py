"""What the two commands say and do when something is wrong; nothing is installed here."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
import torch
from host_line import host_line
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

TOOLS = Path(__file__).resolve().parents[2] / 'tools'


@pytest.fixture(autouse=True, scope='module')
def _tools_on_path() -> Iterator[None]:
    sys.path.insert(0, str(TOOLS))
    yield
    sys.path.remove(str(TOOLS))


def test_a_failing_step_names_its_log_file_and_shows_its_end(tmp_path: Path) -> None:
    from environment import StepError, Steps

    command = [sys.executable, '-c', 'print("all the output"); raise SystemExit(3)']
    with pytest.raises(StepError) as error:
        Steps(tmp_path / 'logs').run('fail', 'Try it', command)
    log_file = tmp_path / 'logs' / 'fail.log'
    assert f'Try it (exit status 3, log file {log_file})' in str(error.value)
    assert 'all the output' in str(error.value)
    assert 'all the output' in log_file.read_text('utf-8')


def test_a_folder_that_is_no_environment_is_refused_and_kept(tmp_path: Path) -> None:
    from environment import RUN, Environment, StepError, Steps

    precious = tmp_path / 'thesis' / 'chapter.tex'
    precious.parent.mkdir()
    precious.write_text('Introduction', 'utf-8')
    with pytest.raises(StepError, match=r'thesis exists and is not a virtual environment.*--venv'):
        Environment(precious.parent, Steps(tmp_path / 'logs')).ensure(RUN)
    assert precious.read_text('utf-8') == 'Introduction'


def test_an_environment_of_the_other_line_is_refused_before_anything_is_installed(
    tmp_path: Path,
) -> None:
    from environment import OPENMMLAB, TEST, Environment, StepError, Steps

    folder = tmp_path / 'mine'
    venv.create(folder, with_pip=False, symlinks=os.name != 'nt')
    (site,) = folder.glob('lib/python*/site-packages')
    (site / 'pip.py').touch()
    (site / 'onedl_mmcv-2.3.6.dist-info').mkdir()
    metadata = 'Metadata-Version: 2.1\nName: onedl-mmcv\nVersion: 2.3.6\n'
    (site / 'onedl_mmcv-2.3.6.dist-info' / 'METADATA').write_text(metadata, 'utf-8')
    steps = Steps(tmp_path / 'logs')
    with pytest.raises(StepError, match=r'mine holds the line onedl,.*another folder with --venv'):
        Environment(folder, steps, OPENMMLAB).ensure(TEST)
    assert not steps.log_dir.exists()


def test_the_callers_python_does_not_leak_in(monkeypatch: pytest.MonkeyPatch) -> None:
    from environment import clean_environ

    monkeypatch.setenv('PYTHONPATH', '/elsewhere')
    environ = clean_environ(Path('/somewhere/bin/python'))
    assert 'PYTHONPATH' not in environ
    assert environ['PATH'].split(os.pathsep)[0] == '/somewhere/bin'


LIBRARY = 'mmcv/_ext.cpython-311-x86_64-linux-gnu.so'


def write_wheel(path: Path, *members: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, 'w') as archive:
        for member in ('mmcv/ops/__init__.py', *members):
            archive.writestr(member, '')
    return path


def test_only_a_wheel_with_ops_of_the_pinned_version_is_taken(tmp_path: Path) -> None:
    from environment.compiled_mmcv import _find_wheel

    write_wheel(tmp_path / 'onedl_mmcv-2.3.6-py2.py3-none-any.whl')
    write_wheel(tmp_path / 'onedl_mmcv-2.3.5-cp311-cp311-linux_x86_64.whl', LIBRARY)
    # Of the other line, in the version that is sought.
    write_wheel(tmp_path / 'mmcv-2.3.6-cp311-cp311-linux_x86_64.whl', LIBRARY)
    assert _find_wheel(tmp_path, 'onedl-mmcv==2.3.6') is None
    wheel = write_wheel(tmp_path / 'onedl_mmcv-2.3.6-cp311-cp311-linux_x86_64.whl', LIBRARY)
    assert _find_wheel(tmp_path, 'onedl-mmcv==2.3.6') == wheel


def test_a_wheel_compiled_against_another_torch_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from environment import OPENMMLAB, StepError, Steps, compiled_mmcv

    def refuse() -> None:
        raise StepError('it would compile')

    monkeypatch.setattr(compiled_mmcv, '_check_compiler', refuse)
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    version = OPENMMLAB.pin('mmcv').removeprefix('mmcv==')
    name = f'mmcv-{version}-cp311-cp311-linux_x86_64.whl'
    key = subprocess.run(
        [sys.executable, '-c', compiled_mmcv.KEY_CODE], capture_output=True, text=True, check=True
    ).stdout.strip()
    assert torch.__version__ in key
    other = key.replace(torch.__version__, '2.0.0+cu118')
    write_wheel(compiled_mmcv.cache_dir() / other / name, LIBRARY)
    with pytest.raises(StepError, match='it would compile'):
        compiled_mmcv.build_wheel(Path(sys.executable), OPENMMLAB, Steps(tmp_path / 'logs'))
    wheel = write_wheel(compiled_mmcv.cache_dir() / key / name, LIBRARY)
    taken = compiled_mmcv.build_wheel(Path(sys.executable), OPENMMLAB, Steps(tmp_path / 'logs'))
    assert taken == wheel


def test_the_compilation_is_refused_early_without_a_compiler(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from environment import StepError
    from environment.compiled_mmcv import _check_compiler

    monkeypatch.setenv('PATH', str(tmp_path))
    monkeypatch.delenv('CXX', raising=False)
    with pytest.raises(StepError, match=r'needs a C\+\+ compiler.*apt-get install g\+\+'):
        _check_compiler()


def pins(line: str) -> dict[str, str]:
    """Return the versions of a constraints file, by project."""
    text = (TOOLS / 'environment' / f'constraints-{line}.txt').read_text('utf-8')
    found = re.findall(r'^([\w.-]+)==(\S+)', text, re.MULTILINE)
    assert len(found) == len({canonicalize_name(project) for project, _ in found})
    return {canonicalize_name(project): version for project, version in found}


def test_the_lines_differ_in_their_hosts_and_what_numpy_1_needs_only() -> None:
    onedl, openmmlab = pins('onedl'), pins('openmmlab')
    different = {name for name in onedl.keys() & openmmlab if onedl[name] != openmmlab[name]}
    assert different == {
        *('numpy', 'numpy-typing-compat', 'ml-dtypes', 'opencv-python', 'opencv-python-headless'),
        *('pyarrow', 'setuptools'),
    }


def test_the_tests_have_every_extra() -> None:
    """A test that skips for want of one would skip on every machine."""
    from environment import LINES, TEST

    of_hosts = {extra for line in LINES.values() for extra in (line.extra, line.detection_extra)}
    offered = set(distribution('sod-plugins').metadata.get_all('Provides-Extra'))
    assert offered - of_hosts - set(TEST.extras) == {
        *('completion', 'fast', 'instances', 'numba', 'ray')  # in dev
    }


@pytest.mark.host
def test_all_that_is_installed_is_pinned() -> None:
    """The whole tree of requirements, in an environment that the test command has made."""
    from environment import LINES, TEST

    if not (Path(sys.prefix) / 'sod-environment.json').is_file():
        pytest.skip('this environment was made by other means')
    line = LINES[host_line()]
    extras = ','.join((line.detection_extra, *TEST.extras))
    installed = {'setuptools': distribution('setuptools').version}
    waiting = [Requirement(f'sod-plugins[{extras}]')]
    seen = set()
    while waiting:
        requirement = waiting.pop()
        # pip comes with Python, and mim asks for it.
        if str(requirement) in seen or requirement.name == 'pip':
            continue
        seen.add(str(requirement))
        try:
            found = distribution(requirement.name)
        except PackageNotFoundError:  # an extra of a requirement's requirement
            continue
        installed[canonicalize_name(requirement.name)] = found.version.partition('+')[0]
        for text in found.requires or ():
            inner = Requirement(text)
            environments = [{'extra': extra} for extra in requirement.extras or {''}]
            if inner.marker is None or any(map(inner.marker.evaluate, environments)):
                waiting.append(inner)
    del installed['sod-plugins']
    assert len(installed) > 50
    pinned = pins(line.name)
    assert installed == {project: pinned.get(project) for project in installed}


@pytest.mark.parametrize('command', ['quickstart.py', 'run_tests.py'])
def test_help_needs_the_standard_library_only(command: str, tmp_path: Path) -> None:
    # -S leaves site-packages out.
    done = subprocess.run(
        [sys.executable, '-S', TOOLS / command, '--help'],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert '--venv' in done.stdout
