"""Folders that are written to: downloads, compiled functions, temporary files."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from sod_plugins._common.reading import sha256_of
from sod_plugins.checkpoints.downloads import cache_dir
from sod_plugins.cli.doctor.finding import Finding
from sod_plugins.zoo.resolver import PACKAGE

SECTION = 'folders'
LEAST_FREE = 64 << 20  # bytes; an exported network takes a few MB
# Names of cached files that hold the first digits of their SHA-256: ours, and those of torch's hub.
_NAMED_BY_HASH = (re.compile(r'([0-9a-f]{16})-'), re.compile(r'.*-([0-9a-f]{8,})\.\w+$'))


def check_folders() -> Iterator[Finding]:
    """Examine whether each folder can be written to, and what it holds."""
    yield check_folder('downloads', cache_dir(), 'Set XDG_CACHE_HOME to another folder.')
    yield from check_downloads(cache_dir())
    yield check_folder('temporary', _temporary(), 'Set TMPDIR to another folder.')
    if importlib.util.find_spec('numba') is not None:
        yield _check_numba()


def check_folder(name: str, folder: Path, advice: str) -> Finding:
    """Examine a folder, which need not exist: writing a file to it, and free space.

    Args:
        name: What it is for.
        folder: The folder.
        advice: How to choose another one.
    """
    reason = why_not_writable(folder)
    if reason is not None:
        value = f"'{folder}' cannot be written to: {reason}"
        return Finding(SECTION, name, 'problem', value, advice)
    free = shutil.disk_usage(_nearest(folder)).free
    space = f'{_megabytes(free)} free'
    if free < LEAST_FREE:
        value = f"'{folder}', only {space}"
        return Finding(SECTION, name, 'problem', value, f'Free space. {advice}')
    if not folder.exists():
        return Finding(SECTION, name, 'ok', f"'{folder}', not there yet, {space}")
    sizes = [path.stat().st_size for path in folder.glob('*') if path.is_file()]
    content = f'{len(sizes)} files, {_megabytes(sum(sizes))}'
    return Finding(SECTION, name, 'ok', f"'{folder}', {content}, {space}")


def check_downloads(folder: Path) -> Iterator[Finding]:
    """Verify the downloaded files, whose names hold the first digits of their SHA-256."""
    for path in sorted(folder.glob('*')):
        matches = (pattern.match(path.name) for pattern in _NAMED_BY_HASH)
        digits = next((match[1] for match in matches if match), None)
        if digits is None or path.suffix in ('.part', '.lock') or not path.is_file():
            continue
        if not sha256_of(path).startswith(digits):
            value = f"'{path}' is damaged: its SHA-256 differs from its name"
            advice = 'Delete it. It is downloaded again when it is needed.'
            yield Finding(SECTION, 'downloads', 'problem', value, advice)


def why_not_writable(folder: Path) -> str | None:
    """Return why no file can be written to a folder; None if one can."""
    nearest = _nearest(folder)
    if not nearest.is_dir():
        return f"'{nearest}' is a file"
    try:
        with tempfile.TemporaryFile(dir=nearest) as file:
            file.write(b'sod')
    except OSError as error:
        return error.strerror or str(error)
    return None


def _check_numba() -> Finding:
    """Examine the folders in which numba keeps compiled functions, of which it needs one."""
    advice = 'Set NUMBA_CACHE_DIR to a folder that can be written to.'
    if chosen := os.environ.get('NUMBA_CACHE_DIR'):
        return check_folder('numba', Path(chosen), advice)
    beside = PACKAGE / 'ops' / 'octave_conv' / '__pycache__'
    base = os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache'
    folders = (beside, Path(base) / 'numba')
    return next(
        (check_folder('numba', path, advice) for path in folders if why_not_writable(path) is None),
        check_folder('numba', beside, advice),
    )


def _temporary() -> Path:
    try:
        return Path(tempfile.gettempdir())
    except FileNotFoundError:  # no candidate can be written to
        return Path(os.environ.get('TMPDIR') or '/tmp')


def _nearest(folder: Path) -> Path:
    """Return the folder, or the nearest one above that exists."""
    return next(path for path in (folder, *folder.absolute().parents) if path.exists())


def _megabytes(size: int) -> str:
    return f'{size / 1e6:,.0f} MB'
