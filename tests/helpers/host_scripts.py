"""The hosts' own scripts, run by processes that import nothing of this package themselves."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path


def host_script(host: str, name: str) -> Path:
    """Find a script of a host's ``tools`` folder without importing the host."""
    folder = Path(importlib.util.find_spec(host).origin).parent
    path = folder / '.mim' / 'tools' / name
    if not path.is_file():
        raise FileNotFoundError(f'{host} is installed without its {name}')
    return path


def run(script: Path | str, *words: object, cwd: Path) -> str:
    """Run a script from another folder and return what it printed."""
    words = [str(word) for word in words]
    done = subprocess.run(
        [sys.executable, str(script), *words],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout + done.stderr
