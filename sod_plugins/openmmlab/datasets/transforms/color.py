"""Random changes of an image's colours.

Random choices come from ``results['rng']`` alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from mmcv.image import imconvert
from mmcv.transforms import BaseTransform
from numpy.typing import NDArray

from sod_plugins.registry import TRANSFORMS

# Luma of ITU-R BT.601, as Pillow has it.
_GREY = np.array([0.299, 0.587, 0.114], dtype=np.float32)


@TRANSFORMS.register_module()
class ColorJitter(BaseTransform):
    """Change brightness, contrast, saturation and hue by random amounts in random order.

    SAMNet's released training uses 0.2, 0.2, 0.2 and 0.1. Each change is that of Pillow's
    ``ImageEnhance``, but in floating point, without rounding to whole grey levels in between.

    Args:
        brightness: The image is multiplied by a factor from 1 - ``brightness`` to 1 + it.
        contrast: So is its difference from its mean grey.
        saturation: So is its difference from its own grey image.
        hue: The hue turns by up to this fraction of the circle, either way; at most 0.5.
    """

    def __init__(
        self,
        brightness: float = 0.0,
        contrast: float = 0.0,
        saturation: float = 0.0,
        hue: float = 0.0,
    ) -> None:
        self.strengths = {
            'brightness': brightness,
            'contrast': contrast,
            'saturation': saturation,
            'hue': hue,
        }
        for name, strength in self.strengths.items():
            most = 0.5 if name == 'hue' else 1
            if not 0 <= strength <= most:
                raise ValueError(f'{name} must lie between 0 and {most}, but is {strength}.')

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Change ``img``, RGB (H, W, 3) in 0..255, and make it float32."""
        rng = results['rng']
        image = results['img'].astype(np.float32)
        for index in rng.permutation(len(self.strengths)):
            name, strength = list(self.strengths.items())[index]
            if strength > 0:
                image = _CHANGES[name](image, rng.uniform(-strength, strength))
        results['img'] = image
        return results

    def __repr__(self) -> str:
        strengths = ', '.join(f'{name}={value}' for name, value in self.strengths.items())
        return f'{type(self).__name__}({strengths})'


def change_brightness(image: NDArray[np.float32], amount: float) -> NDArray[np.float32]:
    """Multiply an image (H, W, 3) by 1 + ``amount``."""
    return np.clip(image * np.float32(1 + amount), 0, 255)


def change_contrast(image: NDArray[np.float32], amount: float) -> NDArray[np.float32]:
    """Multiply an image's difference from its mean grey by 1 + ``amount``."""
    return _spread(image, (image @ _GREY).mean(), amount)


def change_saturation(image: NDArray[np.float32], amount: float) -> NDArray[np.float32]:
    """Multiply an image's difference from its own grey image by 1 + ``amount``."""
    return _spread(image, (image @ _GREY)[..., None], amount)


def turn_hue(image: NDArray[np.float32], turn: float) -> NDArray[np.float32]:
    """Turn the hue by a fraction of the circle, with value and saturation of HSV as they are."""
    hsv = imconvert(image, 'rgb', 'hsv')  # of float32: the hue in degrees
    hsv[..., 0] = (hsv[..., 0] + np.float32(360 * turn)) % 360
    return imconvert(hsv, 'hsv', 'rgb')


def _spread(image: NDArray[np.float32], centre: Any, amount: float) -> NDArray[np.float32]:
    return np.clip(centre + (image - centre) * np.float32(1 + amount), 0, 255)


_CHANGES = {
    'brightness': change_brightness,
    'contrast': change_contrast,
    'saturation': change_saturation,
    'hue': turn_hue,
}
