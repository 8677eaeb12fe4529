"""Salient instances: the arrays of one image, and COCO JSON of many images.

COCO boxes are ``[left, top, width, height]`` and cover whole pixels: an instance whose pixels lie
in columns 3 to 7 has left 3 and width 5. All instances written by this package have the single
category ``salient``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sod_plugins._common.writing import writing_text
from sod_plugins.data.errors import DataError
from sod_plugins.data.rle import (
    Mask,
    bounding_box,
    compress_mask,
    decode_segmentation,
    encode_rle,
)

# In COCO's form; some of its tools require the supercategory.
SALIENT = {'id': 1, 'name': 'salient', 'supercategory': 'object'}

Coco = dict[str, list[dict[str, Any]]]
Entry = dict[str, Any]  # a COCO annotation


@dataclass(frozen=True, eq=False)
class Instances:
    """Salient instances of one image, best first, from a network, a file or a host.

    Attributes:
        boxes: (K, 4) x1, y1, x2, y2 in pixels of the image, x2 and y2 exclusive, float32.
        masks: (K, H, W), bool; (K, 0, 0) if only boxes are known.
        scores: (K,) in [0, 1], float32.
        labels: (K,) class indices from 0, int64; all 0 if salient is the only class.

    Raises:
        ValueError: The shapes do not match.
    """

    boxes: NDArray[np.float32]
    masks: NDArray[np.bool_]
    scores: NDArray[np.float32]
    labels: NDArray[np.int64]

    def __post_init__(self) -> None:
        count = len(self.scores)
        shapes = [np.shape(part) for part in (self.boxes, self.masks, self.scores, self.labels)]
        if len(shapes[1]) != 3 or shapes != [(count, 4), (count, *self.size), (count,), (count,)]:
            raise ValueError(
                'Instances need boxes (K, 4), masks (K, H, W), scores (K,) and labels (K,), got '
                f'{", ".join(map(str, shapes))}.'
            )

    def __len__(self) -> int:
        return len(self.scores)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the image; (0, 0) if only boxes are known."""
        return self.masks.shape[-2], self.masks.shape[-1]

    def to_coco(self) -> list[Entry]:
        """Return a COCO annotation for each instance, without ``id`` and ``image_id``.

        Boxes are rounded to a thousandth of a pixel and scores to a millionth. Masks become
        compressed RLE.
        """
        corners = self.boxes.astype(np.float64)
        sides = corners[:, 2:] - corners[:, :2]
        boxes = np.concatenate([corners[:, :2], sides], axis=1).round(3)
        entries: list[Entry] = []
        for place, (box, mask) in enumerate(zip(boxes.tolist(), self.masks, strict=True)):
            shape = {'segmentation': compress_mask(mask), 'bbox': box, 'area': int(mask.sum())}
            if not mask.size:
                shape = {'bbox': box, 'area': box[2] * box[3]}
            score = round(float(self.scores[place]), 6)
            category = int(self.labels[place]) + 1
            entries.append({'category_id': category, **shape, 'iscrowd': 0, 'score': score})
        return entries

    @classmethod
    def from_coco(cls, entries: Iterable[Mapping[str, Any]], size: tuple[int, int]) -> Instances:
        """Create the instances of one image from its annotations.

        Args:
            entries: Annotations with ``segmentation``, as ``read_instances`` returns them. A
                missing ``bbox`` is taken from the mask; missing ``score`` and ``category_id``
                are 1.
            size: (height, width) of the image.

        Raises:
            ValueError: A segmentation does not belong to an image of this size.
            ImportError: A segmentation is polygons and pycocotools is not installed.
        """
        entries = list(entries)
        masks = np.zeros((len(entries), *size), dtype=np.bool_)
        boxes = np.zeros((len(entries), 4), dtype=np.float32)
        for place, entry in enumerate(entries):
            masks[place] = decode_segmentation(entry['segmentation'], size)
            box = entry.get('bbox')
            if box is None:
                box = bounding_box(masks[place]) if masks[place].any() else (0, 0, 0, 0)
            boxes[place] = (box[0], box[1], box[0] + box[2], box[1] + box[3])
        scores = np.array([entry.get('score', 1) for entry in entries], dtype=np.float32)
        # Some tools count categories from 0.
        labels = [max(entry.get('category_id', 1) - 1, 0) for entry in entries]
        return cls(boxes, masks, scores, np.array(labels, dtype=np.int64))


