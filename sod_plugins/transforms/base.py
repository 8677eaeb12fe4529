"""The base class of all transforms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Pair = tuple[Array, Array | None]


class Transform:
    """A transform of an image (H, W, 3), in RGB from 0 to 255, and its mask (H, W), from 0 to 1."""

    def apply(self, image: Array, mask: Array | None, generator: np.random.Generator) -> Pair:
        """Return the transformed image and mask; the given arrays are not modified.

        Args:
            image: Pixels (H, W, 3), uint8 or float32.
            mask: Saliency (H, W), float32; None if there is none.
            generator: The source of all random choices.
        """
        raise NotImplementedError


def on_both(change: Callable[[Array], Array], image: Array, mask: Array | None) -> Pair:
    """Apply the same change to an image and, if given, its mask."""
    return change(image), None if mask is None else change(mask)
