"""Size-invariant measures: all objects have equal weight, however small (Li et al., ICML 2024).

As in PySODMetrics, an object is a 4-connected component of the mask of at least 50 pixels (the
largest ones if all are smaller), and it is measured within its bounding box. A mask without
objects is measured over the whole image.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from sod_plugins.metrics import confusion, measures
from sod_plugins.metrics.comparison import Comparison
from sod_plugins.metrics.confusion import Confusion, area_under_curve
from sod_plugins.metrics.protocols import FloatArray

_SMALLEST_OBJECT = 50

Box = tuple[slice, ...]


def object_boxes(mask: NDArray[np.bool_]) -> list[Box]:
    """Return the bounding boxes of the objects in a mask (H, W)."""
    labels, count = ndimage.label(mask)
    if not count:
        return []
    areas = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    limit = min(_SMALLEST_OBJECT, areas.max())
    boxes = ndimage.find_objects(labels)
    return [box for box, area in zip(boxes, areas, strict=True) if area >= limit]


def si_mae(image: Comparison) -> float:
    """Return the mean absolute error with equal weights for objects.

    The rest of the image, outside all boxes, is weighted by its area relative to the total area of
    the boxes.
    """
    error = np.abs(image.saliency - image.mask)
    boxes = object_boxes(image.mask)
    if not boxes:
        return float(error.mean())
    outside = np.ones(error.shape, bool)
    for box in boxes:
        outside[box] = False
    rest = np.count_nonzero(outside)
    weight = rest / (error.size - rest)
    total = sum(float(error[box].mean()) for box in boxes)
    if rest:
        total += weight * float(error[outside].mean())
    return total / (len(boxes) + weight)


def si_max_f(image: Comparison) -> float:
    """Return the largest F of each object, averaged over the objects."""
    return _mean_over_objects(image, lambda of: float(_f_curve(image, of).max()))


def si_mean_f(image: Comparison) -> float:
    """Return the mean F of each object, averaged over the objects."""
    return _mean_over_objects(image, lambda of: float(_f_curve(image, of).mean()))


def si_auc_pr(image: Comparison) -> float:
    """Return the area under each object's precision-recall curve, averaged over the objects."""
    return _mean_over_objects(image, lambda of: area_under_curve(*image.precision_recall(of)))


def si_auc_roc(image: Comparison) -> float:
    """Return the area under each object's ROC curve, averaged over the objects."""
    return _mean_over_objects(
        image,
        lambda of: area_under_curve(confusion.recall(of), confusion.false_positive_rate(of)),
    )


def _mean_over_objects(image: Comparison, function: Callable[[Confusion], float]) -> float:
    return float(np.mean([function(of) for of in _confusions(image)]))


def _f_curve(image: Comparison, of: Confusion) -> FloatArray:
    return measures.f_measure(*image.precision_recall(of), image.protocol.f_epsilon)


def _confusions(image: Comparison) -> Iterator[Confusion]:
    """Yield the confusion counts in the box of each object, at each threshold.

    Outside the box, map and mask count as empty.
    """
    boxes = object_boxes(image.mask)
    if not boxes:
        yield image.by_threshold
        return
    levels = len(image.values)
    values = np.concatenate([[0.0], image.values])
    for box in boxes:
        code = image.counts.index[box] + levels * image.mask[box].astype(np.int64)
        totals = np.zeros((2, levels + 1))
        totals[:, 1:] = np.bincount(code.ravel(), minlength=2 * levels).reshape(2, levels)
        totals[0, 0] = image.mask.size - code.size
        yield image.confusion_of(values, totals)
