"""Find images whose instances occlude each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sod_plugins._common.names import OCCLUSION
from sod_plugins.data.instances import Coco, annotations_by_image


def box_overlaps(boxes: Sequence[Sequence[float]]) -> NDArray[np.float64]:
    """Return the pairwise overlaps of the boxes of one image.

    Args:
        boxes: [left, top, width, height] of n boxes.

    Returns:
        (n, n) array: the area shared by two boxes as a fraction of the smaller box, from 0 (they
        only touch) to 1; -1 for boxes that do not even touch, and on the diagonal.
    """
    corners = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    low, lengths = corners[:, :2], corners[:, 2:]
    high = low + lengths
    shared = np.minimum(high[:, None], high) - np.maximum(low[:, None], low)
    areas = lengths.prod(axis=1)
    smaller = np.minimum(areas[:, None], areas)
    overlaps = np.where((shared >= 0).all(axis=2), shared.prod(axis=2) / smaller, -1.0)
    np.fill_diagonal(overlaps, -1)
    return overlaps


def occluded_images(coco: Coco, threshold: float = OCCLUSION) -> dict[int | str, float]:
    """Find the images with occlusion, S4Net's set for mAP_O.

    The paper uses the instances with occlusion without defining them. Here an image belongs to the
    set if two of its boxes share at least ``threshold`` of the smaller box.

    Args:
        coco: Instances, as ``read_instances`` returns them. Crowds are not counted.
        threshold: A number from 0 (touching boxes suffice) to 1.

    Returns:
        The largest overlap in each image of the set, by the id of the image.

    Raises:
        ValueError: The threshold is not from 0 to 1.
    """
    if not 0 <= threshold <= 1:
        raise ValueError(f'The threshold of occlusion is {threshold}. Give a number from 0 to 1.')
    found: dict[int | str, float] = {}
    for image, entries in annotations_by_image(coco).items():
        boxes = [a['bbox'] for a in entries if not a.get('iscrowd')]
        if len(boxes) > 1 and (overlap := box_overlaps(boxes).max()) >= threshold:
            found[image] = float(overlap)
    return found
