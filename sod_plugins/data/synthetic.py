"""The embedded data set: synthetic scenes written as images, masks and COCO instances."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from PIL import Image
from tqdm import tqdm

from sod_plugins._common.choices import require_choice
from sod_plugins._common.names import SPLITS
from sod_plugins._common.reading import read_text
from sod_plugins._common.writing import write_text, writing
from sod_plugins.data.errors import DataError, list_files
from sod_plugins.data.instances import add_image, new_coco
from sod_plugins.data.sampling import sample_rng
from sod_plugins.data.scenes import draw_scene

_VERSION = 1  # raise it whenever the same seed gives other scenes
_MANIFEST = 'manifest.json'
_LEAST_SIZE = 32


def generate_scenes(
    out_dir: str | Path,
    count: int,
    *,
    seed: int = 0,
    size: tuple[int, int] = (120, 160),
    split: str = 'train',
    progress: bool = False,
) -> Path:
    """Write synthetic scenes with salient objects, or keep them if they are there already.

    The folder then holds ``images/*.jpg``, ``masks/*.png`` (8-bit grey, antialiased edges),
    ``annotations.json`` (COCO instances: the visible parts, as uncompressed RLE, all of the one
    category ``salient``) and ``manifest.json``. Scene i depends on seed, split, size and i
    alone, so a smaller set is the beginning of a larger one. An interrupted call is completed
    by calling again.

    Args:
        out_dir: A new or empty folder, or one that an earlier call with the same arguments wrote.
        count: How many scenes.
        seed: Makes other scenes, 0 or larger.
        size: (height, width) in pixels.
        split: 'train', 'val' or 'test': scenes that have nothing in common.
        progress: Whether to show a progress bar.

    Returns:
        The folder.

    Raises:
        DataError: An argument is out of range, or the folder holds anything else.
    """
    _check_arguments(count, seed, size, split)
    out_dir = Path(out_dir)
    parameters = {
        'generator': f'sod_plugins synthetic scenes {_VERSION}',
        'count': count,
        'seed': seed,
        'size': list(size),
        'split': split,
    }
    if _is_complete(out_dir, parameters):
        return out_dir
    _write_json(out_dir / _MANIFEST, {**parameters, 'complete': False})
    coco = new_coco()
    for index in tqdm(range(count), desc='scenes', unit='scene', disable=not progress):
        # A split's number takes the place of the draw: splits share no scene.
        scene = draw_scene(sample_rng(seed, SPLITS.index(split), index), size)
        stem = f'{index:06d}'
        with writing(out_dir / 'images' / f'{stem}.jpg') as file:
            Image.fromarray(scene.image).save(file, format='JPEG', quality=92)
        with writing(out_dir / 'masks' / f'{stem}.png') as file:
            Image.fromarray(scene.mask).save(file, format='PNG')
        visible = [scene.instances == n for n in range(1, int(scene.instances.max()) + 1)]
        add_image(coco, f'{stem}.jpg', size, visible)
    _write_json(out_dir / 'annotations.json', coco)
    _write_json(out_dir / _MANIFEST, {**parameters, 'complete': True})
    return out_dir


def _check_arguments(count: int, seed: int, size: tuple[int, int], split: str) -> None:
    if count < 1:
        raise DataError(f'count is {count}. Ask for 1 scene or more.')
    if seed < 0:
        raise DataError(f'seed is {seed}. Give 0 or a positive number.')
    if len(size) != 2 or min(size) < _LEAST_SIZE:
        raise DataError(f'size is {size}. Give (height, width) of {_LEAST_SIZE} pixels or more.')
    require_choice('split', split, SPLITS, DataError)


def _is_complete(out_dir: Path, parameters: dict[str, Any]) -> bool:
    """Tell whether these scenes are there; refuse a folder with anything else in it."""
    if not out_dir.exists():
        return False
    if not out_dir.is_dir():
        raise DataError(f"'{out_dir}' is no folder. Give a new or empty one.")
    content = sorted(path.name for path in out_dir.iterdir())
    if not content:
        return False
    if _MANIFEST not in content:
        raise DataError(
            f"'{out_dir}' holds other files: {list_files(content)}. Give a new or empty folder."
        )
    manifest = _read_manifest(out_dir / _MANIFEST)
    other = [
        f'{name} {manifest.get(name)!r} instead of {value!r}'
        for name, value in parameters.items()
        if manifest.get(name) != value
    ]
    if other:
        raise DataError(
            f"'{out_dir}' holds other scenes: {', '.join(other)}. "
            'Give another folder, or remove this one.'
        )
    return manifest.get('complete') is True


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        manifest = json.loads(read_text(path))
    except ValueError as error:
        raise DataError(f"'{path}' is damaged ({error}). Remove its folder.") from error
    return manifest if isinstance(manifest, dict) else {}


def _write_json(path: Path, content: object) -> None:
    write_text(path, json.dumps(content) + '\n')
