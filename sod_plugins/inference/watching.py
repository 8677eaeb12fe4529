"""Prediction of what comes into folders, for as long as it is asked for."""

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
    """Predict the images in folders, and go on with those that come, without end.

    An image is taken once it has stayed as it is from one look to the next, so that none is read
    while it is being copied. One that cannot be read is tried again when it has changed.

    Args:
        paths: Folders and patterns.
        out_dir: As for :func:`predict_files`.
        network: As there.
        interval: Seconds from look to look.
        backend: As there.
        device: As there.
        options: Its other arguments.

    Yields:
        What was done, after each look that found something to do; only images of that look.

    Raises:
        FileNotFoundError: A path is no folder or pattern, or the checkpoint does not exist.
        ValueError: As for :func:`predict_files`, and if a path is a single file.
    """
    for path in paths:
        if Path(path).is_file():
            raise ValueError(f"'{path}' is a file. Name folders or patterns to watch.")
        if not glob.has_magic(str(path)) and not Path(path).is_dir():
            raise FileNotFoundError(f"'{path}' is no folder or pattern. Correct the path.")
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
        except FileNotFoundError:  # nothing is there yet
            summary = PredictionSummary()
        options['overwrite'] = False
        fresh = {image for image in summary.unreadable if refused.get(image) != seen.get(image)}
        refused.update({image: seen[image] for image in fresh & seen.keys()})
        summary.unreadable = {i: summary.unreadable[i] for i in fresh}
        if summary.written or summary.unreadable:
            yield summary
        time.sleep(interval)


def _stamp(image: Path) -> _Stamp | None:
    """Return what changes when a file does; None where it is gone."""
    try:
        status = image.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns
