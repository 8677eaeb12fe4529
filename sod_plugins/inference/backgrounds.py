"""What is put behind a cut-out: a colour, another picture, or the photo itself, blurred."""

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
_BLURRED_AT = 256  # pixels of the longer side, at which a blur so wide loses nothing


@dataclass(frozen=True)
class Background:
    """A background, read and checked: make it by :meth:`read`.

    Attributes:
        name: How the user named it.
        colour: RGBA, where it is a colour.
        picture: uint8 (H, W, 3), where it is a picture.
    """

    name: str
    colour: tuple[int, int, int, int] | None = None
    picture: NDArray[np.uint8] | None = None

    @classmethod
    def read(cls, source: ImageSource | tuple[int, ...]) -> Background:
        """Read a background.

        Args:
            source: A colour, as RGB or RGBA from 0 to 255 or as CSS writes it (``'white'``,
                ``'#0f0'``, ``'#00ff0080'``, ``'rgb(0, 255, 0)'``); ``'blur'`` for the photo itself,
                blurred; or a picture: a file, its bytes, an open file or an image of Pillow's. A
                picture is scaled to cover the photo, and cut evenly.

        Raises:
            ValueError: It is no colour, and there is no such picture.
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
                    f"background '{source}' is no colour such as white or #0f0, no picture and "
                    f"not '{BLUR}'."
                ) from None
            return cls(source, (red, green, blue, alpha))
        name = str(source) if isinstance(source, (str, Path)) else 'a picture'
        return cls(name, picture=read_image(source))

    @property
    def is_opaque(self) -> bool:
        """Whether nothing shines through."""
        return self.colour is None or self.colour[3] == 255

    def paint(self, photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the background of a photo (H, W, 3), of 3 channels or, with alpha, of 4."""
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
        return None if self.picture is None else Image.fromarray(self.picture)