def new_coco() -> Coco:
    """Return COCO annotations without images, of the single category."""
    return {'images': [], 'annotations': [], 'categories': [dict(SALIENT)]}


def add_image(coco: Coco, file_name: str, size: tuple[int, int], masks: Iterable[Mask]) -> None:
    """Append an image and its ground-truth instances, as uncompressed RLE.

    Args:
        coco: The annotations to append to.
        file_name: The image file, relative to the image folder.
        size: (height, width) of the image.
        masks: The pixels (H, W) of each instance, at least one each.
    """
    entries = [
        {
            'category_id': 1,
            'segmentation': encode_rle(mask),
            'bbox': bounding_box(mask),
            'area': int(mask.sum()),
            'iscrowd': 0,
        }
        for mask in masks
    ]
    add_entries(coco, file_name, size, entries)


def add_entries(
    coco: Coco,
    file_name: str,
    size: tuple[int, int],
    entries: Iterable[Mapping[str, Any]],
    image_id: int | str | None = None,
) -> None:
    """Append an image and its annotations, continuing their numbering.

    The cost does not depend on the number of images already present.

    Args:
        coco: The annotations to append to.
        file_name: The image file, relative to the image folder.
        size: (height, width) of the image.
        entries: Annotations, as :meth:`Instances.to_coco` returns them.
        image_id: The image's id; by default the number of images before it.
    """
    index = len(coco['images']) if image_id is None else image_id
    height, width = size
    coco['images'].append({'id': index, 'file_name': file_name, 'height': height, 'width': width})
    # Annotations count from 1: pycocotools treats an id of 0 as no match.
    first = len(coco['annotations']) + 1
    coco['annotations'] += [
        {'id': number, 'image_id': index, **entry} for number, entry in enumerate(entries, first)
    ]


def add_annotated(coco: Coco, image: Entry, annotations: Iterable[Entry]) -> None:
    """Append an image of other COCO annotations with its annotations, numbering them anew."""
    own = [
        {key: value for key, value in entry.items() if key not in ('id', 'image_id')}
        for entry in annotations
    ]
    add_entries(coco, image['file_name'], (image['height'], image['width']), own)


def write_instances(
    path: str | Path, coco: Mapping[str, Any] | Sequence[Mapping[str, Any]]
) -> None:
    """Write COCO JSON, completely or not at all; the folder is created.

    Entries are encoded one by one, each on its own line, so the whole text is never in memory.

    Raises:
        OSError: The file cannot be written; an older one is left unchanged.
    """
    with writing_text(path) as file:
        if not isinstance(coco, Mapping):
            file.writelines(_listed(coco))
        else:
            for place, (key, value) in enumerate(coco.items()):
                file.write(f'{"," if place else "{"}\n{json.dumps(key)}: ')
                file.writelines(_listed(value) if isinstance(value, list) else [json.dumps(value)])
            file.write('}' if coco else '{}')
        file.write('\n')


def _listed(entries: Sequence[Any]) -> Iterable[str]:
    yield '['
    for place, entry in enumerate(entries):
        yield f'{"," if place else ""}\n{json.dumps(entry)}'
    yield ']'


def annotations_by_image(coco: Coco) -> dict[Any, list[Entry]]:
    """Return the annotations of every image by image id, including images without any."""
    found: dict[Any, list[Entry]] = {image['id']: [] for image in coco['images']}
    for annotation in coco['annotations']:
        found[annotation['image_id']].append(annotation)
    return found


def split_instances(coco: Coco, counts: Mapping[str, int], seed: int = 0) -> dict[str, Coco]:
    """Split a data set into disjoint random parts; ids stay unchanged.

    Args:
        coco: The whole data set. Its images are sorted by name first, so the parts depend only on
            names, counts and seed.
        counts: The number of images in each part, by part name; the remaining images are in no
            part. S4Net's are ``{'train': 500, 'val': 200, 'test': 300}``.
        seed: Seed of the random split.

    Raises:
        DataError: A count is negative, or there are too few images.
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
