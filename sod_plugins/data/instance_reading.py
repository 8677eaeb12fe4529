"""Read COCO JSON of instances as other tools write it, checking every entry.

The following deviations are accepted and converted to COCO's own form:

* ids that are integers, text, or a mixture: 7, 7.0 and ``"7"`` are the same id;
* numbers written as text or with a decimal point (sizes, boxes, polygons, scores), a number as a
  file name, and backslashes in names;
* a missing ``id``, ``category_id``, ``bbox``, ``area`` or ``iscrowd`` of an annotation, missing
  ``categories``, and further fields, which are kept;
* ``ignore`` as an alternative to ``iscrowd``: a region to ignore, which is its box if it has no
  mask;
* a single polygon instead of a list of polygons, points as pairs, and polygons of fewer than three
  points, which cover no pixel, among others.

Everything else is rejected with file, entry and reason, or left out and listed on request.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from sod_plugins._common.reading import open_regular, read_json, why
from sod_plugins.data.coco_fields import (
    check_box,
    plain,
    read_box,
    read_field,
    read_flag,
    read_id,
    read_name,
    read_score,
    read_sides,
    shown,
)
from sod_plugins.data.errors import DataError, list_problems
from sod_plugins.data.images import check_image_file
from sod_plugins.data.instances import Coco, Entry
from sod_plugins.data.rle import runs_area, runs_box, segmentation_runs, tidy_polygons


def read_instances(
    path: str | Path,
    image_dir: str | Path | None = None,
    *,
    predicted: bool = False,
    left_out: list[str] | None = None,
) -> Coco:
    """Read salient instances and check every one.

    Args:
        path: COCO JSON in any form accepted by ``sod_plugins.data.instance_reading``. All
            categories count as salient.
        image_dir: The image folder. If given, each image must be readable and of its stated size.
        predicted: Whether the instances are predictions. Then masks may be empty, and boxes may
            lie anywhere.
        left_out: If given, unusable entries are left out, and a description of each is appended to
            this list. An image is left out with all its annotations.

    Returns:
        The content of the file: ``images``, ``annotations`` and ``categories``.

    Raises:
        DataError: The file is not COCO JSON, or an entry cannot be used. One message lists the
            file, image, annotation and reason of every problem.
    """
    path = Path(path)
    coco = _read_coco(path)
    checker = _Checker(image_dir, predicted)
    images = checker.read_images(coco['images'])
    annotations = checker.read_annotations(coco['annotations'])
    if left_out is not None:
        left_out += checker.problems
    elif checker.problems:
        raise DataError(
            f"'{path}' has {len(checker.problems)} entries that cannot be used. Correct or remove "
            f'them:\n{list_problems(checker.problems)}'
        )
    return {'categories': [], **coco, 'images': images, 'annotations': annotations}


def read_json_file(path: str | Path, what: str) -> Any:
    """Return the content of a JSON file.

    Args:
        path: The file.
        what: What it should be, for the message.

    Raises:
        DataError: The file cannot be read or is not JSON.
    """
    try:
        return read_json(path)
    except OSError as error:
        raise DataError(f"Cannot read {what} '{path}': {why(error)}. Correct the path.") from error
    except ValueError as error:
        raise DataError(f'Cannot read {what}: {error}.') from error


def _read_coco(path: Path) -> dict[str, Any]:
    coco = read_json_file(path, 'the instances')
    if isinstance(coco, list):
        raise DataError(
            f"'{path}' is a list, as COCO's results are, and names no images. Give the file that "
            'holds the lists images and annotations.'
        )
    if not isinstance(coco, dict):
        raise DataError(f"'{path}' is not COCO's JSON: it holds {shown(coco)}.")
    for key in ('images', 'annotations', 'categories'):
        entries = coco.get(key, [] if key == 'categories' else None)
        if not isinstance(entries, list):
            found = f'{key} is {shown(entries)}' if key in coco else f'it has no {key}'
            raise DataError(
                f"'{path}' is not COCO's JSON, which holds the lists images and annotations: "
                f'{found}. Convert the data set with sod data instances.'
            )
        for place, entry in enumerate(entries):
            if not isinstance(entry, dict):
                raise DataError(
                    f"'{path}' is not COCO's JSON: entry {place} of {key} is {shown(entry)}, "
                    'not an object with named fields.'
                )
    return coco


class _Checker:
    """Collects the usable entries of a file, and the problems of the others.

    Attributes:
        problems: One sentence for each unusable entry.
        images: The images by id; None for an image with unusable fields.
        unusable: The ids of images whose fields or files cannot be used.
    """

    def __init__(self, image_dir: str | Path | None, predicted: bool) -> None:
        self.image_dir = image_dir
        self.predicted = predicted
        self.problems: list[str] = []
        self.images: dict[int | str, Entry | None] = {}
        self.unusable: set[int | str] = set()
        self._seen: set[int | str] = set()  # ids of annotations

    def read_images(self, entries: list[Entry]) -> list[Entry]:
        """Return the usable images in COCO's own form."""
        for place, entry in enumerate(entries):
            name = entry.get('file_name')
            where = f'image at position {place}' if name is None else f"image '{plain(name)}'"
            missing = [k for k in ('file_name', 'height', 'id', 'width') if entry.get(k) is None]
            try:
                index = None if 'id' in missing else self._new_image_id(entry)
                if index is not None:
                    self.images[index] = None
                    self.unusable.add(index)
                if missing:
                    self.problems.append(f'{where} lacks {", ".join(missing)}.')
                elif index is not None:
                    self.images[index] = self._read_image(entry, index)
                    self.unusable.remove(index)
            except DataError as error:  # its message names the file
                self.problems.append(str(error))
            except ValueError as error:
                self.problems.append(f'{where}: {error}.')
        return [i for k, i in self.images.items() if i is not None and k not in self.unusable]

    def read_annotations(self, entries: list[Entry]) -> list[Entry]:
        """Return the usable annotations in COCO's own form, each with an id."""
        usable: list[Entry] = []
        for place, entry in enumerate(entries):
            number = entry.get('id')
            what = f'annotation {f"at position {place}" if number is None else plain(number)}'
            where = 'no image'
            try:
                image = self._image_of(entry)
                if image is None:  # already reported
                    continue
                where = f"image '{plain(image['file_name'])}'"
                if number is not None:
                    self._check_new(entry)
                found = _read_annotation(entry, image, self.predicted)
                if image['id'] not in self.unusable:
                    usable.append(found)
            except ValueError as error:
                self.problems.append(f'{where}, {what}: {error}.')
        following = max((number for number in self._seen if isinstance(number, int)), default=0)
        for entry in usable:
            if entry.get('id') is None:
                following += 1
                entry['id'] = following
        return usable

    def _new_image_id(self, entry: Entry) -> int | str:
        index = read_field(entry, 'id', read_id)
        if index in self.images:
            raise ValueError(f'its id {shown(index)} occurs twice')
        return index

    def _read_image(self, entry: Entry, index: int | str) -> Entry:
        """Return an image in COCO's own form; it stays in ``images`` even if its file is bad."""
        name = _as_path(read_name(entry), self.image_dir)
        height, width = read_sides(entry)
        found = {'id': index, 'file_name': name, 'height': height, 'width': width}
        self.images[index] = {**entry, **found}
        if self.image_dir is not None:
            _check_file(Path(self.image_dir, name), (height, width))
        return {**entry, **found}

    def _image_of(self, entry: Entry) -> Entry | None:
        index = read_field(entry, 'image_id', read_id)
        if index not in self.images:
            raise ValueError(f'there is no image with its image_id {shown(index)}')
        return self.images[index]

    def _check_new(self, entry: Entry) -> None:
        """Reject an annotation id that occurred before."""
        index = read_field(entry, 'id', read_id)
        if index in self._seen:
            raise ValueError('its id occurs twice')
        self._seen.add(index)


