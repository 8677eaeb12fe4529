"""Inputs that several tests share."""

from __future__ import annotations

import gc
import importlib.util
import re
import signal
import socket
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import torch
from host_line import host_line, host_versions
from shared_data import shared_file
from torch import Tensor

ROOT = Path(__file__).parent.parent
IMAGENET_MEAN = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
IMAGENET_STD = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
# In the file itself or in a script that it runs.
HOST_IMPORT = re.compile(
    r'\b(import|from|importorskip\(.)\s*(mmengine|mmcv|mmseg|mmdet|sod_plugins\.(openmmlab|registry))\b'
)

# A shell starts what it runs in the background with Ctrl-C ignored, which processes inherit, and
# the tests that interrupt would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config: pytest.Config) -> None:
    """Let yapf write its grammars before several processes do, which would read them half-written.

    mmengine imports it, and only the first time on a machine does it write.
    """
    if not hasattr(config, 'workerinput') and importlib.util.find_spec('yapf'):
        importlib.import_module('yapf')


def pytest_report_header() -> str:
    """Say which line the counts below belong to."""
    versions = ', '.join(f'{project} {version}' for project, version in host_versions().items())
    return f'host line: {host_line()} ({versions or "no host is installed"})'


@pytest.hookimpl(tryfirst=True)  # before tests are chosen by their marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that meet a host; one that does so in an unseen way bears the mark itself."""
    for item in items:
        if _meets_host(item.path):
            item.add_marker('host')


@cache
def _meets_host(path: Path) -> bool:
    in_folder = ROOT / 'tests' / 'openmmlab' in path.parents
    return in_folder or bool(HOST_IMPORT.search(path.read_text('utf-8')))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Count the tests for a GPU, which a machine without one leaves out."""
    counts = Counter(
        outcome
        for outcome in ('passed', 'failed', 'error', 'skipped', 'xfailed')
        for report in terminalreporter.stats.get(outcome, ())
        if 'gpu' in getattr(report, 'keywords', ())  # a file that was not collected has none
    )
    outcomes = ', '.join(f'{count} {outcome}' for outcome, count in counts.items())
    terminalreporter.write_line(f'gpu tests: {outcomes or "none chosen"}')


def pytest_collection_finish() -> None:
    """Leave out of garbage collections what the tests imported.

    Each data set of mmengine starts one, which takes half a second among a million objects.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture
def double_precision() -> Iterator[None]:
    """Let a test compute in float64, with random numbers of its own."""
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.fixture
def restored_registry() -> Iterator[None]:
    """Let a test register measures, which are gone after it."""
    from sod_plugins.metrics import registry

    measures, defaults = dict(registry.MEASURES), list(registry._DEFAULT_KEYS)
    yield
    registry.MEASURES.clear()
    registry.MEASURES.update(measures)
    registry._DEFAULT_KEYS[:] = defaults


@pytest.fixture
def free_port() -> int:
    """A port at which processes can meet."""
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def msra10k() -> Path:
    """Folder of the real photos and masks."""
    return shared_file('data/msra10k')


@pytest.fixture(scope='session')
def released_csnet() -> tuple[Path, Path]:
    """The CSNet authors' checkpoint and its widths file."""
    return (
        shared_file('reference/csnet-L-x1.pth.tar'),
        shared_file('reference/csnet-L-x1.bin'),
    )


@pytest.fixture
def wave() -> Tensor:
    """Input (1, 3, 224, 224) of the reference values: sin(0.05 c i) + cos(0.07 c j)."""
    i = torch.arange(224, dtype=torch.float64).view(1, -1, 1)
    j = torch.arange(224, dtype=torch.float64).view(1, 1, -1)
    c = torch.arange(1, 4, dtype=torch.float64).view(3, 1, 1)
    return (torch.sin(0.05 * c * i) + torch.cos(0.07 * c * j)).float()[None]


@pytest.fixture
def disk() -> Tensor:
    """Input (1, 3, 224, 224) of the reference values: a red disk on green, normalised."""
    i = torch.arange(224).view(-1, 1)
    j = torch.arange(224).view(1, -1)
    inside = (i - 112) ** 2 + (j - 112) ** 2 < 56**2
    red = torch.tensor([0.85, 0.20, 0.15]).view(3, 1, 1)
    green = torch.tensor([0.25, 0.45, 0.20]).view(3, 1, 1)
    return ((torch.where(inside, red, green) - IMAGENET_MEAN) / IMAGENET_STD)[None]


@pytest.fixture
def linspace() -> Tensor:
    """Input (1, 3, 224, 224) of the reference values: a ramp from -2 to 2 over all elements."""
    return torch.linspace(-2, 2, 3 * 224 * 224).reshape(1, 3, 224, 224)
