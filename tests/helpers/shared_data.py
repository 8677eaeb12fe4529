"""Real photos and released weights, which not every machine has."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def shared_file(name: str) -> Path:
    """Return a file or folder of the shared data, or skip the test that asks for it."""
    path = Path(os.environ.get('SOD_SHARED_DIR', ROOT / '../shared')) / name
    if not path.exists():
        pytest.skip(f'needs {name} of SOD_SHARED_DIR')
    return path
