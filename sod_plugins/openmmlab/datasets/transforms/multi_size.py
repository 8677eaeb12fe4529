"""Resize to a size that changes from pass to pass.

Random choices come from ``results['rng']`` alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmcv.transforms import BaseTransform

from sod_plugins.openmmlab.datasets.transforms.resize import resize_image
from sod_plugins.registry import TRANSFORMS


@TRANSFORMS.register_module()
class MultiSizeResize(BaseTransform):
    """Resize to one of several sizes in turn, then crop some images and resize them back.

    The size is a function of the draw's number alone (see ``sod_plugins.DrawSampler``), so that all
    images of a batch, all worker processes and a resumed run agree on it. As in SAMNet's released
    training, each pass through the data has its size, and an image is cropped by the same margin
    left and right and by another one at top and bottom. Masks stay soft, where the released
    training takes the nearest pixel and sets to 0 what is not exactly 255.

    Args:
        sizes: Height and width of each pass, in pixels; after the last comes the first again.
        max_margins: The largest margin of each size, in pixels; margins are uniform in 0 .. it. By
            default 0.
        crop_prob: The probability of a crop.
        draws_per_size: After how many draws, of all processes together, the size changes; by
            default after each pass. Runs by iterations need it, because their batches run on from
            pass to pass: a multiple of the batch size times the number of processes.
    """

    def __init__(
        self,
        sizes: Sequence[tuple[int, int]],
        max_margins: Sequence[int] | None = None,
        crop_prob: float = 0.5,
        draws_per_size: int | None = None,
    ) -> None:
        self.sizes = [tuple(size) for size in sizes]
        self.max_margins = [0] * len(sizes) if max_margins is None else list(max_margins)
        self.crop_prob = crop_prob
        self.draws_per_size = draws_per_size
        if not sizes or len(self.max_margins) != len(sizes):
            raise ValueError(
                f'sizes needs one size or more, and max_margins as many entries, got {self.sizes} '
                f'and {self.max_margins}.'
            )
        for size, margin in zip(self.sizes, self.max_margins, strict=True):
            if not 0 <= 2 * margin < min(size):
                raise ValueError(
                    f'max_margins must be 0 or larger and leave a pixel of size {size}, '
                    f'got {margin}.'
                )
        if not 0 <= crop_prob <= 1:
            raise ValueError(f'crop_prob must lie between 0 and 1, but is {crop_prob}.')

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Resize ``img`` (H, W, 3) and, where there is one, ``gt_seg_map`` (H, W) as float32."""
        turn = self._turn(results)
        size, max_margin = self.sizes[turn], self.max_margins[turn]
        rng = results['rng']
        rows = columns = slice(None)
        if rng.random() < self.crop_prob:
            rows, columns = (
                slice(margin, side - margin)
                for side, margin in zip(size, rng.integers(max_margin + 1, size=2), strict=True)
            )
        for key in ('img', 'gt_seg_map'):
            if key in results:
                results[key] = resize_image(resize_image(results[key], size)[rows, columns], size)
        results['img_shape'] = size
        return results

    def _turn(self, results: dict[str, Any]) -> int:
        """Return which size is at turn."""
        if len(self.sizes) == 1:
            return 0
        if 'draw' not in results:
            raise ValueError(
                'MultiSizeResize needs the numbers of the draws: use '
                "sampler=dict(type='sod_plugins.DrawSampler')."
            )
        if self.draws_per_size is not None:
            return results['draw'] // self.draws_per_size % len(self.sizes)
        if results['pass_number'] is None:
            raise ValueError(
                'In a run by iterations, batches run on from pass to pass: give MultiSizeResize '
                'draws_per_size, a multiple of the batch size times the number of processes.'
            )
        return results['pass_number'] % len(self.sizes)

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(sizes={self.sizes}, max_margins={self.max_margins}, '
            f'crop_prob={self.crop_prob}, draws_per_size={self.draws_per_size})'
        )
