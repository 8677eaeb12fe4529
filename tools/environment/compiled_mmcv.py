"""The mmcv wheel with compiled ops: compiled once, then kept in the user's cache folder.

The compilation takes 7 to 14 minutes on two cores, so its wheel outlives the environment. It is
kept apart from pip's cache, which tells it neither from the wheel without ops nor from one that was
compiled against another torch. The folder names the Python and the torch, the file's name the line.
"""

from __future__ import annotations

import os
import subprocess
import sysconfig
import tempfile
import zipfile
from pathlib import Path

from .lines import Line
from .steps import StepError, Steps, clean_environ, have_compiler

# What a compiled wheel depends on, as one folder name.
KEY_CODE = """
import sys, sysconfig, torch
print(sys.implementation.cache_tag, sysconfig.get_platform(), f'torch{torch.__version__}', sep='-')
"""


def cache_dir() -> Path:
    """Return the folder of compiled wheels, ``$XDG_CACHE_HOME/sod_plugins/wheels``."""
    base = os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache'
    return Path(base) / 'sod_plugins' / 'wheels'


def build_wheel(python: Path, line: Line, steps: Steps) -> Path:
    """Return the wheel of a line's mmcv with compiled ops; compile it unless it is at hand.

    Args:
        python: Interpreter that has torch, setuptools, wheel and ninja.
        line: The line that pins mmcv.
        steps: Runs the compilation.

    Raises:
        StepError: There is no compiler, the compilation failed, or it left the ops out.
    """
    requirement = line.pin(line.mmcv)
    key = subprocess.run(
        [python, '-c', KEY_CODE], capture_output=True, text=True, check=True
    ).stdout.strip()
    folder = cache_dir() / key
    wheel = _find_wheel(folder, requirement)
    if wheel is not None:
        print(f'==> Take the compiled {line.mmcv} from {folder}', flush=True)
        return wheel
    _check_compiler()
    folder.mkdir(parents=True, exist_ok=True)
    environ = clean_environ(python) | {'MMCV_WITH_OPS': '1'}
    environ.setdefault('MAX_JOBS', str(os.cpu_count() or 1))
    environ['CUDA_VISIBLE_DEVICES'] = ''  # CPU ops, which need no CUDA compiler
    # Many a Python hands its own -g on, which doubles the time and makes the wheel 30 MB large.
    environ['CPPFLAGS'] = f'{environ.get("CPPFLAGS", "")} -g0'.strip()  # CFLAGS would drop -O3
    with tempfile.TemporaryDirectory(dir=folder) as unfinished:
        command = [python, '-m', 'pip', 'wheel', '--no-build-isolation', '--no-cache-dir']
        command += ['--no-deps', '--wheel-dir', unfinished, requirement]
        title = f'Compile the ops of {line.mmcv} (7 to 14 minutes on two cores, once)'
        steps.run('mmcv-compile', title, command, environ)
        wheel = _find_wheel(Path(unfinished), requirement)
        if wheel is None:
            log_file = steps.log_dir / 'mmcv-compile.log'
            raise StepError(f'{line.mmcv} was built without its compiled ops; see {log_file}')
        return wheel.replace(folder / wheel.name)


def _find_wheel(folder: Path, requirement: str) -> Path | None:
    """Return the wheel of a requirement that has compiled ops, if the folder holds one."""
    project, version = requirement.split('==')
    for wheel in folder.glob(f'{project.replace("-", "_")}-{version}-*.whl'):
        with zipfile.ZipFile(wheel) as archive:
            if any(name.startswith('mmcv/_ext.') for name in archive.namelist()):
                return wheel
    return None


def _check_compiler() -> None:
    """Refuse early, not after minutes of downloads and compilation."""
    if not have_compiler():
        raise StepError(
            'mmcv needs a C++ compiler for its ops, and there is none: '
            'install one, for example with `apt-get install g++`.'
        )
    header = Path(sysconfig.get_path('include')) / 'Python.h'
    if not header.is_file():
        raise StepError(
            f"mmcv needs Python's headers for its ops, and {header} is missing: "
            'install them, for example with `apt-get install python3-dev`.'
        )
