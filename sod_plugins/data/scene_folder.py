"""Folders of scenes: images, masks and COCO instances, written once and resumable."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image
from tqdm import tqdm

from sod_plugins._common.reading import read_text
from sod_plugins._common.writing import write_text, writing
from sod_plugins.data.errors import DataError, list_files
from sod_plugins.data.instances import add_image, new_coco
from sod_plugins.data.scenes import Scene

_MANIFEST = 'manifest.json'


def write_scenes(
    out_dir: str | Path,
    parameters: dict[str, Any],
    draw: Callable[[int], Scene],
    progress: bool = False,
) -> Path:
    """Write scenes, or keep them if they already exist.

    The folder then holds ``images/*.jpg``, ``masks/*.png`` (8-bit grey, antialiased edges),
    ``annotations.json`` (COCO instances: the visible parts, as uncompressed RLE, of the single
    category ``salient``) and ``manifest.json``. Call again to complete an interrupted call.

    Args:
        out_dir: A new or empty folder, or one written by an earlier call with equal parameters.
        parameters: Everything that the scenes depend on, including ``count``; stored in the
            manifest.
        draw: Returns the scene of an index, always the same one.
        progress: Whether to show a progress bar.

    Returns:
        The folder.

    Raises:
        DataError: The folder holds anything else.
    """
    out_dir = Path(out_dir)
    if _is_complete(out_dir, parameters):
        return out_dir
    _write_json(out_dir / _MANIFEST, {**parameters, 'complete': False})
    coco = new_coco()
    count = parameters['count']
    for index in tqdm(range(count), desc='scenes', unit='scene', disable=not progress):
        scene = draw(index)
        stem = f'{index:06d}'
        with writing(out_dir / 'images' / f'{stem}.jpg') as file:
            Image.fromarray(scene.image).save(file, format='JPEG', quality=92)
        with writing(out_dir / 'masks' / f'{stem}.png') as file:
            Image.fromarray(scene.mask).save(file, format='PNG')
        visible = [scene.instances == n for n in range(1, int(scene.instances.max()) + 1)]
        size = (scene.mask.shape[0], scene.mask.shape[1])
        add_image(coco, f'{stem}.jpg', size, visible)
    _write_json(out_dir / 'annotations.json', coco)
    _write_json(out_dir / _MANIFEST, {**parameters, 'complete': True})
    return out_dir


def _is_complete(out_dir: Path, parameters: dict[str, Any]) -> bool:
    """Return whether these scenes exist; reject a folder that holds anything else."""
    if not out_dir.exists():
        return False
    if not out_dir.is_dir():
        raise DataError(f"'{out_dir}' is not a folder. Give a new or empty one.")
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
