"""Random crops of an image and its saliency mask."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sod_plugins.transforms.base import Array, Pair, Transform, on_both
from sod_plugins.transforms.resize import resize_image


@dataclass(eq=False)
class RandomMarginCrop(Transform):
    """Crop an independent random margin from each side, as in CSNet's released training.

    The left and top margins are uniform in 0 .. ``max_margin``, the right and bottom ones in
    1 .. ``max_margin`` + 1 pixels. A smaller image keeps at least one pixel.

    Args:
        max_margin: The largest left and top margin in pixels.

    Raises:
        ValueError: The margin is negative.
    """

    max_margin: int = 14

    def __post_init__(self) -> None:
        if self.max_margin < 0:
            raise ValueError(f'max_margin must be 0 or larger, but is {self.max_margin}.')

    def apply(self, image: Array, mask: Array | None, generator: np.random.Generator) -> Pair:
        """Crop an image (H, W, 3) and its mask (H, W)."""
        rows, columns = (self._kept(side, generator) for side in image.shape[:2])
        return on_both(lambda x: x[rows, columns], image, mask)

    def _kept(self, side: int, generator: np.random.Generator) -> slice:
        near = int(generator.integers(self.max_margin + 1))
        far = int(generator.integers(self.max_margin + 1)) + 1
        near = min(near, side - 1)
        return slice(near, max(side - far, near + 1))


@dataclass(eq=False)
class RandomResizedCrop(Transform):
    """Crop a region of random area, shape and position and resize it, as in classifier training.

    Area and the logarithm of the aspect ratio are uniform. The first of ten attempts that lies
    within the image is taken; otherwise the largest centred region of an allowed shape.

    Args:
        size: Height and width of the output, in pixels.
        scale: Smallest and largest area, as a fraction of the image area.
        ratio: Smallest and largest ratio of width to height.

    Raises:
        ValueError: A range is not ascending within its limits.
    """

    size: tuple[int, int]
    scale: tuple[float, float] = (0.08, 1.0)
    ratio: tuple[float, float] = (3 / 4, 4 / 3)

    def __post_init__(self) -> None:
        if not 0 < self.scale[0] <= self.scale[1] <= 1:
            raise ValueError(f'scale must rise within 0 (excluded) and 1, but is {self.scale}.')
        if not 0 < self.ratio[0] <= self.ratio[1]:
            raise ValueError(f'ratio must rise from above 0, but is {self.ratio}.')
        height, width = self.size
        self.size = (height, width)
        self.scale = (self.scale[0], self.scale[1])
        self.ratio = (self.ratio[0], self.ratio[1])

    def apply(self, image: Array, mask: Array | None, generator: np.random.Generator) -> Pair:
        """Crop and resize an image (H, W, 3) and its mask (H, W), both to float32."""
        height, width = image.shape[:2]
        rows, columns = self.draw_part(height, width, generator)
        return on_both(lambda x: resize_image(x[rows, columns], self.size), image, mask)

    def draw_part(
        self, height: int, width: int, generator: np.random.Generator
    ) -> tuple[slice, slice]:
        """Sample the rows and columns to keep of an image of this size."""
        for _ in range(10):
            area = height * width * generator.uniform(*self.scale)
            ratio = np.exp(generator.uniform(*np.log(self.ratio)))
            rows, columns = round(np.sqrt(area / ratio)), round(np.sqrt(area * ratio))
            if 0 < rows <= height and 0 < columns <= width:
                top = int(generator.integers(height - rows + 1))
                left = int(generator.integers(width - columns + 1))
                return slice(top, top + rows), slice(left, left + columns)
        rows = max(1, min(height, round(width / self.ratio[0])))
        columns = max(1, min(width, round(height * self.ratio[1])))
        top, left = (height - rows) // 2, (width - columns) // 2
        return slice(top, top + rows), slice(left, left + columns)


@dataclass(eq=False)
class RandomSaliencyCrop(Transform):
    """Crop a region of fixed size at a random position, as in PiCANet's training (Sec. 5.3).

    Args:
        size: Height and width of the output, in pixels; no image may be smaller.
    """

    size: tuple[int, int]

    def __post_init__(self) -> None:
        height, width = self.size
        self.size = (height, width)

    def apply(self, image: Array, mask: Array | None, generator: np.random.Generator) -> Pair:
        """Crop an image (H, W, 3) and its mask (H, W).

        Raises:
            ValueError: The image is smaller than ``size``.
        """
        shape = image.shape[:2]
        if shape[0] < self.size[0] or shape[1] < self.size[1]:
            raise ValueError(
                f'RandomSaliencyCrop cannot cut {self.size} out of an image of {tuple(shape)}: '
                'put ResizeSaliency with a larger size before it.'
            )
        top, left = (
            int(generator.integers(whole - side + 1))
            for whole, side in zip(shape, self.size, strict=True)
        )
        rows, columns = slice(top, top + self.size[0]), slice(left, left + self.size[1])
        return on_both(lambda x: x[rows, columns], image, mask)
