"""Convert label images, polygon files and masks of instances to COCO JSON.

========== =========================================================================================
format     of the labels of an image
========== =========================================================================================
numbers    a label image: 0 is background, every other value (or palette index) is an instance
colours    a label image: black is background, every other colour is an instance
masks      a saliency mask: all pixels above 0.5 form one instance
polygons   a text file with the stem of the image, one instance per line: ``x1 y1 x2 y2 x3 y3 ...``
           in pixels, where (0, 0) is the outer corner of the first pixel; further polygons of the
           same instance follow after ``;``
yolo       the same, preceded by a class index (which is ignored), with vertices as fractions of
           width and height; an image without a text file has no instance
========== =========================================================================================

In label images the colour that PASCAL VOC's palette has at 255, (224, 224, 192), is the border
around its objects, which belongs to none: it becomes background.

In text files numbers are separated by spaces, tabs or commas, and ``#`` starts a comment. A label
without instances yields an image without annotations. Vertices may lie half a pixel outside the
image, to allow for rounding.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from sod_plugins._common.choices import require_choice
from sod_plugins._common.names import LABEL_FORMATS
from sod_plugins.data.errors import DataError, list_problems
from sod_plugins.data.images import check_image_file, read_image
from sod_plugins.data.instances import Coco, add_image, new_coco
from sod_plugins.data.layouts import FolderLayout, SaliencyPair, find_pairs
from sod_plugins.data.masks import read_mask, read_numbers
from sod_plugins.data.names import normal
from sod_plugins.data.rle import Mask, decode_segmentation
from sod_plugins.data.texts import read_lines

_CLASS_NAMES = ('classes', 'obj')  # text files that labelling tools write beside the labels
_BEYOND = 0.5  # pixels by which rounded vertices may lie outside their image
_VOID = 0xE0E0C0  # the border around VOC's objects, number 255 of its palette
_TINY = 16  # pixels; the smallest pedestrian of Penn-Fudan has 44


def convert_instances(
    root: str | Path,
    label_format: str,
    *,
    image_dir: str | Path | None = None,
    label_dir: str | Path | None = None,
    list_file: str | Path | None = None,
    min_area: int | None = None,
    progress: bool = False,
) -> Coco:
    """Convert the instances of a data set to COCO JSON.

    Args:
        root: The folder of the data set.
        label_format: The format of the labels, a name in ``LABEL_FORMATS``, explained in the
            table above.
        image_dir: The image folder below the root, if ``find_pairs`` does not recognise the
            layout; ``images`` by default for text files.
        label_dir: The label folder below the root, if needed; ``labels`` by default for text files.
        list_file: A text file that selects images; it may also lie below the root.
        min_area: Regions of a label image with fewer pixels become background. By default nothing
            does, and a region of fewer than 16 pixels, or nowhere 3 pixels wide, is an error: it
            is a sign of smoothed edges, whose every colour would become an instance.
        progress: Whether to show a progress bar.

    Returns:
        The annotations; file names are relative to the image folder.

    Raises:
        DataError: Files are missing, or labels cannot be used. One message lists the file,
            instance and reason of every problem.
        ImportError: The labels are polygons and pycocotools is not installed.
    """
    require_choice('label_format', label_format, LABEL_FORMATS, DataError)
    if label_format in ('polygons', 'yolo'):
        pairs = _pair_texts(
            Path(root), image_dir or 'images', label_dir or 'labels', list_file, label_format
        )
    else:
        pairs = find_pairs(root, image_dir=image_dir, mask_dir=label_dir, list_file=list_file)
    coco, problems = new_coco(), []
    for pair in tqdm(pairs, desc='convert', unit='image', disable=not progress):
        try:
            size = check_image_file(pair.image)
            masks = _read_labels(pair, label_format, size, min_area)
        except DataError as error:
            problems.append(str(error))
        else:
            add_image(coco, _relative(pair.image, root, image_dir), size, masks)
    if problems:
        raise DataError(
            f'{len(problems)} of {len(pairs)} images cannot be converted:\n'
            f'{list_problems(problems)}'
        )
    return coco


def _relative(image: Path, root: str | Path, image_dir: str | Path | None) -> str:
    folder = Path(root) / image_dir if image_dir is not None else image.parent
    return image.relative_to(folder).as_posix()


def _pair_texts(
    root: Path,
    image_dir: str | Path,
    label_dir: str | Path,
    list_file: str | Path | None,
    label_format: str,
) -> list[SaliencyPair]:
    """Pair images with the text files that have the same stem."""
    layout = FolderLayout(root, image_dir=image_dir, list_file=list_file, require_masks=False)
    images = {pair.stem: pair.image for pair in layout.match().pairs}
    folder = root / label_dir
    texts = {normal(path.stem): path for path in _text_files(folder)}
    missing = [str(folder / f'{stem}.txt') for stem in images if stem not in texts]
    if missing and (label_format != 'yolo' or len(missing) == len(images)):
        raise DataError(
            f'{len(missing)} of {len(images)} images have no label file. Write an empty one where '
            f'nothing is salient, or name the others in a list:\n{list_problems(missing)}'
        )
    if label_format == 'yolo':
        everything = replace(layout, list_file=None).match().pairs
        _refuse_lonely(texts, {pair.stem for pair in everything})
    return [SaliencyPair(stem, image, texts.get(stem)) for stem, image in images.items()]


def _text_files(folder: Path) -> list[Path]:
    files = folder.iterdir() if folder.is_dir() else ()
    return [p for p in files if p.suffix.lower() == '.txt' and p.name[0] != '.']


def _refuse_lonely(texts: Mapping[str, Path], stems: Collection[str]) -> None:
    """Reject labels without an image: they may be misspelt where images may lack labels."""
    lonely = [str(texts[stem]) for stem in sorted(texts.keys() - stems) if stem not in _CLASS_NAMES]
    if lonely:
        raise DataError(
            f'{len(lonely)} label files have no image, so they would be lost. Correct or remove '
            f'them:\n{list_problems(lonely)}'
        )


def _read_labels(
    pair: SaliencyPair, label_format: str, size: tuple[int, int], min_area: int | None
) -> Sequence[Mask]:
    """Return the pixels of each instance of an image."""
    label = pair.mask
    if label is None:  # YOLO: an image without instances
        return []
    if label_format in ('polygons', 'yolo'):
        return _read_polygons(label, size, with_class=label_format == 'yolo')
    if label_format == 'masks':
        values = (read_mask(label) > 0.5).astype(np.int64)
    elif label_format == 'numbers':
        values = read_numbers(label)
        if (values == 255).any():
            values[(values == 255) & (_colours(label) == _VOID)] = 0
    else:
        values = _colours(label)
        values[values == _VOID] = 0
    if values.shape != size:
        raise DataError(
            f"'{label}' is {values.shape} but '{pair.image}' {size} (height, width). "
            'Export one of them again.'
        )
    if label_format == 'masks':
        return [values == 1] if values.any() else []
    return _regions(label, values, label_format, min_area)


def _colours(label: Path) -> NDArray[np.int64]:
    """Read the colours (H, W) of a label image, as 0xRRGGBB."""
    return read_image(label).astype(np.int64) @ (1 << 16, 1 << 8, 1)


def _regions(
    label: Path, values: NDArray[np.int64], label_format: str, min_area: int | None
) -> list[Mask]:
    """Return the regions of a label image; reject the traces of smoothed edges."""
    found, areas = np.unique(values[values != 0], return_counts=True)
    if min_area is not None:
        return [values == value for value in found[areas >= min_area]]
    spurious = [
        (int(area), int(value))
        for value, area in zip(found, areas, strict=True)
        if area < _TINY or not _is_wide(values == value)
    ]
    if spurious:
        area, value = min(spurious)
        name = f'colour #{value:06x}' if label_format == 'colours' else f'number {value}'
        raise DataError(
            f"'{label}' has {len(found)} {label_format}, of which {len(spurious)} cover fewer than "
            f'{_TINY} pixels or are nowhere 3 pixels wide (the smallest: {name}, {area} pixels): '
            'smoothed or compressed edges, whose colours are not instances. Export it without '
            'smoothing, or give the least area (min_area, --min-area) of an instance.'
        )
    return [values == value for value in found]


def _is_wide(mask: Mask) -> bool:
    """Return whether a mask contains a block of 3x3 pixels."""
    rows = mask[:-2] & mask[1:-1] & mask[2:]
    return bool((rows[:, :-2] & rows[:, 1:-1] & rows[:, 2:]).any())


def _read_polygons(path: Path, size: tuple[int, int], with_class: bool) -> list[Mask]:
    """Read an instance from each line of a text file."""
    masks, problems = [], []
    for number, line in enumerate(read_lines(path, 'labels'), start=1):
        text = line.partition('#')[0].replace(',', ' ').strip()
        if not text:
            continue
        try:
            masks.append(_parse_polygons(text, size, with_class))
        except ValueError as error:
            problems.append(f"'{path}', line {number}: {error}.")
    if problems:
        raise DataError('\n'.join(problems))
    return masks


def _parse_polygons(text: str, size: tuple[int, int], with_class: bool) -> Mask:
    height, width = size
    if with_class:
        _, *rest = text.split(maxsplit=1)
        text = ''.join(rest)
    polygons = [[float(word) for word in part.split()] for part in text.split(';')]
    for polygon in polygons:
        _check_count(len(polygon), with_class)
    if with_class:
        polygons = [
            [value * (height if index % 2 else width) for index, value in enumerate(polygon)]
            for polygon in polygons
        ]
    mask = decode_segmentation([_clipped(polygon, size) for polygon in polygons], size)
    if not mask.any():
        raise ValueError('its polygons cover no pixel')
    return mask


def _check_count(count: int, with_class: bool) -> None:
    """Raise ValueError for a row that does not hold an outline."""
    if with_class and count in (4, 5):
        confidence = ' and a confidence' if count == 5 else ''
        raise ValueError(
            f'it is a box (centre, width and height{confidence}), not an outline. Export the '
            'labels for segmentation, not for detection'
        )
    if count % 2:
        reason = ', such as the confidence of a prediction. Take it off' if with_class else ''
        raise ValueError(f'its {count} numbers are pairs of x and y and one more{reason}')
    if count < 6:
        raise ValueError(
            f'its {count // 2} vertices do not form an outline: give three points or more'
        )


def _clipped(polygon: Sequence[float], size: tuple[int, int]) -> list[float]:
    """Move vertices that rounding put outside the image to its border; reject others."""
    height, width = size
    limits = [height if index % 2 else width for index in range(len(polygon))]
    for index, (value, limit) in enumerate(zip(polygon, limits, strict=True)):
        if not -_BEYOND <= value <= limit + _BEYOND:
            raise ValueError(
                f'one of its vertices lies outside the image of {width}x{height} pixels: '
                f'{"xy"[index % 2]} is {value:g} pixels'
            )
    return [min(max(value, 0), limit) for value, limit in zip(polygon, limits, strict=True)]
