"""Labels for semantic segmentation from salient instances and keywords (S4Net, Sec. 5).

The paper trains a segmentation network on images with keywords only. It says that instances matter
if an image has several keywords, and leaves the assignment to its supplement, so this package
defines its own rule:

1. If an image has one keyword, all its instances get it.
2. The instances of such images form the prototype of each keyword: the mean of their features,
   which have unit length.
3. If an image has several keywords, each keyword goes to one instance, and every further instance
   takes the keyword most similar to it, such that the sum of all similarities (cosines of features
   and prototypes) is largest. If there are fewer instances than keywords, some keywords remain
   unused.

Pixels outside all instances are background; where instances overlap, the higher score wins. An
image with no known object teaches nothing and gets no label.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from sod_plugins._common.writing import write_text
from sod_plugins.data.errors import DataError, list_files, list_problems
from sod_plugins.data.images import read_image
from sod_plugins.data.instance_reading import read_instances
from sod_plugins.data.instances import annotations_by_image
from sod_plugins.data.png import save_png
from sod_plugins.data.rle import Mask, decode_segmentation
from sod_plugins.data.texts import read_lines

FloatArray = NDArray[np.float64]
# Features (n, C) of the instances of an image: from its pixels (H, W, 3) and their masks.
Describe = Callable[[NDArray[np.uint8], Sequence[Mask]], NDArray[Any]]

IGNORED = 255


@dataclass
class PseudoLabelReport:
    """Statistics of the images and keywords.

    Attributes:
        classes: The names of the labels from 1 on; 0 is background.
        labelled: The images that got a label.
        instances: Number of instances that got each keyword.
        unused_images: The reason why each of the other images got none, by name.
        unused_keywords: The keywords left without an instance, by labelled image.
    """

    classes: tuple[str, ...]
    labelled: list[str] = field(default_factory=list)
    instances: Counter[str] = field(default_factory=Counter)
    unused_images: dict[str, str] = field(default_factory=dict)
    unused_keywords: dict[str, list[str]] = field(default_factory=dict)


@dataclass
class _LabelledImage:
    """An image, its keywords, and its instances, best first; doubtful ones are separate."""

    name: str
    size: tuple[int, int]
    keywords: list[str]
    masks: list[Mask]
    doubtful: list[Mask]
    features: FloatArray | None = None


def read_keywords(path: str | Path) -> dict[str, list[str]]:
    """Read the keywords of images from lines of ``image keyword, keyword, ...``.

    If names hold spaces, a tab follows the image's name instead of a space. Empty lines are
    skipped.

    Returns:
        The distinct keywords by the image's name without folder and extension.

    Raises:
        DataError: The file cannot be read, an image occurs twice, or a line has no keyword.
    """
    path = Path(path)
    lines = read_lines(path, 'keywords')
    found: dict[str, list[str]] = {}
    problems = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        name, _, rest = line.strip().partition('\t' if '\t' in line.strip() else ' ')
        words = [word.strip() for word in rest.split(',') if word.strip()]
        if not words:
            problems.append(f'line {number} has no keyword')
        elif Path(name).stem in found:
            problems.append(f"line {number} names '{Path(name).stem}' again")
        found[Path(name).stem] = list(dict.fromkeys(words))
    if problems:
        raise DataError(f"The keywords '{path}' cannot be used:\n{list_problems(problems)}")
    return found


def assign_keywords(resemblance: FloatArray) -> NDArray[np.int64]:
    """Assign one of an image's keywords to each of its instances.

    Args:
        resemblance: Array (instances, keywords); at least one instance.

    Returns:
        The column of the keyword of each instance, by rule 3 of this module.
    """
    instances, keywords = resemblance.shape
    best = resemblance.max(axis=1)
    assigned: NDArray[np.int64] = resemblance.argmax(axis=1)
    # The sum is largest if giving each keyword its one instance costs least.
    cost = best[:, None] - resemblance if instances >= keywords else -resemblance
    rows, columns = linear_sum_assignment(cost)
    assigned[rows] = columns
    return assigned


def write_pseudo_labels(
    instances: str | Path,
    keywords: Mapping[str, Sequence[str]],
    out_dir: str | Path,
    *,
    classes: Sequence[str] | None = None,
    min_score: float = 0.5,
    doubt_score: float = 0.2,
    describe: Describe | None = None,
    image_dir: str | Path | None = None,
) -> PseudoLabelReport:
    """Write a label image for each image whose instances get keywords.

    ``out_dir`` then holds ``labels/<stem>.png`` (8-bit: 0 background, 1 and so on the classes, 255
    where the label is in doubt), ``list.txt`` (the stems, for mmseg's ``ann_file``) and
    ``report.json``.

    Args:
        instances: COCO JSON: the output of ``sod predict``, or ground truth, which gets score 1.
        keywords: The keywords of each image, by its name without folder and extension.
        out_dir: The output folder.
        classes: The names of the labels from 1 on; by default all keywords, sorted.
        min_score: Instances with at least this score get keywords.
        doubt_score: Worse instances with at least this score are neither object nor background:
            their pixels are ignored.
        describe: Computes the features of instances, for images with several keywords; without it
            these get no label.
        image_dir: The image folder, from which features are computed.

    Raises:
        DataError: A file cannot be used, a keyword is not a class, or two images share a name.
    """
    out_dir = Path(out_dir)
    report = PseudoLabelReport(_classes(keywords, classes))
    images = _read_images(instances, keywords, min_score, doubt_score, report)
    several = [image for image in images if len(image.keywords) > 1]
    prototypes: dict[str, FloatArray] = {}
    if several and describe is not None and image_dir is not None:
        for image in images:
            pixels = read_image(Path(image_dir, image.name))
            image.features = _unit(np.asarray(describe(pixels, image.masks), np.float64))
        prototypes = _prototypes(images)
    for image in images:
        words = _assign(image, prototypes, report)
        if words:
            label = _draw(image, [report.classes.index(word) + 1 for word in words])
            save_png(out_dir / 'labels' / f'{Path(image.name).stem}.png', label)
    _write_report(out_dir, report)
    return report


def _classes(
    keywords: Mapping[str, Sequence[str]], classes: Sequence[str] | None
) -> tuple[str, ...]:
    used = sorted({word for words in keywords.values() for word in words})
    unknown = sorted(set(used) - set(classes or used))
    if unknown:
        raise DataError(f'Keywords that are not classes: {list_files(unknown)}. Correct either.')
    found = tuple(classes or used)
    if len(found) >= IGNORED:
        raise DataError(f'{len(found)} classes do not fit 8 bits. Name {IGNORED - 1} or fewer.')
    return found


def _read_images(
    instances: str | Path,
    keywords: Mapping[str, Sequence[str]],
    min_score: float,
    doubt_score: float,
    report: PseudoLabelReport,
) -> list[_LabelledImage]:
    """Read the images that have keywords and instances; the report lists the others."""
    coco = read_instances(instances, predicted=True)
    entries = annotations_by_image(coco)
    images = {Path(image['file_name']).stem: image for image in coco['images']}
    if len(images) < len(coco['images']):
        raise DataError(f"Images of '{instances}' share a name. Label them in several runs.")
    report.unused_images |= {
        stem: 'it is not among the images of the instances' for stem in keywords.keys() - images
    }
    found = []
    for stem, image in images.items():
        size = image['height'], image['width']
        ranked = sorted(entries[image['id']], key=lambda entry: -entry.get('score', 1))
        masks: list[Mask] = []
        doubtful: list[Mask] = []
        for entry in ranked:
            score = entry.get('score', 1)
            if score >= min(doubt_score, min_score):
                mask = decode_segmentation(entry['segmentation'], size)
                if mask.any():
                    (masks if score >= min_score else doubtful).append(mask)
        if stem not in keywords:
            report.unused_images[image['file_name']] = 'it has no keyword'
        elif not masks:
            report.unused_images[image['file_name']] = f'no instance scores {min_score:g} or better'
        else:
            words = list(keywords[stem])
            found.append(_LabelledImage(image['file_name'], size, words, masks, doubtful))
    return found


def _unit(features: FloatArray) -> FloatArray:
    lengths = np.linalg.norm(features, axis=-1, keepdims=True)
    unit: FloatArray = features / np.maximum(lengths, np.finfo(np.float64).tiny)
    return unit


def _prototypes(images: Sequence[_LabelledImage]) -> dict[str, FloatArray]:
    """Return the unit prototype of each keyword that is the only one of some image."""
    alone: dict[str, list[FloatArray]] = {}
    for image in images:
        if len(image.keywords) == 1 and image.features is not None:
            alone.setdefault(image.keywords[0], []).append(image.features)
    return {word: _unit(np.concatenate(found).mean(axis=0)) for word, found in alone.items()}


def _assign(
    image: _LabelledImage, prototypes: Mapping[str, FloatArray], report: PseudoLabelReport
) -> list[str]:
    """Return the keyword of each instance, or nothing, with the reason in the report."""
    words = image.keywords
    if len(words) > 1:
        unseen = [word for word in words if word not in prototypes]
        if image.features is None:
            reason = 'it has several keywords, and instances were not described'
            report.unused_images[image.name] = reason
            return []
        if unseen:
            reason = f'no labelled image has {list_files(unseen)} as its only keyword'
            report.unused_images[image.name] = reason
            return []
        resemblance = image.features @ np.stack([prototypes[word] for word in words]).T
        assigned = [words[column] for column in assign_keywords(resemblance)]
    else:
        assigned = words * len(image.masks)
    if left_over := [word for word in words if word not in assigned]:
        report.unused_keywords[image.name] = left_over
    report.labelled.append(image.name)
    report.instances.update(assigned)
    return assigned


def _draw(image: _LabelledImage, labels: Sequence[int]) -> NDArray[np.uint8]:
    label = np.zeros(image.size, dtype=np.uint8)
    for mask in image.doubtful:
        label[mask] = IGNORED
    for mask, value in zip(reversed(image.masks), reversed(labels), strict=True):
        label[mask] = value
    return label


def _write_report(out_dir: Path, report: PseudoLabelReport) -> None:
    stems = [Path(name).stem for name in report.labelled]
    write_text(out_dir / 'list.txt', ''.join(f'{stem}\n' for stem in stems))
    text = json.dumps(vars(report), indent=2, sort_keys=True)
    write_text(out_dir / 'report.json', f'{text}\n')
