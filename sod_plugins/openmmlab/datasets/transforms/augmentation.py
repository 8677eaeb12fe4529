"""Random crops and flips of an image and its saliency mask.

Random choices come from ``results['rng']`` alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform

from sod_plugins.openmmlab.datasets.transforms.resize import resize_image
from sod_plugins.registry import TRANSFORMS

_AXES = {'horizontal': 1, 'vertical': 0}


@TRANSFORMS.register_module()
class RandomMarginCrop(BaseTransform):
    """Cut an independent random margin from each side, as CSNet's released training does.

    The left and the top margin are uniform in 0 .. ``max_margin``, the right and the bottom one in
    1 .. ``max_margin`` + 1 pixels. At least one pixel is kept of a smaller image.

    Args:
        max_margin: The largest left and top margin in pixels.
    """

    def __init__(self, max_margin: int = 14) -> None:
        if max_margin < 0:
            raise ValueError(f'max_margin must be 0 or larger, but is {max_margin}.')
        self.max_margin = max_margin

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Crop ``img`` (H, W, 3) and, where there is one, ``gt_seg_map`` (H, W)."""
        height, width = results['img'].shape[:2]
        rows = self._kept(height, results['rng'])
        columns = self._kept(width, results['rng'])
        results['img'] = results['img'][rows, columns]
        if 'gt_seg_map' in results:
            results['gt_seg_map'] = results['gt_seg_map'][rows, columns]
        results['img_shape'] = results['img'].shape[:2]
        return results

    def _kept(self, side: int, rng: np.random.Generator) -> slice:
        near = int(rng.integers(self.max_margin + 1))
        far = int(rng.integers(self.max_margin + 1)) + 1
        near = min(near, side - 1)
        return slice(near, max(side - far, near + 1))

    def __repr__(self) -> str:
        return f'{type(self).__name__}(max_margin={self.max_margin})'


@TRANSFORMS.register_module()
class RandomResizedCrop(BaseTransform):
    """Cut out a part of random area, shape and place and resize it, as classifiers are trained.

    Area and the logarithm of the aspect ratio are uniform. Of ten trials the first part that lies
    within the image is taken; after that the largest centred part of an allowed shape.

    Args:
        size: Height and width of the result, in pixels.
        scale: Smallest and largest area, as a fraction of the image's.
        ratio: Smallest and largest ratio of width to height.
    """

    def __init__(
        self,
        size: tuple[int, int],
        scale: tuple[float, float] = (0.08, 1.0),
        ratio: tuple[float, float] = (3 / 4, 4 / 3),
    ) -> None:
        if not 0 < scale[0] <= scale[1] <= 1:
            raise ValueError(f'scale must rise within 0 (excluded) and 1, but is {scale}.')
        if not 0 < ratio[0] <= ratio[1]:
            raise ValueError(f'ratio must rise from above 0, but is {ratio}.')
        self.size = tuple(size)
        self.scale = tuple(scale)
        self.ratio = tuple(ratio)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Crop and resize ``img`` (H, W, 3) and, where there is one, ``gt_seg_map`` (H, W)."""
        rows, columns = self._part(*results['img'].shape[:2], results['rng'])
        for key in ('img', 'gt_seg_map'):
            if key in results:
                results[key] = resize_image(results[key][rows, columns], self.size)
        results['img_shape'] = self.size
        return results

    def _part(self, height: int, width: int, rng: np.random.Generator) -> tuple[slice, slice]:
        for _ in range(10):
            area = height * width * rng.uniform(*self.scale)
            ratio = np.exp(rng.uniform(*np.log(self.ratio)))
            rows, columns = round(np.sqrt(area / ratio)), round(np.sqrt(area * ratio))
            if 0 < rows <= height and 0 < columns <= width:
                top = int(rng.integers(height - rows + 1))
                left = int(rng.integers(width - columns + 1))
                return slice(top, top + rows), slice(left, left + columns)
        rows = max(1, min(height, round(width / self.ratio[0])))
        columns = max(1, min(width, round(height * self.ratio[1])))
        top, left = (height - rows) // 2, (width - columns) // 2
        return slice(top, top + rows), slice(left, left + columns)

    def __repr__(self) -> str:
        return f'{type(self).__name__}(size={self.size}, scale={self.scale}, ratio={self.ratio})'


@TRANSFORMS.register_module()
class RandomSaliencyCrop(BaseTransform):
    """Cut out a part of one size from a random place, as PiCANet is trained (Sec. 5.3).

    Args:
        size: Height and width of the result, in pixels; every image must be as large.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        self.size = tuple(size)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Crop ``img`` (H, W, 3) and, where there is one, ``gt_seg_map`` (H, W).

        Raises:
            ValueError: If the image is smaller.
        """
        shape = results['img'].shape[:2]
        if shape[0] < self.size[0] or shape[1] < self.size[1]:
            raise ValueError(
                f'RandomSaliencyCrop cannot cut {self.size} out of an image of {tuple(shape)}: '
                'put ResizeSaliency with a larger size before it.'
            )
        top, left = (
            int(results['rng'].integers(whole - side + 1))
            for whole, side in zip(shape, self.size, strict=True)
        )
        for key in ('img', 'gt_seg_map'):
            if key in results:
                results[key] = results[key][top : top + self.size[0], left : left + self.size[1]]
        results['img_shape'] = self.size
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(size={self.size})'


@TRANSFORMS.register_module()
class RandomSaliencyFlip(BaseTransform):
    """Flip at random, in a direction chosen at random.

    CSNet's released training flips half of the images, one half of these left-right and one half
    up-down: ``directions=('horizontal', 'vertical')``.

    Args:
        prob: The probability of a flip.
        directions: The directions to choose from with equal probability: ``'horizontal'``
            exchanges left and right, ``'vertical'`` top and bottom.
    """

    def __init__(self, prob: float = 0.5, directions: Sequence[str] = ('horizontal',)) -> None:
        if not 0 <= prob <= 1:
            raise ValueError(f'prob must lie between 0 and 1, but is {prob}.')
        unknown = sorted(set(directions) - set(_AXES))
        if unknown or not directions:
            raise ValueError(
                f'directions must be chosen from {sorted(_AXES)}, but is {directions}.'
            )
        self.prob = prob
        self.directions = tuple(directions)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Flip ``img`` (H, W, 3) and, where there is one, ``gt_seg_map`` (H, W), or neither."""
        rng = results['rng']
        results['flip'] = bool(rng.random() < self.prob)
        results['flip_direction'] = None
        if results['flip']:
            direction = self.directions[int(rng.integers(len(self.directions)))]
            results['flip_direction'] = direction
            for key in ('img', 'gt_seg_map'):
                if key in results:
                    results[key] = np.flip(results[key], axis=_AXES[direction])
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(prob={self.prob}, directions={self.directions})'
