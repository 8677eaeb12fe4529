"""Random changes of image colours."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sod_plugins.transforms.base import Array, Pair, Transform

# Luma of ITU-R BT.601, as in Pillow.
_GREY = np.array([0.299, 0.587, 0.114], dtype=np.float32)
# Where red, green and blue each start to rise, in sixths of the hue circle.
_RISES = np.array([5, 3, 1], dtype=np.float32)


@dataclass(eq=False)
class ColorJitter(Transform):
    """Change brightness, contrast, saturation and hue by random amounts in random order.

    SAMNet's released training uses 0.2, 0.2, 0.2 and 0.1. Each change equals that of Pillow's
    ``ImageEnhance``, but in floating point, without rounding to whole grey levels in between.

    Args:
        brightness: The image is multiplied by a factor in [1 - ``brightness``,
            1 + ``brightness``].
        contrast: The difference from the mean grey is multiplied by such a factor.
        saturation: The difference from the greyscale image is multiplied by such a factor.
        hue: The hue is rotated by up to this fraction of the circle, either way; at most 0.5.

    Raises:
        ValueError: A strength is out of its range.
    """

    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0

    def __post_init__(self) -> None:
        for name, strength in asdict(self).items():
            most = 0.5 if name == 'hue' else 1
            if not 0 <= strength <= most:
                raise ValueError(f'{name} must lie between 0 and {most}, but is {strength}.')

    def apply(self, image: Array, mask: Array | None, generator: np.random.Generator) -> Pair:
        """Change the colours of an image (H, W, 3) and return it as float32, with the same mask."""
        strengths = list(asdict(self).items())
        image = image.astype(np.float32)
        for index in generator.permutation(len(strengths)):
            name, strength = strengths[index]
            if strength > 0:
                image = _CHANGES[name](image, generator.uniform(-strength, strength))
        return image, mask


def change_brightness(image: NDArray[np.float32], amount: float) -> NDArray[np.float32]:
    """Multiply an image (H, W, 3) by 1 + ``amount``."""
    return np.clip(image * np.float32(1 + amount), 0, 255)


def change_contrast(image: NDArray[np.float32], amount: float) -> NDArray[np.float32]:
    """Multiply an image's difference from its mean grey by 1 + ``amount``."""
    return _spread(image, (image @ _GREY).mean(), amount)


def change_saturation(image: NDArray[np.float32], amount: float) -> NDArray[np.float32]:
    """Multiply an image's difference from the greyscale image by 1 + ``amount``."""
    return _spread(image, (image @ _GREY)[..., None], amount)


def turn_hue(image: NDArray[np.float32], turn: float) -> NDArray[np.float32]:
    """Rotate the hue by a fraction of the circle, keeping HSV value and saturation."""
    value = image.max(axis=-1, keepdims=True)
    chroma = value - image.min(axis=-1, keepdims=True)
    hue = _hue(image, value, chroma) + np.float32(6 * turn)
    # Smith, "Color gamut transform pairs" (SIGGRAPH 1978), as one formula for all three channels.
    phase = (_RISES + hue) % 6
    fall = np.clip(np.minimum(phase, 4 - phase), 0, 1)
    turned: NDArray[np.float32] = value - chroma * fall
    return turned


def _hue(
    image: NDArray[np.float32], value: NDArray[np.float32], chroma: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the hue (H, W, 1) in sixths of the circle; 0 for grey."""
    red, green, blue = np.split(image, 3, axis=-1)
    sextants = [
        (value == red, green - blue, 0),
        (value == green, blue - red, 2),
        (value == blue, red - green, 4),
    ]
    safe = np.where(chroma > 0, chroma, 1)
    hues = [difference / safe + np.float32(offset) for _, difference, offset in sextants]
    hue: NDArray[np.float32] = np.select([largest for largest, _, _ in sextants], hues)
    return hue


def _spread(image: NDArray[np.float32], centre: Any, amount: float) -> NDArray[np.float32]:
    spread: NDArray[np.float32] = centre + (image - centre) * np.float32(1 + amount)
    return np.clip(spread, 0, 255)


_CHANGES = {
    'brightness': change_brightness,
    'contrast': change_contrast,
    'saturation': change_saturation,
    'hue': turn_hue,
}
