"""Download files, verify their SHA-256, and keep them in a cache folder."""

from __future__ import annotations

import contextlib
import os
import re
import urllib.request
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from tqdm import tqdm

from sod_plugins._common.reading import sha256_of

CHUNK = 2**20
TIMEOUT = 30  # seconds without receiving data


def cache_dir() -> Path:
    """Return the cache folder for downloads, ``$XDG_CACHE_HOME/sod_plugins/weights``."""
    base = os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache'
    return Path(base) / 'sod_plugins' / 'weights'


def download(
    url: str, sha256: str, folder: Path | None = None, file_name: str | None = None
) -> Path:
    """Return a file from the cache, or download it there.

    A cached file is verified before it is used. An interrupted download resumes where it stopped.
    If two processes need the same file, one downloads it and the other waits.

    Args:
        url: The address of the file.
        sha256: The SHA-256 of its content, 64 hex digits; or its first digits, 8 or more, as names
            such as ``resnet50-0676ba61.pth`` hold them.
        folder: The cache folder, by default :func:`cache_dir`.
        file_name: The name in the folder, by default the first digits of the hash and the name in
            the address.

    Raises:
        ValueError: The hash is malformed.
        OSError: The file cannot be downloaded or stored, or has other content; the message says
            which.
    """
    if not re.fullmatch(r'[0-9a-f]{8,64}', sha256):
        raise ValueError(f'{url} needs the SHA-256 of its content, 64 hex digits, got {sha256!r}.')
    folder = folder or cache_dir()
    path = folder / (file_name or f'{sha256[:16]}-{Path(urlsplit(url).path).name}')
    if _holds(path, sha256):
        return path
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(path.with_name(path.name + '.lock')):
            if not _holds(path, sha256):
                _fetch(url, sha256, path)
    except PermissionError as error:
        raise PermissionError(
            f"cannot keep {url} in the cache folder '{folder}': {error.strerror}. Set "
            'XDG_CACHE_HOME to a folder that can be written to, or name a file at hand.'
        ) from error
    return path


def _holds(path: Path, sha256: str) -> bool:
    """Return whether a file exists and has the content of a hash."""
    return path.is_file() and sha256_of(path).startswith(sha256)


def _fetch(url: str, sha256: str, path: Path) -> None:
    """Download a file under a temporary name, resuming a partial download, and verify it."""
    unfinished = path.with_name(path.name + '.part')
    try:
        _go_on(url, unfinished)
    except (HTTPError, URLError, HTTPException, TimeoutError, ConnectionError) as error:
        reason = getattr(error, 'reason', None) or error
        raise OSError(
            f'cannot fetch {url}: {reason}. Without a network, get the file by other means and '
            'name its path.'
        ) from error
    if not _holds(unfinished, sha256):
        unfinished.unlink()
        raise OSError(
            f'{url} has another content than expected: its SHA-256 is not {sha256}. Try again, or '
            'get the file by other means.'
        )
    unfinished.replace(path)


def _go_on(url: str, unfinished: Path) -> None:
    done = unfinished.stat().st_size if unfinished.is_file() else 0
    request = urllib.request.Request(url, headers={'Range': f'bytes={done}-'} if done else {})
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT)
    except HTTPError as error:
        if error.code == 416 and done:  # nothing is left to download
            return
        raise
    with response:
        if done and response.status != 206:  # the server starts from the beginning
            done = 0
        length = response.headers.get('Content-Length')
        total = int(length) + done if length and length.isdecimal() else None
        with (
            unfinished.open('ab' if done else 'wb') as file,
            tqdm(total=total, initial=done, unit='B', unit_scale=True, desc=unfinished.stem) as bar,
        ):
            while chunk := response.read(CHUNK):
                file.write(chunk)
                bar.update(len(chunk))
    if total is not None and unfinished.stat().st_size < total:
        raise ConnectionError('the connection broke; run the same command again to resume')


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Wait for the lock of a file and hold it; it is released when the process ends."""
    try:
        import fcntl
    except ImportError:  # not on Windows, where the last process to rename wins
        yield
        return
    with path.open('w') as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
