"""Backgrounds of cut-outs: a colour, another image, or the blurred original."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor, ImageFilter, ImageOps

from sod_plugins.data import ImageSource, read_image

BLUR = 'blur'
_BLUR_RADIUS = 0.02  # of the longer side
_BLURRED_AT = 256  # pixels of the longer side; so wide a blur loses nothing at this size


@dataclass(frozen=True)
class Background:
    """A background; create it with :meth:`read`.

    Attributes:
        name: The background as given by the user.
        colour: RGBA, if it is a colour.
        image: uint8 (H, W, 3), if it is an image.
    """

    name: str
    colour: tuple[int, int, int, int] | None = None
    image: NDArray[np.uint8] | None = None

    @classmethod
    def read(cls, source: ImageSource | tuple[int, ...]) -> Background:
        """Read and check a background.

        Args:
            source: A colour, as RGB or RGBA from 0 to 255 or in CSS notation (``'white'``,
                ``'#0f0'``, ``'#00ff0080'``, ``'rgb(0, 255, 0)'``); ``'blur'`` for the blurred
                original; or an image: a path, the bytes of a file, an open file or a Pillow image.
                An image is scaled to cover the original, and cropped evenly.

        Raises:
            ValueError: It is neither a colour nor an existing image.
        """
        if isinstance(source, tuple):
            if len(source) not in (3, 4) or not all(0 <= value <= 255 for value in source):
                raise ValueError(f'background is {source}. Give RGB or RGBA from 0 to 255.')
            red, green, blue, alpha = (*source, 255)[:4]
            return cls(str(source), (red, green, blue, alpha))
        if source == BLUR:
            return cls(BLUR)
        if isinstance(source, str) and not Path(source).exists():
            try:
                red, green, blue, alpha = ImageColor.getcolor(source, 'RGBA')  # type: ignore[misc]
            except ValueError:
                raise ValueError(
                    f"background '{source}' is no colour such as white or #0f0, no image and "
                    f"not '{BLUR}'."
                ) from None
            return cls(source, (red, green, blue, alpha))
        name = str(source) if isinstance(source, (str, Path)) else 'an image'
        return cls(name, image=read_image(source))

    @property
    def is_opaque(self) -> bool:
        """Return whether the background is opaque."""
        return self.colour is None or self.colour[3] == 255

    def paint(self, photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the background for an image (H, W, 3), with 3 channels or, with alpha, 4."""
        height, width = photo.shape[:2]
        if self.colour is not None:
            colour = np.array(self.colour[: 3 if self.is_opaque else 4], np.uint8)
            return np.broadcast_to(colour, (height, width, len(colour)))
        if self._image is not None:
            return np.asarray(ImageOps.fit(self._image, (width, height)))
        image = Image.fromarray(photo)
        scale = min(1.0, _BLURRED_AT / max(width, height))
        small = image.resize(
            (max(1, round(width * scale)), max(1, round(height * scale))), Image.Resampling.BOX
        )
        blurred = small.filter(ImageFilter.GaussianBlur(_BLUR_RADIUS * max(small.size)))
        return np.asarray(blurred.resize((width, height), Image.Resampling.BICUBIC))

    @cached_property
    def _image(self) -> Image.Image | None:
        return None if self.image is None else Image.fromarray(self.image)
