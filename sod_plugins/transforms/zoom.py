"""Random zoom that keeps the salient object in view."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sod_plugins.transforms.base import Array, Pair, Transform, on_both

TRIALS = 10


@dataclass(eq=False)
class RandomZoom(Transform):
    """Crop a region of an image that still shows enough of its salient object.

    A region without the object would teach that whatever else it shows is not salient. Regions are
    therefore sampled until one keeps enough of the mask; after ten attempts the image is left
    uncropped. Strong zooms show large objects from within, which networks otherwise leave hollow.
    Regions vary in size, so a resize must follow.

    Args:
        prob: The probability of a zoom.
        smallest: Smallest side of the region, as a fraction of the image side.
        stretch: Largest factor by which the region may be wider or narrower than the image.
        kept: Smallest fraction of the mask's sum that must lie within the region; with an empty
            mask any region is accepted.

    Raises:
        ValueError: An argument is out of its range.
    """

    prob: float = 0.8
    smallest: float = 0.4
    stretch: float = 4 / 3
    kept: float = 0.25

    def __post_init__(self) -> None:
        for name, low, high in (('prob', 0, 1), ('kept', 0, 1), ('stretch', 1, math.inf)):
            if not low <= getattr(self, name) <= high:
                raise ValueError(
                    f'{name} must lie within {low} and {high}, but is {getattr(self, name)}.'
                )
        if not 0 < self.smallest <= 1:
            raise ValueError(f'smallest must lie above 0 and up to 1, but is {self.smallest}.')

    def apply(self, image: Array, mask: Array | None, generator: np.random.Generator) -> Pair:
        """Crop an image (H, W, 3) and its mask (H, W) together, or neither."""
        if generator.random() >= self.prob:
            return image, mask
        height, width = image.shape[:2]
        enough = 0.0 if mask is None else self.kept * float(mask.sum())
        for _ in range(TRIALS):
            rows, columns = self.draw_part(height, width, generator)
            if mask is None or float(mask[rows, columns].sum()) >= enough:
                return on_both(lambda x: x[rows, columns], image, mask)  # noqa: B023
        return image, mask

    def draw_part(
        self, height: int, width: int, generator: np.random.Generator
    ) -> tuple[slice, slice]:
        """Sample the rows and columns of a region of an image of this size."""
        zoom = generator.uniform(self.smallest, 1)
        shape = math.exp(generator.uniform(-0.5, 0.5) * math.log(self.stretch))
        parts = (min(max(part, self.smallest), 1) for part in (zoom / shape, zoom * shape))
        rows, columns = (
            _place(side, part, generator) for side, part in zip((height, width), parts, strict=True)
        )
        return rows, columns


def _place(side: int, part: float, generator: np.random.Generator) -> slice:
    """Sample the position of a region along one side."""
    length = max(1, round(part * side))
    start = int(generator.integers(side - length + 1))
    return slice(start, start + length)
