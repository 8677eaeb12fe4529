"""Salient instances in COCO's JSON: made, checked, read and split.

Boxes are COCO's ``[left, top, width, height]`` and cover whole pixels: an instance whose pixels lie
in columns 3 to 7 has left 3 and width 5. Every instance is of the one category ``salient``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sod_plugins.data.errors import DataError, list_problems
from sod_plugins.data.images import read_size
from sod_plugins.data.rle import Mask, bounding_box, decode_segmentation, encode_rle

Coco = dict[str, list[dict[str, Any]]]

_BEYOND = 1.0  # pixels by which a rounded box may leave its image


def new_coco() -> Coco:
    """Return COCO annotations without images, of the one category."""
    return {'images': [], 'annotations': [], 'categories': [{'id': 1, 'name': 'salient'}]}


def add_image(coco: Coco, file_name: str, size: tuple[int, int], masks: Iterable[Mask]) -> None:
    """Append an image and its instances; annotations count from 1, as pycocotools needs.

    Args:
        coco: What to append to.
        file_name: The image, relative to the folder of images.
        size: Its (height, width).
        masks: The pixels (H, W) of each instance, at least one each.
    """
    index = len(coco['images'])
    height, width = size
    coco['images'].append({'id': index, 'file_name': file_name, 'height': height, 'width': width})
    coco['annotations'] += [
        {
            'id': len(coco['annotations']) + number,
            'image_id': index,
            'category_id': 1,
            'segmentation': encode_rle(mask),
            'bbox': bounding_box(mask),
            'area': int(mask.sum()),
            'iscrowd': 0,
        }
        for number, mask in enumerate(masks, start=1)
    ]


def write_instances(
    path: str | Path, coco: Mapping[str, Any] | Sequence[Mapping[str, Any]]
) -> None:
    """Write COCO's JSON; the folder is made."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(coco) + '\n', encoding='utf-8')


def split_instances(coco: Coco, counts: Mapping[str, int], seed: int = 0) -> dict[str, Coco]:
    """Draw disjoint random parts of a data set; ids stay as they are.

    Args:
        coco: The whole data set. Its images are taken in the order of their names, so that the
            parts depend on names, counts and seed alone.
        counts: How many images each part gets, by its name; the rest is in no part. S4Net's are
            ``{'train': 500, 'val': 200, 'test': 300}``.
        seed: Makes another draw.

    Raises:
        DataError: A count is negative, or there are fewer images.
    """
    images = sorted(coco['images'], key=lambda image: str(image['file_name']))
    if min(counts.values()) < 0 or sum(counts.values()) > len(images):
        raise DataError(
            f'{len(images)} images cannot be split into parts of '
            f'{", ".join(map(str, counts.values()))}. Ask for fewer.'
        )
    order = np.random.default_rng(seed).permutation(len(images)).tolist()
    parts = {}
    for name, count in counts.items():
        chosen, order = sorted(order[:count]), order[count:]
        ids = {images[position]['id'] for position in chosen}
        parts[name] = {
            **coco,
            'images': [images[position] for position in chosen],
            'annotations': [a for a in coco['annotations'] if a['image_id'] in ids],
        }
    return parts


def annotations_by_image(coco: Coco) -> dict[int, list[dict[str, Any]]]:
    """Return the annotations of every image by its id, also of images without any."""
    found: dict[int, list[dict[str, Any]]] = {image['id']: [] for image in coco['images']}
    for annotation in coco['annotations']:
        found[annotation['image_id']].append(annotation)
    return found


