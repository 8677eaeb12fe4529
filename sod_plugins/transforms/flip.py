"""Random flips of an image and its saliency mask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from sod_plugins._common.choices import require_choice
from sod_plugins.transforms.base import Array, Pair, Transform, on_both

FlipDirection = Literal['horizontal', 'vertical']
_AXES: dict[FlipDirection, int] = {'horizontal': 1, 'vertical': 0}


@dataclass(eq=False)
class RandomSaliencyFlip(Transform):
    """Flip at random, in a direction chosen at random.

    CSNet's released training flips half of the images, half of these horizontally and half
    vertically: ``directions=('horizontal', 'vertical')``.

    Args:
        prob: The probability of a flip.
        directions: The directions to choose from with equal probability: ``'horizontal'``
            exchanges left and right, ``'vertical'`` top and bottom.

    Raises:
        ValueError: The probability is out of range, or a direction is unknown.
    """

    prob: float = 0.5
    directions: Sequence[FlipDirection] = ('horizontal',)

    def __post_init__(self) -> None:
        if not 0 <= self.prob <= 1:
            raise ValueError(f'prob must lie between 0 and 1, but is {self.prob}.')
        if isinstance(self.directions, str) or not self.directions:
            raise ValueError(
                f'directions must be a list of {list(_AXES)}, got {self.directions!r}.'
            )
        self.directions = tuple(require_choice('directions', d, _AXES) for d in self.directions)

    def apply(self, image: Array, mask: Array | None, generator: np.random.Generator) -> Pair:
        """Flip an image (H, W, 3) and its mask (H, W) together, or neither."""
        return flip(image, mask, self.draw_direction(generator))

    def draw_direction(self, generator: np.random.Generator) -> FlipDirection | None:
        """Sample the direction of a flip; None for no flip."""
        if generator.random() < self.prob:
            return self.directions[int(generator.integers(len(self.directions)))]
        return None


def flip(image: Array, mask: Array | None, direction: FlipDirection | None) -> Pair:
    """Flip an image and its mask in a direction; None leaves them unchanged."""
    if direction is None:
        return image, mask
    return on_both(lambda x: np.flip(x, axis=_AXES[direction]), image, mask)
