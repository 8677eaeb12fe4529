"""Adapt plain transforms of an image and its mask to mmcv."""

from __future__ import annotations

import inspect
from typing import Any

from mmcv.transforms import BaseTransform

from sod_plugins.transforms import Transform
from sod_plugins.transforms.base import Pair


class SaliencyTransform(BaseTransform):
    """Base class of an adapter; a second base, from ``sod_plugins.transforms``, does the work.

    Its arguments and documentation are those of the plain transform. It transforms ``img``
    (H, W, 3) and, if present, ``gt_seg_map`` (H, W), and updates ``img_shape``. Random choices come
    from ``results['rng']``, which the data sets of ``sod_plugins`` add.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.__doc__ = inspect.getdoc(next(c for c in cls.__mro__[1:] if issubclass(c, Transform)))

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Change the image and its mask."""
        pair = self.apply(results['img'], results.get('gt_seg_map'), results.get('rng'))
        return changed(results, pair)


def changed(results: dict[str, Any], pair: Pair) -> dict[str, Any]:
    """Store a transformed image and mask in the results."""
    results['img'], mask = pair
    if mask is not None:
        results['gt_seg_map'] = mask
    results['img_shape'] = results['img'].shape[:2]
    return results