def read_instances(
    path: str | Path, image_dir: str | Path | None = None, *, predicted: bool = False
) -> Coco:
    """Read salient instances and check every one.

    Args:
        path: COCO's JSON. All its categories count as salient.
        image_dir: The folder of images; where given, each must be readable and of its stated size.
        predicted: Whether a network made them: then boxes may lack, and masks be empty.

    Returns:
        The content of the file: ``images``, ``annotations`` and ``categories``.

    Raises:
        DataError: The file is not COCO's JSON, or anything in it cannot be used. One message names
            file, image, annotation and reason of all that is wrong.
    """
    path = Path(path)
    coco = _read_coco(path)
    problems = _image_problems(coco['images'], image_dir)
    images = {image.get('id'): image for image in coco['images']}
    seen: set[Any] = set()
    for position, annotation in enumerate(coco['annotations']):
        number = annotation.get('id', f'at position {position}')
        image = images.get(annotation.get('image_id'))
        where = f"image '{image.get('file_name')}'" if image else 'no image'
        reason = _annotation_problem(annotation, image, predicted)
        if number in seen:
            reason = 'its id occurs twice'
        seen.add(number)
        if reason:
            problems.append(f'{where}, annotation {number}: {reason}.')
    if problems:
        raise DataError(
            f"'{path}' has {len(problems)} entries that cannot be used. Correct or remove them:\n"
            f'{list_problems(problems)}'
        )
    return coco


def _read_coco(path: Path) -> Coco:
    try:
        coco = json.loads(path.read_text(encoding='utf-8'))
    except (OSError, ValueError) as error:
        raise DataError(
            f"Cannot read the instances '{path}': {error}. Correct the path."
        ) from error
    lists = ('images', 'annotations', 'categories')
    if not isinstance(coco, dict) or not all(_is_list_of_dicts(coco.get(key)) for key in lists):
        raise DataError(
            f"'{path}' is not COCO's JSON: it must hold the lists {', '.join(lists)}. "
            'Convert the data set with tools/dataset_converters/salient_instances.py.'
        )
    return coco


def _is_list_of_dicts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(entry, dict) for entry in value)


def _image_problems(images: Sequence[Mapping[str, Any]], image_dir: str | Path | None) -> list[str]:
    problems, seen = [], set()
    for position, image in enumerate(images):
        name = f"image '{image.get('file_name', f'at position {position}')}'"
        missing = {'id', 'file_name', 'height', 'width'} - image.keys()
        if missing:
            problems.append(f'{name} lacks {", ".join(sorted(missing))}.')
            continue
        if image['id'] in seen:
            problems.append(f'{name}: its id {image["id"]} occurs twice.')
        seen.add(image['id'])
        if image_dir is not None and (problem := _file_problem(image, Path(image_dir))):
            problems.append(problem)
    return problems


def _file_problem(image: Mapping[str, Any], image_dir: Path) -> str | None:
    path = image_dir / image['file_name']
    try:
        found = read_size(path)
    except DataError as error:
        return str(error)
    stated = image['height'], image['width']
    if found == stated:
        return None
    return f"image '{path}' is {found}, but stated to be {stated} (height, width)."


def _annotation_problem(
    annotation: Mapping[str, Any], image: Mapping[str, Any] | None, predicted: bool
) -> str | None:
    """Say what is wrong with an annotation; None if nothing is."""
    if image is None:
        return f'there is no image of its image_id {annotation.get("image_id")}'
    height, width = image.get('height'), image.get('width')
    if not (isinstance(height, int) and isinstance(width, int) and min(height, width) > 0):
        return f'the size {height}x{width} (height x width) of its image is no size'
    needed = {'segmentation'} if predicted else {'id', 'category_id', 'bbox', 'segmentation'}
    missing = needed - annotation.keys()
    if missing:
        return f'it lacks {", ".join(sorted(missing))}'
    try:
        mask = decode_segmentation(annotation['segmentation'], (height, width))
        if predicted:
            return None
        if problem := _box_problem(annotation['bbox'], height, width):
            return problem
        if not mask.any():
            return 'its segmentation has no pixel'
    except (ValueError, TypeError) as error:
        return str(error)
    return None


def _box_problem(box: Any, height: int, width: int) -> str | None:
    if not isinstance(box, list) or len(box) != 4 or not all(map(math.isfinite, box)):
        return f'its box {box} is not four numbers'
    left, top, box_width, box_height = box
    if box_width <= 0 or box_height <= 0:
        return f'its box {box} is empty'
    if (
        min(left, top) < -_BEYOND
        or left + box_width > width + _BEYOND
        or top + box_height > height + _BEYOND
    ):
        return f'its box {box} leaves the image of {width}x{height} (width x height)'
    return None
