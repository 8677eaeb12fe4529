"""Preprocessing of images and postprocessing of logits, in one place."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from sod_plugins._common.input_format import InputFormat
from sod_plugins._common.limits import require_size
from sod_plugins.ops.resize import resize_bilinear

_LARGE = 1 << 24  # number of values above which memory is saved


@dataclass(frozen=True)
class Preprocessing(InputFormat):
    """Input size and normalisation of a network; stored in its checkpoint.

    Args:
        size: Height and width to which images are resized, in pixels.
        mean: Mean of the red, green and blue channel, on the scale 0 to 255.
        std: Standard deviations of the channels, on the same scale.
        antialias: Whether to antialias when downsampling images. The released networks were trained
            without antialiasing; networks trained with it need it.
    """

    def with_size(self, size: tuple[int, int] | None) -> Preprocessing:
        """Return the same for another height and width, if they are not None.

        Raises:
            ValueError: The size is absurd.
        """
        return self if size is None else replace(self, size=require_size(size))

    def apply(self, image: npt.NDArray[np.uint8]) -> Tensor:
        """Convert an 8-bit RGB image (H, W, 3) to a normalised batch (1, 3, *size), float32.

        The image may have any strides, including negative ones.
        """
        # In float32 a large image takes four times its memory, so process one channel at a time.
        step = 3 if image.size <= _LARGE else 1
        resized = [self._resize(image[..., first : first + step]) for first in range(0, 3, step)]
        mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (self.mean, self.std))
        return (torch.cat(resized, dim=1) - mean) / std

    def _resize(self, image: npt.NDArray[np.uint8]) -> Tensor:
        """Resize channels (H, W, C) of an image to (1, C, *size), float32."""
        pixels = torch.from_numpy(np.array(image, np.float32, order='C'))
        return resize_bilinear(pixels.permute(2, 0, 1)[None], self.size, antialias=self.antialias)


def saliency_map(logits: Tensor, size: tuple[int, int]) -> Tensor:
    """Convert logits (N, 1, h, w) to saliency (N, 1, *size) in [0, 1]: sigmoid, then resize.

    The order is that of the released test code; resizing logits first would sharpen every edge.
    """
    return resize_bilinear(logits.sigmoid(), size)


def to_uint8(saliency: Tensor) -> npt.NDArray[np.uint8]:
    """Quantise saliency in [0, 1] to 8 bits by truncation, as the papers' maps were saved."""
    levels = torch.empty(saliency.shape, dtype=torch.uint8)
    # Part by part, because the product of a large map would take its memory again.
    rows = max(1, _LARGE * len(saliency) // max(1, saliency.numel()))
    for row in range(0, len(saliency), rows):
        levels[row : row + rows] = (saliency[row : row + rows] * 255).to(torch.uint8)
    array: npt.NDArray[np.uint8] = levels.numpy()
    return array
