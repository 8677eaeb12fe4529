"""Label images, polygon files and masks of instances, converted to COCO's JSON.

========== =========================================================================================
coding     what the labels of one image are
========== =========================================================================================
numbers    a label image: 0 is background, every other number (or index of a palette) an instance
colours    a label image: black is background, every other colour an instance
masks      a saliency mask: all that is above a half is one instance
polygons   a text file of the image's stem, one instance a line: ``x1 y1 x2 y2 x3 y3 ...`` in
           pixels, a vertex at (0, 0) being the outer corner of the first pixel; further polygons
           of the same instance follow after ``;``
yolo       the same with the number of a class first (it is read over), and with vertices as
           fractions of width and height
========== =========================================================================================

In text files numbers are separated by blanks or commas, and what follows ``#`` is a comment. A
label without any instance gives an image without annotations.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from sod_plugins._common.names import CODINGS
from sod_plugins.data.errors import DataError, list_problems
from sod_plugins.data.images import read_image, read_mask, read_numbers, read_size
from sod_plugins.data.instances import Coco, add_image, new_coco
from sod_plugins.data.layouts import FolderLayout, SaliencyPair, find_pairs
from sod_plugins.data.rle import Mask, decode_segmentation

_TINY = 16  # pixels; the smallest pedestrian of Penn-Fudan has 44


def convert_instances(
    root: str | Path,
    coding: str,
    *,
    image_dir: str | Path | None = None,
    label_dir: str | Path | None = None,
    list_file: str | Path | None = None,
    min_area: int | None = None,
    progress: bool = False,
) -> Coco:
    """Convert the instances of a data set to COCO's JSON.

    Args:
        root: The data set's folder.
        coding: What the labels are: a name in ``CODINGS``, which the table at the top of
            ``sod_plugins.data.instance_labels`` explains.
        image_dir: The folder of images below it, where ``find_pairs`` does not know the layout;
            beside text files ``images`` if not given.
        label_dir: The folder of labels below it, likewise; of text files ``labels``.
        list_file: A text file that selects images, also below the root.
        min_area: Regions of a label image with fewer pixels become background. By default nothing
            does, and a region of fewer than 16 pixels, or nowhere 3 pixels wide, is an error: it
            is the mark of smoothed edges, whose every colour would become an instance.
        progress: Whether to show a progress bar.

    Returns:
        The annotations; file names are relative to the folder of images.

    Raises:
        DataError: Files are missing, or labels cannot be used; one message names file, instance
            and reason of all that is wrong.
        ImportError: Polygons are converted without pycocotools.
    """
    if coding not in CODINGS:
        raise DataError(f"coding is '{coding}'. Give one of {', '.join(CODINGS)}.")
    if coding in ('polygons', 'yolo'):
        pairs = _pair_texts(Path(root), image_dir or 'images', label_dir or 'labels', list_file)
    else:
        pairs = find_pairs(root, image_dir=image_dir, mask_dir=label_dir, list_file=list_file)
    coco, problems = new_coco(), []
    for pair in tqdm(pairs, desc='convert', unit='image', disable=not progress):
        try:
            size = read_size(pair.image)
            masks = _read_labels(pair, coding, size, min_area)
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
    root: Path, image_dir: str | Path, label_dir: str | Path, list_file: str | Path | None
) -> list[SaliencyPair]:
    """Pair images with the text files of their stems."""
    layout = FolderLayout(root, image_dir=image_dir, list_file=list_file, require_masks=False)
    images = {pair.stem: pair.image for pair in layout.match().pairs}
    texts = {stem: root / label_dir / f'{stem}.txt' for stem in images}
    missing = [str(path) for path in texts.values() if not path.is_file()]
    if missing:
        raise DataError(
            f'{len(missing)} of {len(texts)} images have no label file. Write an empty one where '
            f'nothing is salient, or name the others in a list:\n{list_problems(missing)}'
        )
    return [SaliencyPair(stem, image, texts[stem]) for stem, image in images.items()]


def _read_labels(
    pair: SaliencyPair, coding: str, size: tuple[int, int], min_area: int | None
) -> Sequence[Mask]:
    """Return the pixels of each instance of an image."""
    label = pair.mask
    if label is None:
        raise DataError(f"'{pair.image}' has no label.")
    if coding in ('polygons', 'yolo'):
        return _read_polygons(label, size, with_class=coding == 'yolo')
    if coding == 'masks':
        values = (read_mask(label) > 0.5).astype(np.int64)
    elif coding == 'numbers':
        values = read_numbers(label)
    else:
        values = read_image(label).astype(np.int64) @ (1 << 16, 1 << 8, 1)
    if values.shape != size:
        raise DataError(
            f"'{label}' is {values.shape} but '{pair.image}' {size} (height, width). "
            'Export one of them again.'
        )
    if coding == 'masks':
        return [values == 1] if values.any() else []
    return _regions(label, values, coding, min_area)


def _regions(
    label: Path, values: NDArray[np.int64], coding: str, min_area: int | None
) -> list[Mask]:
    """Return the regions of a label image; refuse what smoothed edges leave."""
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
        name = f'colour #{value:06x}' if coding == 'colours' else f'number {value}'
        raise DataError(
            f"'{label}' has {len(found)} {coding}, of which {len(spurious)} cover fewer than "
            f'{_TINY} pixels or are nowhere 3 pixels wide (the smallest: {name}, {area} pixels): '
            'smoothed or compressed edges, whose colours are no instances. Export it without '
            'smoothing, or give the least area (min_area, --min-area) of an instance.'
        )
    return [values == value for value in found]


def _is_wide(mask: Mask) -> bool:
    """Whether any 3x3 pixels lie in a mask."""
    rows = mask[:-2] & mask[1:-1] & mask[2:]
    return bool((rows[:, :-2] & rows[:, 1:-1] & rows[:, 2:]).any())


def _read_polygons(path: Path, size: tuple[int, int], with_class: bool) -> list[Mask]:
    """Read an instance from each line of a text file."""
    try:
        lines = path.read_text(encoding='utf-8').splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"Cannot read '{path}': {error}. Correct or replace it.") from error
    masks, problems = [], []
    for number, line in enumerate(lines, start=1):
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
        text = text.partition(' ')[2]
    polygons = [[float(word) for word in part.split()] for part in text.split(';')]
    if with_class:
        polygons = [
            [value * (height if index % 2 else width) for index, value in enumerate(polygon)]
            for polygon in polygons
        ]
    for polygon in polygons:
        inside = all(-1e-3 <= x <= width + 1e-3 for x in polygon[::2])
        if not inside or not all(-1e-3 <= y <= height + 1e-3 for y in polygon[1::2]):
            raise ValueError(f'a vertex of it lies outside the image of {width}x{height} pixels')
    mask = decode_segmentation(polygons, size)
    if not mask.any():
        raise ValueError('its polygons cover no pixel')
    return mask
