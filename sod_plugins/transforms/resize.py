"""Resize an image and its saliency mask: to one size, to several in turn, to a centre crop."""

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

    Uses the same function as :class:`sod_plugins.networks.Preprocessing`, so that a network sees
    the same pixels in training, testing and prediction. (The hosts' own ``Resize`` rounds the image
    to whole grey levels and resizes the mask by nearest neighbour.)

    Args:
        size: Height and width, in pixels. The aspect ratio is not kept.
        antialias: Whether to antialias when downsampling. The setting is stored in the checkpoint,
            so that prediction resizes images in the same way.
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
    """Resize the short edge to a given length, then crop the centre.

    This is the usual test transform of classifiers: the central 224 pixels of a short edge of 256.

    Args:
        size: Height and width of the output, in pixels.
        short_edge: Length of the short edge before the crop, at least the larger side of ``size``.

    Raises:
        ValueError: The crop would be larger than the resized image.
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

    The size depends only on the number of the draw (see :mod:`sod_plugins.data.sampling`), so all
    images of a batch, all worker processes and a resumed run agree on it. As in SAMNet's released
    training, each epoch has its size, and an image is cropped by the same margin left and right,
    and by another margin at top and bottom. Masks stay soft, whereas the released training resizes
    them by nearest neighbour and sets everything that is not exactly 255 to 0.

    Args:
        sizes: Height and width for each epoch, in pixels; after the last comes the first again.
        max_margins: The largest margin for each size, in pixels; margins are uniform from 0 to it.
            Default: 0.
        crop_prob: The probability of a crop.
        draws_per_size: The number of draws, over all processes, after which the size changes; by
            default the size changes after each epoch. Iteration-based runs need it, because their
            batches run on from epoch to epoch: use a multiple of the batch size times the number
            of processes.

    Raises:
        ValueError: The arguments contradict each other.
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
            generator: The source of the crop's margins.
            turn: The index of the current size, from :meth:`turn`.
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

    def turn(self, draw: int | None = None, epoch: int | None = None) -> int:
        """Return the index of the current size.

        Args:
            draw: Number of samples that the run has drawn before, over all processes.
            epoch: Number of epochs before; None if batches run on from epoch to epoch.

        Raises:
            ValueError: The number that decides is not known.
        """
        if len(self.sizes) == 1:
            return 0
        if draw is None:
            raise ValueError(
                'MultiSizeResize needs the numbers of the draws: use '
                "sampler=dict(type='sod_plugins.ResumableSampler')."
            )
        if self.draws_per_size is not None:
            return draw // self.draws_per_size % len(self.sizes)
        if epoch is None:
            raise ValueError(
                'In a run by iterations, batches run on from epoch to epoch: give MultiSizeResize '
                'draws_per_size, a multiple of the batch size times the number of processes.'
            )
        return epoch % len(self.sizes)