def _as_path(name: str, image_dir: str | Path | None) -> str:
    """Return a name with forward slashes, unless a file exists under the name as written."""
    if '\\' in name and image_dir is not None:
        with suppress(OSError, ValueError):
            if Path(image_dir, name).exists():
                return name
    return name.replace('\\', '/')


def _check_file(path: Path, stated: tuple[int, int]) -> None:
    """Reject an image that cannot be read or has another size."""
    try:
        open_regular(path).close()
    except FileNotFoundError:
        pass  # check_image_file reports it in its own words
    except OSError as error:
        raise DataError(f"Cannot read image '{path}': {why(error)}.") from error
    found = check_image_file(path)
    if found != stated:
        raise DataError(f"image '{path}' is {found}, but stated to be {stated} (height, width).")


def _read_annotation(entry: Entry, image: Entry, predicted: bool) -> Entry:
    """Return an annotation in COCO's own form.

    Raises:
        ValueError: The annotation cannot be used.
    """
    height, width = image['height'], image['width']
    ignored = int(read_flag(entry, 'iscrowd') or read_flag(entry, 'ignore'))
    box = None if entry.get('bbox') is None else read_box(entry['bbox'])
    if box is not None and not predicted:
        check_box(box, height, width)
    segmentation = entry.get('segmentation')
    if not segmentation and ignored and box is not None:
        segmentation = [_rectangle(box)]
    shape = read_shape(segmentation, (height, width), box, empty=predicted)
    found = {**entry, **shape, 'image_id': image['id'], 'iscrowd': ignored}
    if entry.get('id') is not None:
        found['id'] = read_id(entry['id'])
    category = entry.get('category_id')
    if not isinstance(category, int) or not 0 <= category < 2**31:
        found['category_id'] = 1  # all categories count as salient
    if entry.get('score') is None:
        found.pop('score', None)
    else:
        found['score'] = read_score(entry)
    return found


def read_shape(
    segmentation: Any, size: tuple[int, int], box: list[float] | None, *, empty: bool
) -> Entry:
    """Return ``segmentation``, ``bbox`` and ``area`` in COCO's own form.

    Args:
        segmentation: The segmentation of an entry, in any form.
        size: (height, width) of its image.
        box: The box of the entry, [left, top, width, height]; None takes that of the mask.
        empty: Whether the mask may have no pixels.

    Raises:
        ValueError: The segmentation cannot be used.
        ImportError: The segmentation is polygons and pycocotools is not installed.
    """
    if segmentation is None:
        raise ValueError('it lacks segmentation')
    runs = segmentation_runs(segmentation, size)
    area = runs_area(runs)
    if not area and not empty:
        raise ValueError('its segmentation has no pixel')
    if isinstance(segmentation, list):
        segmentation = tidy_polygons(segmentation)
    elif isinstance(segmentation['counts'], list):
        segmentation = {'size': list(size), 'counts': runs.tolist()}
    if box is None:
        box = [*runs_box(runs, size[0])] if area else [0, 0, 0, 0]
    return {'segmentation': segmentation, 'bbox': box, 'area': area}


def _rectangle(box: list[float]) -> list[float]:
    left, top, width, height = box
    return [left, top, left + width, top, left + width, top + height, left, top + height]
