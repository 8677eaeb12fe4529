"""The positions of the taps of a dilated, strided window on a padded map."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

Size = int | tuple[int, int]


def pair(name: str, value: Size, least: int) -> tuple[int, int]:
    """Return a size as (rows, columns); a single number stands for both.

    Raises:
        ValueError: The value is neither, or smaller than ``least``.
    """
    sizes = tuple(value) if isinstance(value, (tuple, list)) else (value, value)
    if len(sizes) != 2 or any(not isinstance(x, int) or x < least for x in sizes):
        raise ValueError(
            f'{name} must be an int or (rows, columns), each at least {least}, got {value!r}.'
        )
    return sizes


@dataclass(frozen=True)
class Window:
    """A window of K_r x K_c taps, with each field as (rows, columns); taps count row by row.

    Tap k of output (y, x) lies at row ``stride * y + dilation * (k div K_c) - padding`` and column
    ``stride * x + dilation * (k mod K_c) - padding``, with the values of each axis.
    """

    kernel: tuple[int, int]
    dilation: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]

    @classmethod
    def of(cls, kernel: Size, dilation: Size, stride: Size, padding: Size | None) -> Window:
        """Create a window from the arguments of a convolution; None for padding centres it.

        Raises:
            ValueError: An argument is out of range, or no padding centres the window.
        """
        kernel = pair('kernel_size', kernel, 1)
        dilation = pair('dilation', dilation, 1)
        if padding is None:
            margins = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
            if any(margin % 2 for margin in margins):
                raise ValueError(
                    f'No padding centres kernel_size {kernel} with dilation {dilation}: '
                    'dilation * (kernel_size - 1) is odd; give padding.'
                )
            padding = (margins[0] // 2, margins[1] // 2)
        return cls(kernel, dilation, pair('stride', stride, 1), pair('padding', padding, 0))

    @property
    def count(self) -> int:
        """Number of taps."""
        return self.kernel[0] * self.kernel[1]

    def output_size(self, features: Tensor) -> tuple[int, int]:
        """Return (H', W') for features (N, C, H, W).

        Raises:
            ValueError: The window is larger than the padded map.
        """
        height, width = features.shape[2:]
        rows = height + 2 * self.padding[0] - self.dilation[0] * (self.kernel[0] - 1) - 1
        columns = width + 2 * self.padding[1] - self.dilation[1] * (self.kernel[1] - 1) - 1
        if rows < 0 or columns < 0:
            raise ValueError(
                f'kernel_size {self.kernel} with dilation {self.dilation} and padding '
                f'{self.padding} does not fit into features of {height} x {width}: give a smaller '
                'window or more padding.'
            )
        return rows // self.stride[0] + 1, columns // self.stride[1] + 1

    def pad(self, features: Tensor) -> Tensor:
        """Return features with zeros around them."""
        return F.pad(features, (*2 * (self.padding[1],), *2 * (self.padding[0],)))

    def crop(self, padded: Tensor, size: tuple[int, int] | torch.Size) -> Tensor:
        """Return the view of the unpadded features of size (H, W) in a padded map."""
        (top, left), (height, width) = self.padding, size
        return padded[..., top : top + height, left : left + width]

    def offsets(self) -> Iterator[tuple[int, int]]:
        """Iterate over the taps: row and column on the padded map, for the first output."""
        for row in range(self.kernel[0]):
            for column in range(self.kernel[1]):
                yield row * self.dilation[0], column * self.dilation[1]

    def views(self, padded: Tensor, size: tuple[int, int] | torch.Size) -> Iterator[Tensor]:
        """Iterate over the taps: views (..., H', W') of a padded map, shifted by the offsets."""
        down, right = self.stride
        height, width = down * (size[0] - 1) + 1, right * (size[1] - 1) + 1
        for row, column in self.offsets():
            yield padded[..., row : row + height : down, column : column + width : right]

    def rows(self, features: Tensor, size: tuple[int, int] | torch.Size) -> Iterator[Tensor]:
        """Iterate over the rows of taps: all neighbours (N, C, K_c, H', W') in the row."""
        padded = self.pad(features)[:, :, None]
        (down, right), (step_down, step_right) = self.stride, self.dilation
        height, width = down * (size[0] - 1) + 1, right * (size[1] - 1) + 1
        starts = range(0, self.kernel[1] * step_right, step_right)
        columns = torch.cat([padded[..., x : x + width : right] for x in starts], 2)
        for y in range(0, self.kernel[0] * step_down, step_down):
            yield columns[..., y : y + height : down, :]
