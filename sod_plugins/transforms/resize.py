"""Resizes of an image and its saliency mask: to one size, to sizes in turn, to a centre."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from sod_plugins.ops.resize import resize_bilinear
from sod_plugins.transforms.base import Array, Pair, Transform, on_both


def resize_image(
    image: Array, size: tuple[int, int], antialias: bool = False
) -> NDArray[np.float32]:
    """Resize an image (H, W, C), or a map (H, W), to float32."""
    channels_first = image[None] if image.ndim == 2 else image.transpose(2, 0, 1)
    tensor = torch.from_numpy(np.ascontiguousarray(channels_first)).float()
    resized = resize_bilinear(tensor[None], size, antialias=antialias)[0]
    pixels: NDArray[np.float32] = (
        resized[0] if image.ndim == 2 else resized.permute(1, 2, 0)
    ).numpy()
    return pixels


@dataclass(eq=False)
class ResizeSaliency(Transform):
    """Resize bilinearly in floating point; the mask stays soft.

    The same function as in :class:`sod_plugins.networks.Preprocessing`, so that a network sees in
    training, testing and prediction the same pixels. (The hosts' own ``Resize`` rounds the image to
    whole grey levels and picks the nearest mask pixels.)

    Args:
        size: Height and width, in pixels. The aspect ratio is not kept.
        antialias: Whether reductions are antialiased. It travels in the checkpoint, so that
            prediction reduces photos in the same way.
    """

    size: tuple[int, int]
    antialias: bool = False

    def __post_init__(self) -> None:
        height, width = self.size
        self.size = (height, width)

    def apply(
        self, image: Array, mask: Array | None, generator: np.random.Generator | None = None
    ) -> Pair:
        """Resize an image (H, W, 3) and its mask (H, W), both to float32."""
        return on_both(lambda x: resize_image(x, self.size, self.antialias), image, mask)


@dataclass(eq=False)
class ResizeCenterCrop(Transform):
    """Resize so that the short edge gets a given length, and keep the centre.

    The usual view of a classifier's test image: of the short edge's 256 pixels the central 224.

    Args:
        size: Height and width of the result, in pixels.
        short_edge: Length of the short edge before the crop, at least that of either side of
            ``size``.

    Raises:
        ValueError: If the crop would be larger than the image.
    """

    size: tuple[int, int] = (224, 224)
    short_edge: int = 256

    def __post_init__(self) -> None:
        height, width = self.size
        self.size = (height, width)
        if self.short_edge < max(self.size):
            raise ValueError(
                f'short_edge must be at least the larger side of size {self.size}, '
                f'but is {self.short_edge}.'
            )

    def apply(
        self, image: Array, mask: Array | None, generator: np.random.Generator | None = None
    ) -> Pair:
        """Resize and crop an image (H, W, 3) and its mask (H, W), both to float32."""
        shape = image.shape[:2]
        height, width = (round(side * self.short_edge / min(shape)) for side in shape)
        top, left = (height - self.size[0]) // 2, (width - self.size[1]) // 2
        rows, columns = slice(top, top + self.size[0]), slice(left, left + self.size[1])
        return on_both(lambda x: resize_image(x, (height, width))[rows, columns], image, mask)


@dataclass(eq=False)
class MultiSizeResize(Transform):
    """Resize to one of several sizes in turn, then crop some images and resize them back.

    The size is a function of the draw's number alone (see :mod:`sod_plugins.data.sampling`), so
    that all images of a batch, all worker processes and a resumed run agree on it. As in SAMNet's
    released training, each pass through the data has its size, and an image is cropped by the same
    margin left and right and by another one at top and bottom. Masks stay soft, where the released
    training takes the nearest pixel and sets to 0 what is not exactly 255.

    Args:
        sizes: Height and width of each pass, in pixels; after the last comes the first again.
        max_margins: The largest margin of each size, in pixels; margins are uniform in 0 .. it. By
            default 0.
        crop_prob: The probability of a crop.
        draws_per_size: After how many draws, of all processes together, the size changes; by
            default after each pass. Runs by iterations need it, because their batches run on from
            pass to pass: a multiple of the batch size times the number of processes.

    Raises:
        ValueError: If the arguments do not fit each other.
    """

    sizes: Sequence[tuple[int, int]]
    max_margins: Sequence[int] | None = None
    crop_prob: float = 0.5
    draws_per_size: int | None = None

    def __post_init__(self) -> None:
        self.sizes = [(height, width) for height, width in self.sizes]
        margins = self.max_margins
        self.max_margins = [0] * len(self.sizes) if margins is None else list(margins)
        if not self.sizes or len(self.max_margins) != len(self.sizes):
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
        if not 0 <= self.crop_prob <= 1:
            raise ValueError(f'crop_prob must lie between 0 and 1, but is {self.crop_prob}.')

    def apply(
        self, image: Array, mask: Array | None, generator: np.random.Generator, turn: int = 0
    ) -> Pair:
        """Resize an image (H, W, 3) and its mask (H, W), both to float32.

        Args:
            image: Pixels (H, W, 3).
            mask: Saliency (H, W), or None.
            generator: Where the crop's margins come from.
            turn: Which of the sizes is at turn, from :meth:`turn`.
        """
        assert self.max_margins is not None
        size, max_margin = self.sizes[turn], self.max_margins[turn]
        rows = columns = slice(None)
        if generator.random() < self.crop_prob:
            rows, columns = (
                slice(margin, side - margin)
                for side, margin in zip(
                    size, generator.integers(max_margin + 1, size=2), strict=True
                )
            )
        return on_both(
            lambda x: resize_image(resize_image(x, size)[rows, columns], size), image, mask
        )

    def turn(self, draw: int | None = None, pass_number: int | None = None) -> int:
        """Return which of the sizes is at turn.

        Args:
            draw: How many samples the run has drawn before, all processes together.
            pass_number: How many passes came before; None where batches run on from pass to pass.

        Raises:
            ValueError: If a number that decides is not known.
        """
        if len(self.sizes) == 1:
            return 0
        if draw is None:
            raise ValueError(
                'MultiSizeResize needs the numbers of the draws: use '
                "sampler=dict(type='sod_plugins.DrawSampler')."
            )
        if self.draws_per_size is not None:
            return draw // self.draws_per_size % len(self.sizes)
        if pass_number is None:
            raise ValueError(
                'In a run by iterations, batches run on from pass to pass: give MultiSizeResize '
                'draws_per_size, a multiple of the batch size times the number of processes.'
            )
        return pass_number % len(self.sizes)
