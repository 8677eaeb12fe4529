"""Scoring a folder of saved saliency maps against a folder of masks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from sod_plugins.data import (
    DataError,
    FolderLayout,
    list_files,
    list_problems,
    listed_stems,
    read_image,
    read_mask,
)
from sod_plugins.metrics.protocols import Protocol, get_protocol
from sod_plugins.metrics.saliency import Evaluation, ImageScores, SaliencyEvaluator, score_image

Pair = tuple[str, Path, Path]
Result = TypeVar('Result')


def evaluate_folders(
    pred_dir: str | Path,
    gt_dir: str | Path,
    *,
    protocol: str = 'pysodmetrics',
    list_file: str | Path | None = None,
    workers: int = 0,
    progress: bool = True,
) -> Evaluation:
    """Score the saliency maps in one folder against the masks in another.

    Files pair by stem, so extensions may differ. Every file is decoded once before the first is
    scored, so that a damaged one costs no work.

    Args:
        pred_dir: Folder of 8-bit grey maps, as ``sod predict`` writes them.
        gt_dir: Folder of masks, of whatever kind ``sod_plugins.data.read_mask`` reads.
        protocol: Name of the protocol.
        list_file: A text file that selects the images, a stem or path a line; without it, the
            two folders must hold the same stems.
        workers: Further processes that share the work; 0 works in this one. The scores are the
            same. (A script that sets it needs the usual ``if __name__ == '__main__'`` guard.)
        progress: Whether to show progress bars.

    Returns:
        The scores under the protocol.

    Raises:
        DataError: A file lacks its partner, cannot be read or is of another size than its
            partner (``survey`` resizes the mask instead); the message lists the files.
        ValueError: There is no such protocol.
    """
    rules = get_protocol(protocol)
    pairs = _pair_files(Path(pred_dir), Path(gt_dir), list_file)
    evaluator = SaliencyEvaluator(protocol)
    with _process_pool(workers) as pool:
        found = _apply(partial(_find_problem, rules), pairs, pool, 'check', progress)
        problems = [problem for problem in found if problem]
        if problems:
            raise DataError(
                f'{len(problems)} of {len(pairs)} pairs cannot be scored:\n'
                f'{list_problems(problems)}'
            )
        evaluator.per_image += _apply(partial(_score_files, rules), pairs, pool, 'score', progress)
    return evaluator.evaluation()


def read_prediction(path: str | Path) -> NDArray[np.uint8]:
    """Read a saved saliency map.

    Returns:
        uint8 array (H, W).

    Raises:
        DataError: The file cannot be read or is not grey.
    """
    colours = read_image(path)
    if np.any(colours != colours[..., :1]):
        raise DataError(
            f"Cannot read prediction '{path}': it has colours. Save saliency maps as 8-bit grey."
        )
    return np.ascontiguousarray(colours[..., 0])


def _pair_files(pred_dir: Path, gt_dir: Path, list_file: str | Path | None) -> list[Pair]:
    """Pair predictions and masks by stem, sorted."""
    pairing = FolderLayout(image_dir=pred_dir, mask_dir=gt_dir).match()
    pairs = {pair.stem: pair for pair in pairing.pairs}
    if list_file is not None:
        stems = listed_stems(list_file)
        lonely = [stem for stem in stems if stem not in pairs]
        if lonely:
            raise DataError(
                f"The list '{list_file}' names images without prediction in '{pred_dir}' or "
                f"without mask in '{gt_dir}': {list_files(lonely)}. Predict them or correct "
                'the list.'
            )
        pairs = {stem: pairs[stem] for stem in stems}
    elif pairing.images_without_mask or pairing.masks_without_image:
        reasons = [
            f'{what}: {list_files(files)}'
            for what, files in (
                ('masks without prediction', pairing.masks_without_image),
                ('predictions without mask', pairing.images_without_mask),
            )
            if files
        ]
        raise DataError(
            f'Files lack their partner; {"; ".join(reasons)}. Add or remove files, or name the '
            'images to score in a list file.'
        )
    return [(pair.stem, pair.image, pair.mask) for pair in pairs.values() if pair.mask is not None]


def _find_problem(protocol: Protocol, pair: Pair) -> str | None:
    """Say why a pair cannot be scored; None if it can."""
    _, prediction_path, mask_path = pair
    shapes = []
    problems = []
    for path, read in ((prediction_path, read_prediction), (mask_path, read_mask)):
        try:
            shapes.append(read(path).shape)
        except DataError as error:
            problems.append(str(error))
    if not problems and shapes[0] != shapes[1] and not protocol.resizes_mask:
        sizes = ['{1}x{0}'.format(*shape) for shape in shapes]
        problems.append(
            f"'{prediction_path}' is {sizes[0]} but '{mask_path}' is {sizes[1]}. "
            "Save saliency maps at the original image's size."
        )
    return '\n'.join(problems) or None


def _score_files(protocol: Protocol, pair: Pair) -> ImageScores:
    stem, prediction_path, mask_path = pair
    return score_image(read_prediction(prediction_path), read_mask(mask_path), protocol, stem)


def _apply(
    function: Callable[[Pair], Result],
    pairs: Sequence[Pair],
    pool: Executor | None,
    title: str,
    progress: bool,
) -> list[Result]:
    """Apply a function to every pair, in order, here or in the pool's processes."""
    results = map(function, pairs) if pool is None else pool.map(function, pairs, chunksize=8)
    return list(tqdm(results, title, total=len(pairs), unit='image', disable=not progress))


def _process_pool(workers: int) -> AbstractContextManager[Executor | None]:
    # Spawned workers inherit no threads and no locks of this process.
    return ProcessPoolExecutor(workers, get_context('spawn')) if workers else nullcontext()
