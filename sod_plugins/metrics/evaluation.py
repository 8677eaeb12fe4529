"""Score a folder of saved saliency maps against a folder of masks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from sod_plugins._common.names import ExifRule, ProtocolName
from sod_plugins._common.workers import process_pool
from sod_plugins.data import (
    DataError,
    DecodedMask,
    decode_prediction,
    find_scored_pairs,
    list_problems,
    read_mask,
)
from sod_plugins.metrics.protocols import Protocol
from sod_plugins.metrics.registry import MEASURES, Measure, find_measures
from sod_plugins.metrics.results import Evaluation
from sod_plugins.metrics.saliency import ImageScores, SaliencyEvaluator, ScoreSummary, score_image

Pair = tuple[str, Path, Path]
Result = TypeVar('Result')


def evaluate_folders(
    pred_dir: str | Path,
    gt_dir: str | Path,
    *,
    protocol: ProtocolName = 'pysodmetrics',
    measures: Iterable[str | Measure] | None = None,
    curves: Sequence[str] = (),
    list_file: str | Path | None = None,
    workers: int = 0,
    progress: bool = True,
    pred_prefix: str = '',
    pred_suffix: str = '',
    mask_prefix: str = '',
    mask_suffix: str = '',
    exif: ExifRule = 'apply',
) -> Evaluation:
    """Score the saliency maps in one folder against the masks in another.

    Files are paired by stem, so extensions may differ. Each file is decoded once. After the first
    unusable file nothing more is scored, but the error lists all unusable files.

    Args:
        pred_dir: Folder of grey saliency maps, as ``sod predict`` writes them. For the accepted
            formats see ``read_prediction``.
        gt_dir: Folder of masks in any format that ``sod_plugins.data.read_mask`` reads, with or
            without images among them, or the root of a data set in a layout that ``find_pairs``
            recognises.
        protocol: Name of the protocol.
        measures: The measures to compute, see ``SaliencyEvaluator``.
        curves: Names of further curves to record besides those that the measures need.
        list_file: A text file that selects the images. Each line holds a stem, a path, or the
            paths of an image and its mask. Without it, both folders must hold the same stems.
        workers: Number of worker processes; 0 scores in this process. The scores do not depend on
            it. (A script that sets it needs the usual ``if __name__ == '__main__'`` guard.)
        progress: Whether to show a progress bar.
        pred_prefix: Text before the stem in the names of saliency maps.
        pred_suffix: Text after the stem in the names of saliency maps, such as ``'_sal'``.
        mask_prefix: Text before the stem in the names of masks.
        mask_suffix: Text after the stem in the names of masks, such as ``'_gt'``.
        exif: Whether to rotate masks as their EXIF orientation says; ``'ignore'`` reads them as
            stored.

    Returns:
        The scores under the protocol.

    Raises:
        DataError: A file lacks its partner, cannot be read, or differs in size from its partner
            (``survey`` resizes the mask instead). The message lists the files.
        ValueError: The protocol or a measure is unknown.
    """
    evaluator = SaliencyEvaluator(protocol, measures, curves)
    pairs = find_scored_pairs(
        pred_dir,
        gt_dir,
        list_file=list_file,
        pred_prefix=pred_prefix,
        pred_suffix=pred_suffix,
        mask_prefix=mask_prefix,
        mask_suffix=mask_suffix,
    )
    return _evaluate(evaluator, pairs, workers, progress, exif)


def evaluate_pairs(
    pairs: Sequence[Pair],
    *,
    protocol: ProtocolName = 'pysodmetrics',
    measures: Iterable[str | Measure] | None = None,
    curves: Sequence[str] = (),
    workers: int = 0,
    progress: bool = True,
    exif: ExifRule = 'apply',
) -> Evaluation:
    """Score pairs given as (stem, map, mask), as ``evaluate_folders`` does."""
    evaluator = SaliencyEvaluator(protocol, measures, curves)
    return _evaluate(evaluator, pairs, workers, progress, exif)


def read_prediction(path: str | Path, *, full_scale: bool = False) -> NDArray[np.uint8]:
    """Read a saved saliency map by the rules for masks, except that it may be dark.

    The table at the top of ``sod_plugins.data.masks`` lists what becomes of each file format.

    Args:
        path: An image file that Pillow can read.
        full_scale: Whether a map of only 0 and 1, or of 8-bit values in a 16-bit file, is a dark
            map rather than one scaled to 0..1 or 0..255. ``evaluate_folders`` sets this if the
            folder also holds brighter maps.

    Returns:
        uint8 array (H, W).

    Raises:
        DataError: The file cannot be read or is not greyscale.
    """
    levels = _levels(decode_prediction(path, full_scale=full_scale))
    return levels if levels.dtype == np.uint8 else (levels * 255).astype(np.uint8)


@dataclass(frozen=True)
class _Outcome:
    """The result for one pair: its scores or its problem, and how its map was interpreted.

    Attributes:
        scores: The scores; None if it was not scored.
        problem: Why it cannot be scored; None if it can.
        white: The largest value that the map's file format can hold.
        scale: The value taken as 1; None for a black map, which does not tell.
    """

    scores: ImageScores | None = None
    problem: str | None = None
    white: int = 1
    scale: int | None = None

    @property
    def is_small(self) -> bool:
        """Return whether the map was read as scaled to fewer values than its file can hold."""
        return self.scale is not None and self.scale < self.white


class _Scorer:
    """Scores pairs. After the first failure it only looks for further failures."""

    def __init__(
        self, evaluator: SaliencyEvaluator, exif: ExifRule, *, full_scale: bool = False
    ) -> None:
        self.protocol = evaluator.protocol
        # By key where a worker can find it, because users' functions may not be picklable.
        self.chosen = [m.key if MEASURES.get(m.key) is m else m for m in evaluator.measures]
        self.curves = evaluator.curve_names
        self.exif = exif
        self.full_scale = full_scale
        self.failed = False

    @cached_property
    def measures(self) -> tuple[Measure, ...]:
        """Return the measures, looked up separately in each process."""
        return find_measures(self.chosen)

    def __call__(self, pair: Pair) -> _Outcome:
        stem, prediction_path, mask_path = pair
        problems: list[str] = []
        decoded = mask = None
        with _collected(problems):
            decoded = decode_prediction(prediction_path, full_scale=self.full_scale)
        with _collected(problems):
            mask = read_mask(mask_path, self.exif)
        if decoded is not None and mask is not None:
            problems += _size_problems(pair, decoded.values.shape, mask.shape, self.protocol)
        self.failed |= bool(problems)
        if self.failed or decoded is None or mask is None:
            return _Outcome(problem='\n'.join(problems) or None)
        scores = score_image(
            _levels(decoded), mask, self.protocol, stem, self.measures, self.curves
        )
        scale = decoded.scale if decoded.values.any() else None
        return _Outcome(scores, None, decoded.white, scale)


@contextmanager
def _collected(problems: list[str]) -> Iterator[None]:
    """Record why a file is unusable, and go on."""
    try:
        yield
    except DataError as error:
        problems.append(str(error))


def _evaluate(
    evaluator: SaliencyEvaluator,
    pairs: Sequence[Pair],
    workers: int,
    progress: bool,
    exif: ExifRule,
) -> Evaluation:
    summary = ScoreSummary(evaluator.protocol, evaluator.measures)
    problems: list[str] = []
    small: list[tuple[Pair, _Outcome]] = []
    bright: set[int] = set()
    with process_pool(workers) as pool:
        outcomes = _apply(_Scorer(evaluator, exif), pairs, pool, 'score', progress)
        for pair, outcome in zip(pairs, outcomes, strict=True):
            if outcome.problem:
                problems.append(outcome.problem)
            elif outcome.is_small:
                small.append((pair, outcome))
            elif outcome.scores is not None:
                summary.add(outcome.scores)
                if outcome.scale == outcome.white:
                    bright.add(outcome.white)
        _refuse(problems, pairs)
        # If all maps of a folder hold only 0 and 1, 1 means white. Beside brighter maps, such a
        # map is dark.
        dark = [pair for pair, outcome in small if outcome.white in bright]
        rescorer = _Scorer(evaluator, exif, full_scale=True)
        again = list(_apply(rescorer, dark, pool, 'dark maps', progress))
    _refuse([outcome.problem for outcome in again if outcome.problem], pairs)
    for outcome in (*again, *(o for _, o in small if o.white not in bright)):
        if outcome.scores is not None:
            summary.add(outcome.scores)
    return replace(summary.evaluation(), dark=tuple(stem for stem, *_ in dark))


def _refuse(problems: Sequence[str], pairs: Sequence[Pair]) -> None:
    """Raise ``DataError`` about pairs that cannot be scored, if there are any."""
    if problems:
        raise DataError(
            f'{len(problems)} of {len(pairs)} pairs cannot be scored:\n{list_problems(problems)}'
        )


def _levels(decoded: DecodedMask) -> NDArray[Any]:
    """Round a map to 8 bits, unless its file holds floating-point values."""
    if decoded.format.startswith('float'):
        return decoded.values
    levels: NDArray[np.uint8] = np.rint(decoded.values * 255).astype(np.uint8)
    return levels


def _size_problems(
    pair: Pair, map_size: Sequence[int], mask_size: Sequence[int], protocol: Protocol
) -> list[str]:
    if map_size == mask_size or protocol.resizes_mask:
        return []
    _, prediction_path, mask_path = pair
    sizes = ['{1}x{0}'.format(*size) for size in (map_size, mask_size)]
    return [
        f"'{prediction_path}' is {sizes[0]} but '{mask_path}' is {sizes[1]}. "
        "Save saliency maps at the original image's size."
    ]


def _apply(
    function: Callable[[Pair], Result],
    pairs: Sequence[Pair],
    pool: Executor | None,
    title: str,
    progress: bool,
) -> Iterator[Result]:
    """Apply a function to every pair, in order, in this process or in the pool."""
    if pairs:
        results = map(function, pairs) if pool is None else pool.map(function, pairs, chunksize=8)
        yield from tqdm(results, title, total=len(pairs), unit='image', disable=not progress)
