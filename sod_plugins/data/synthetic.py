"""The built-in data set: synthetic scenes written as images, masks and COCO instances."""

from __future__ import annotations

from pathlib import Path

from sod_plugins._common.choices import require_choice
from sod_plugins._common.limits import require_number, require_size
from sod_plugins._common.names import SPLITS, Split
from sod_plugins.data.errors import DataError
from sod_plugins.data.sampling import sample_rng
from sod_plugins.data.scene_folder import write_scenes
from sod_plugins.data.scenes import Scene, draw_scene

_VERSION = 1  # increase whenever the same seed gives different scenes
_LEAST_SIZE = 32
_MOST_SCENES = 10_000_000


def generate_scenes(
    out_dir: str | Path,
    count: int,
    *,
    seed: int = 0,
    size: tuple[int, int] = (120, 160),
    split: Split = 'train',
    progress: bool = False,
) -> Path:
    """Write synthetic scenes with salient objects, or keep them if they already exist.

    The folder then holds ``images/*.jpg``, ``masks/*.png`` (8-bit grey, antialiased edges),
    ``annotations.json`` (COCO instances: the visible parts, as uncompressed RLE, of the single
    category ``salient``) and ``manifest.json``. Scene i depends only on seed, split, size and i,
    so a smaller set is the beginning of a larger one. Call again to complete an interrupted call.

    Args:
        out_dir: A new or empty folder, or one written by an earlier call with equal arguments.
        count: Number of scenes.
        seed: Seed of the random choices, 0 or larger.
        size: (height, width) in pixels.
        split: 'train', 'val' or 'test'; no scene occurs in two splits.
        progress: Whether to show a progress bar.

    Returns:
        The folder.

    Raises:
        DataError: An argument is out of range, or the folder holds anything else.
    """
    _check_arguments(count, seed, size, split)
    parameters = {
        'generator': f'sod_plugins synthetic scenes {_VERSION}',
        'count': count,
        'seed': seed,
        'size': list(size),
        'split': split,
    }

    def draw(index: int) -> Scene:
        # The index of the split takes the place of the draw, so splits share no scene.
        return draw_scene(sample_rng(seed, SPLITS.index(split), index), size)

    return write_scenes(out_dir, parameters, draw, progress)


def _check_arguments(count: int, seed: int, size: tuple[int, int], split: Split) -> None:
    require_number('count', count, 1, _MOST_SCENES, 'scenes', DataError)
    if seed < 0:
        raise DataError(f'seed is {seed}. Give 0 or a positive number.')
    require_size(size, _LEAST_SIZE, error=DataError)
    require_choice('split', split, SPLITS, DataError)
