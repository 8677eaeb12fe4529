"""What the two commands say and do when something is wrong; nothing is installed here."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

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


def test_the_callers_python_does_not_leak_in(monkeypatch: pytest.MonkeyPatch) -> None:
    from environment import clean_environ

    monkeypatch.setenv('PYTHONPATH', '/elsewhere')
    environ = clean_environ(Path('/somewhere/bin/python'))
    assert 'PYTHONPATH' not in environ
    assert environ['PATH'].split(os.pathsep)[0] == '/somewhere/bin'


def test_only_a_wheel_with_ops_of_the_pinned_version_is_taken(tmp_path: Path) -> None:
    from environment.compiled_mmcv import _find_wheel

    def write(name: str, *members: str) -> Path:
        with zipfile.ZipFile(tmp_path / name, 'w') as archive:
            for member in ('mmcv/ops/__init__.py', *members):
                archive.writestr(member, '')
        return tmp_path / name

    library = 'mmcv/_ext.cpython-311-x86_64-linux-gnu.so'
    write('onedl_mmcv-2.3.6-py2.py3-none-any.whl')
    write('onedl_mmcv-2.3.5-cp311-cp311-linux_x86_64.whl', library)
    assert _find_wheel(tmp_path, 'onedl-mmcv==2.3.6') is None
    wheel = write('onedl_mmcv-2.3.6-cp311-cp311-linux_x86_64.whl', library)
    assert _find_wheel(tmp_path, 'onedl-mmcv==2.3.6') == wheel


def test_the_compilation_is_refused_early_without_a_compiler(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from environment import StepError
    from environment.compiled_mmcv import _check_compiler

    monkeypatch.setenv('PATH', str(tmp_path))
    monkeypatch.delenv('CXX', raising=False)
    with pytest.raises(StepError, match=r'needs a C\+\+ compiler.*apt-get install g\+\+'):
        _check_compiler()


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
