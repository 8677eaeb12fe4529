"""Average precision of instances: COCO's, and the per-image one of S4Net's published code."""

from __future__ import annotations

import contextlib
import io
import itertools
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sod_plugins.data.instances import Coco, annotations_by_image
from sod_plugins.data.rle import require_pycocotools

Kind = Literal['mask', 'box']
FloatArray = NDArray[np.float64]

MAX_DETECTIONS = (1, 10, 20, 100)
THRESHOLDS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))


def coco_measures(
    predictions: Sequence[Mapping[str, Any]],
    ground_truth: Coco,
    kind: Kind,
    images: Collection[int | str],
) -> dict[str, float]:
    """Measure instances with pycocotools' COCOeval, ignoring their categories.

    As COCO defines it, precision is interpolated at 101 recalls, at most 100 predictions per image
    count (the best first), ground truth of every size counts, and crowds are ignored.

    Args:
        predictions: Entries with ``image_id``, ``score``, ``segmentation`` and ``bbox``.
        ground_truth: Instances, as ``read_instances`` returns them.
        kind: Whether masks or boxes are compared.
        images: The ids of the images to measure. Each must hold at least one instance.

    Returns:
        ``map`` (the mean over the IoU thresholds 0.5, 0.55, ... 0.95), ``ap50``, ``ap70``,
        ``ap75``, and ``ar1`` to ``ar100``: the recall with that many predictions per image,
        averaged over the same thresholds.

    Raises:
        ImportError: pycocotools is not installed.
    """
    require_pycocotools()
    from pycocotools.cocoeval import COCOeval

    wanted = set(images)
    part = {**ground_truth, 'images': [i for i in ground_truth['images'] if i['id'] in wanted]}
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints its progress
        evaluation = COCOeval(
            _as_api(part, ground_truth['annotations']),
            _as_api(part, predictions),
            {'mask': 'segm', 'box': 'bbox'}[kind],
        )
        parameters = evaluation.params
        parameters.useCats = 0
        parameters.imgIds = list(range(len(part['images'])))
        parameters.maxDets = list(MAX_DETECTIONS)
        parameters.areaRng, parameters.areaRngLbl = [[0, 1e10]], ['all']
        evaluation.evaluate()
        evaluation.accumulate()
    by_threshold = evaluation.eval['precision'][:, :, 0, 0, -1].mean(axis=1)
    recalls = evaluation.eval['recall'][:, 0, 0].mean(axis=0)
    return {
        'map': float(by_threshold.mean()),
        **{f'ap{t}': float(by_threshold[THRESHOLDS.index(t / 100)]) for t in (50, 70, 75)},
        **{f'ar{n}': float(recalls[place]) for place, n in enumerate(MAX_DETECTIONS)},
    }


def per_image_measures(
    predictions: Sequence[Mapping[str, Any]], ground_truth: Coco, images: Iterable[int | str]
) -> dict[str, float]:
    """Average ``released_average_precision`` of masks over images, as S4Net's published code does.

    Args:
        predictions: Entries with ``image_id``, ``score`` and ``segmentation``.
        ground_truth: Instances, as ``read_instances`` returns them; crowds are left out.
        images: The ids of the images to measure; images without ground truth are skipped.

    Returns:
        ``map`` (the mean over the IoU thresholds 0.5, 0.55, ... 0.95), ``ap50`` and ``ap70``.

    Raises:
        ImportError: pycocotools is not installed.
    """
    tools = require_pycocotools()
    sizes = {image['id']: (image['height'], image['width']) for image in ground_truth['images']}
    truth = annotations_by_image(ground_truth)
    found = annotations_by_image({**ground_truth, 'annotations': list(predictions)})  # type: ignore[arg-type]
    scores = []
    for image in images:
        objects = [a for a in truth[image] if not a.get('iscrowd')]
        if not objects:
            continue
        ranked = sorted(found[image], key=lambda prediction: -prediction['score'])
        overlaps = np.zeros((0, len(objects)))
        if ranked:
            runs = [
                [_as_rle(tools, entry['segmentation'], sizes[image]) for entry in entries]
                for entries in (ranked, objects)
            ]
            overlaps = np.asarray(tools.iou(*runs, [0] * len(objects)))
        scores.append([released_average_precision(overlaps, t) for t in THRESHOLDS])
    means = np.mean(scores, axis=0)
    return {
        'map': float(means.mean()),
        **{f'ap{t}': float(means[THRESHOLDS.index(t / 100)]) for t in (50, 70)},
    }


def released_average_precision(overlaps: FloatArray, threshold: float) -> float:
    """Score one image as S4Net's published code does, which differs from COCO.

    Precision and recall after each prediction form one point. The result is the area under recall
    as a function of precision. Each precision keeps its best recall, points are joined by straight
    lines, and the first point extends at its height to precision 0. Misses after the last hit
    therefore cost nothing, and an early miss costs more than in ordinary average precision.

    Args:
        overlaps: (predictions, objects) IoU, best predictions first.
        threshold: Each object in turn takes the remaining prediction with the highest IoU, if
            that IoU exceeds this threshold.
    """
    best_recall: dict[float, float] = {}
    for count in range(1, len(overlaps) + 1):
        hits = _count_matches(overlaps[:count], threshold)
        precision, recall = hits / count, hits / overlaps.shape[1]
        best_recall[precision] = max(recall, best_recall.get(precision, 0))
    if not best_recall:
        return 0.0
    points = sorted(best_recall.items())
    points = [(0.0, points[0][1]), *points]
    return sum(
        (right - left) * (low + high) / 2
        for (left, low), (right, high) in itertools.pairwise(points)
    )


def _count_matches(overlaps: FloatArray, threshold: float) -> int:
    left = overlaps.copy()
    hits = 0
    for column in left.T:
        best = int(column.argmax())
        if column[best] > threshold:
            hits += 1
            left[best] = -1
    return hits


def _as_api(ground_truth: Coco, entries: Iterable[Mapping[str, Any]]) -> Any:
    """Wrap annotations or predictions as pycocotools' COCO; the evaluation modifies only copies.

    Images are numbered from 0 in the order of their ids, integers before strings, because
    pycocotools sorts the ids.
    """
    from pycocotools.coco import COCO

    images = sorted(ground_truth['images'], key=lambda i: (isinstance(i['id'], str), i['id']))
    numbers = {image['id']: number for number, image in enumerate(images)}
    annotations = [
        {
            **entry,
            'image_id': numbers[entry['image_id']],
            'category_id': 1,
            'iscrowd': entry.get('iscrowd', 0),
            'area': entry['bbox'][2] * entry['bbox'][3],  # always within the single area range
        }
        for entry in entries
        if entry['image_id'] in numbers
    ]
    api = COCO()
    api.dataset = {
        'images': [{**image, 'id': number} for number, image in enumerate(images)],
        'annotations': [{**entry, 'id': number} for number, entry in enumerate(annotations, 1)],
        'categories': [{'id': 1, 'name': 'salient'}],
    }
    api.createIndex()
    return api


def _as_rle(tools: Any, segmentation: Any, size: tuple[int, int]) -> Any:
    """Convert a segmentation of any form to pycocotools' compressed RLE."""
    if isinstance(segmentation, list):
        return tools.merge(tools.frPyObjects(segmentation, *size))
    if isinstance(segmentation['counts'], list):
        return tools.frPyObjects(segmentation, *size)
    return segmentation
