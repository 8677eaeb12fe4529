"""Watch folders, and predict the images that arrive."""

from __future__ import annotations

import glob
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sod_plugins.inference.files import PredictionSummary, predict_files
from sod_plugins.inference.runners import open_runner

_Stamp = tuple[int, int]


def watch_files(
    paths: Sequence[str | Path],
    out_dir: str | Path,
    network: Any = None,
    *,
    interval: float = 1.0,
    backend: str | None = None,
    device: Any = None,
    **options: Any,
) -> Iterator[PredictionSummary]:
    """Predict the images in folders and those that arrive later, endlessly.

    An image is used once it has not changed from one look to the next, so that no image is read
    while it is being copied. An unreadable image is tried again after it has changed.

    Args:
        paths: Folders and patterns.
        out_dir: As for :func:`predict_files`.
        network: As for :func:`predict_files`.
        interval: Seconds between looks.
        backend: As for :func:`predict_files`.
        device: As for :func:`predict_files`.
        options: Further arguments of :func:`predict_files`.

    Yields:
        The result of each look that found something to do, for the images of that look.

    Raises:
        FileNotFoundError: A path is not a folder or pattern, or the checkpoint does not exist.
        ValueError: As for :func:`predict_files`, or a path is a single file.
    """
    for path in paths:
        if Path(path).is_file():
            raise ValueError(f"'{path}' is a file. Name folders or patterns to watch.")
        if not glob.has_magic(str(path)) and not Path(path).is_dir():
            raise FileNotFoundError(f"'{path}' is not a folder or pattern. Correct the path.")
    runner = open_runner(network, backend, device)
    seen: dict[Path, _Stamp] = {}
    refused: dict[Path, _Stamp] = {}

    def ready(image: Path) -> bool:
        stamp = _stamp(image)
        settled = stamp is not None and seen.get(image) == stamp and refused.get(image) != stamp
        if stamp is not None:
            seen[image] = stamp
        return settled

    while True:
        try:
            summary = predict_files(paths, out_dir, runner, ready=ready, progress=False, **options)
        except FileNotFoundError:  # nothing has arrived yet
            summary = PredictionSummary()
        options['overwrite'] = False
        fresh = {image for image in summary.unreadable if refused.get(image) != seen.get(image)}
        refused.update({image: seen[image] for image in fresh & seen.keys()})
        summary.unreadable = {i: summary.unreadable[i] for i in fresh}
        if summary.written or summary.unreadable:
            yield summary
        time.sleep(interval)


def _stamp(image: Path) -> _Stamp | None:
    """Return a stamp that changes with the file; None if it is gone."""
    try:
        status = image.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns
