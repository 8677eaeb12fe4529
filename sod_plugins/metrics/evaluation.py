"""Scoring a folder of saved saliency maps against a folder of masks."""

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

from sod_plugins._common.names import ExifRule
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
from sod_plugins.metrics.saliency import ImageScores, SaliencyEvaluator, score_image

Pair = tuple[str, Path, Path]
Result = TypeVar('Result')


def evaluate_folders(
    pred_dir: str | Path,
    gt_dir: str | Path,
    *,
    protocol: str = 'pysodmetrics',
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

    Files pair by stem, so extensions may differ. Each file is decoded once; after the first
    unusable one nothing more is scored, but all that are unusable are named.

    Args:
        pred_dir: Folder of grey maps, as ``sod predict`` writes them; what else is read is said at
            ``read_prediction``.
        gt_dir: Folder of masks, of whatever kind ``sod_plugins.data.read_mask`` reads, with photos
            among them or not, or of a data set in a layout that ``find_pairs`` knows.
        protocol: Name of the protocol.
        measures: What to compute, see ``SaliencyEvaluator``.
        curves: Names of curves to record beside those that the measures need.
        list_file: A text file that selects the images, a stem or path a line, or an image's and
            its mask's path; without it, the two folders must hold the same stems.
        workers: Further processes that share the work; 0 works in this one. The scores are the
            same. (A script that sets it needs the usual ``if __name__ == '__main__'`` guard.)
        progress: Whether to show a progress bar.
        pred_prefix: What precedes the stem in the names of maps.
        pred_suffix: What follows it, such as ``'_sal'``.
        mask_prefix: What precedes the stem in the names of masks.
        mask_suffix: What follows it, such as ``'_gt'``.
        exif: Whether masks are read upright, or ``'ignore'``, as they are stored.

    Returns:
        The scores under the protocol.

    Raises:
        DataError: A file lacks its partner, cannot be read or is of another size than its
            partner (``survey`` resizes the mask instead); the message lists the files.
        ValueError: There is no such protocol or measure.
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
    protocol: str = 'pysodmetrics',
    measures: Iterable[str | Measure] | None = None,
    curves: Sequence[str] = (),
    workers: int = 0,
    progress: bool = True,
    exif: ExifRule = 'apply',
) -> Evaluation:
    """Score saved saliency maps, given as stem, map and mask, as ``evaluate_folders`` does."""
    evaluator = SaliencyEvaluator(protocol, measures, curves)
    return _evaluate(evaluator, pairs, workers, progress, exif)


def read_prediction(path: str | Path, *, full_scale: bool = False) -> NDArray[np.uint8]:
    """Read a saved saliency map by the rules of masks, but as dark as it may be.

    The table at the top of ``sod_plugins.data.images`` says what each kind of file becomes.

    Args:
        path: An image file that Pillow reads.
        full_scale: Whether a map of 0 and 1, or of 8-bit values in 16 bits, is a dark one and not
            coded so. ``evaluate_folders`` decides by whether the folder has brighter ones.

    Returns:
        uint8 array (H, W).

    Raises:
        DataError: The file cannot be read or is not grey.
    """
    levels = _levels(decode_prediction(path, full_scale=full_scale))
    return levels if levels.dtype == np.uint8 else (levels * 255).astype(np.uint8)


@dataclass(frozen=True)
class _Outcome:
    """What became of a pair: its scores or its problem, and how its map was understood.

    Attributes:
        scores: The scores; None where it was not scored.
        problem: Why it cannot be scored.
        white: The largest value that the type of the map's file holds.
        scale: The value that was taken as 1; None for a black map, which tells nothing.
    """

    scores: ImageScores | None = None
    problem: str | None = None
    white: int = 1
    scale: int | None = None


class _Scorer:
    """Scores pairs; after the first that cannot be scored, it only looks for further ones."""

    def __init__(
        self, evaluator: SaliencyEvaluator, exif: ExifRule, *, full_scale: bool = False
    ) -> None:
        self.protocol = evaluator.protocol
        # By key where a worker finds them, as functions of a user's may not be pickled.
        self.chosen = [m.key if MEASURES.get(m.key) is m else m for m in evaluator.measures]
        self.curves = evaluator.curve_names
        self.exif = exif
        self.full_scale = full_scale
        self.failed = False

    @cached_property
    def measures(self) -> tuple[Measure, ...]:
        """Return the measures, which each process looks up for itself."""
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
    """Note what makes a file unusable, and go on."""
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
    with process_pool(workers) as pool:
        outcomes = _apply(_Scorer(evaluator, exif), pairs, pool, 'score', progress)
        problems = [outcome.problem for outcome in outcomes if outcome.problem]
        if problems:
            raise DataError(
                f'{len(problems)} of {len(pairs)} pairs cannot be scored:\n'
                f'{list_problems(problems)}'
            )
        scores = {o.scores.stem: o.scores for o in outcomes if o.scores is not None}
        dark = _dark_pairs(pairs, outcomes)
        rescorer = _Scorer(evaluator, exif, full_scale=True)
        again = _apply(rescorer, dark, pool, 'dark maps', progress)
        scores |= {o.scores.stem: o.scores for o in again if o.scores is not None}
    evaluator.per_image += scores.values()
    return replace(evaluator.evaluation(), dark=tuple(stem for stem, *_ in dark))


def _dark_pairs(pairs: Sequence[Pair], outcomes: Sequence[_Outcome]) -> list[Pair]:
    """Return the pairs whose map is a dark one though it was understood as coded in few values.

    A folder in which all maps hold 0 and 1 is 0/1-coded; among brighter maps, such a map is dark.
    """
    bright = {outcome.white for outcome in outcomes if outcome.scale == outcome.white}
    return [
        pair
        for pair, outcome in zip(pairs, outcomes, strict=True)
        if outcome.scale is not None and outcome.scale < outcome.white and outcome.white in bright
    ]


def _levels(decoded: DecodedMask) -> NDArray[Any]:
    """Return a map of whole numbers as 8 bits; one of floats stays what it is."""
    if decoded.coding.startswith('float'):
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
) -> list[Result]:
    """Apply a function to every pair, in order, here or in the pool's processes."""
    if not pairs:
        return []
    results = map(function, pairs) if pool is None else pool.map(function, pairs, chunksize=8)
    return list(tqdm(results, title, total=len(pairs), unit='image', disable=not progress))
