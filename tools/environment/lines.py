"""The two lines of OpenMMLab packages, which share import names: an environment holds one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .steps import ROOT


@dataclass(frozen=True)
class Line:
    """A line of OpenMMLab packages.

    Args:
        name: Names the line on the command line and its constraints file.
        mmcv: The project that installs ``mmcv``; no two lines share it.
        folder: Default folder of the environment.
        extra: Extra of this package that brings the hosts of segmentation.
        detection_extra: Extra that brings those of detection too.
        pytest_args: What selects the tests that this line runs.
    """

    name: str
    mmcv: str
    folder: Path
    extra: str
    detection_extra: str
    pytest_args: tuple[str, ...] = ()

    @property
    def constraints(self) -> Path:
        """The file that pins every version of this line."""
        return Path(__file__).with_name(f'constraints-{self.name}.txt')

    def pin(self, project: str) -> str:
        """Return the requirement ``project==version`` of the constraints file."""
        lines = self.constraints.read_text('utf-8').splitlines()
        return next(line.strip() for line in lines if line.startswith(f'{project}=='))


ONEDL = Line(
    'onedl',
    'onedl-mmcv',
    ROOT / '.venv',
    'onedl',
    'onedl-det',
    # Which need a browser, or minutes: `tools/run_tests.py --service` runs them.
    pytest_args=('-m', 'not service'),
)
OPENMMLAB = Line(
    'openmmlab',
    'mmcv',
    ROOT / '.venv-openmmlab',
    'openmmlab',
    'openmmlab',
    # What meets no host has run on the first line.
    pytest_args=('-m', 'host'),
)
LINES = {line.name: line for line in (ONEDL, OPENMMLAB)}
