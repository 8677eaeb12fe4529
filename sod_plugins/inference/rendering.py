"""Render the outputs of a prediction: options, and the steps from map and image to pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sod_plugins._common.choices import require_choice
from sod_plugins._common.names import IMAGE_FORMATS, ImageFormat, OutputKind
from sod_plugins.data import DecodedImage
from sod_plugins.data.encoding import FORMATS, require_format
from sod_plugins.inference.backgrounds import Background
from sod_plugins.visualization.overlays import tint_saliency

Levels = NDArray[np.uint8]
# The alpha of a cut-out by level: the map at twice its contrast around a half. Haze below a quarter
# disappears, and the object is opaque from three quarters on.
_CONTRAST = 2
_ALPHA = [min(max(int(_CONTRAST * (level - 127.5) + 128), 0), 255) for level in range(256)]
_FAINT = 26  # levels below this, a tenth, are ignored for the frame of a crop
_ROWS = 256  # processed at a time, to save memory
_CACHED_ROWS = 32  # that stay in the processor's cache


@dataclass(frozen=True)
class OutputOptions:
    """The appearance of outputs. The map itself is saved unchanged.

    Args:
        format: ``'png'``, ``'webp'``, ``'jpeg'`` or ``'avif'``; by default JPEG for overlays of
            opaque images, else PNG. Maps and masks are exact: PNG or lossless WebP.
        quality: Quality of JPEG, WebP and AVIF, from 1 to 100; by default 90, for AVIF 75.
        threshold: Masks and cut-outs contain the pixels of at least this saliency, fully opaque; by
            default 0.5 for masks; the alpha of cut-outs is then the map at twice its contrast.
        grow: Pixels by which to grow the salient region of masks and cut-outs on all sides;
            negative numbers shrink it.
        crop: Whether to crop cut-outs to what is salient (alpha of at least a tenth); if nothing
            is, the whole image is kept.
        background: The background of cut-outs, see :meth:`Background.read`.
        foreground: Whether to estimate the colours of cut-outs under partial alpha, so that the old
            background does not shine through.
        polygons: Whether to outline instances by polygons, without holes, instead of RLE.

    Raises:
        ValueError: A value is not as described.
    """

    format: ImageFormat | None = None
    quality: int | None = None
    threshold: float | None = None
    grow: int = 0
    crop: bool = False
    background: Background | None = None
    foreground: bool = False
    polygons: bool = False

    def __post_init__(self) -> None:
        if self.format is not None:
            require_choice('format', self.format, IMAGE_FORMATS)
        if self.quality is not None and not 1 <= self.quality <= 100:
            raise ValueError(f'quality is {self.quality}. Give 1 to 100.')
        if self.threshold is not None and not 0 < self.threshold <= 1:
            raise ValueError(f'threshold is {self.threshold}. Give more than 0 and at most 1.')
        if abs(self.grow) > 1000:
            raise ValueError(f'grow is {self.grow}. Give -1000 to 1000 pixels.')

    def describe(self, kind: OutputKind) -> dict[str, Any]:
        """Return the settings that determine a kind of output, as plain values."""
        fields = {
            'map': ('format',),
            'mask': ('format', 'threshold', 'grow'),
            'cutout': ('format', 'quality', 'threshold', 'grow', 'crop', 'foreground'),
            'overlay': ('format', 'quality'),
        }[kind]
        values = {name: getattr(self, name) for name in fields}
        if kind == 'cutout':
            values['background'] = None if self.background is None else self.background.name
            values['contrast'] = _CONTRAST if self.threshold is None else None
        return values


def check_outputs(kinds: Sequence[OutputKind], options: OutputOptions) -> None:
    """Check, before any work, that the requested outputs can be made.

    Raises:
        ValueError: No output is requested, or the format cannot store one or cannot be written.
    """
    if not kinds:
        raise ValueError('No output is asked for. Ask for the map, mask, cut-out or overlay.')
    if options.format is None:
        return
    require_format(options.format)
    opaque = options.background is not None and options.background.is_opaque
    if 'cutout' in kinds and not opaque and not FORMATS[options.format].alpha:
        raise ValueError(
            f'{options.format} holds no transparency. Give cut-outs a background '
            '(--background white), or take png, webp or avif.'
        )


def cutout_alpha(levels: Levels, options: OutputOptions) -> Levels:
    """Return the alpha of a cut-out of an 8-bit map: a mask, or the map at twice its contrast."""
    if options.threshold is not None:
        return draw_mask(levels, options)
    alpha = np.asarray(Image.fromarray(levels).point(_ALPHA))
    return grow(alpha, options.grow) if options.grow else alpha


def draw_mask(levels: Levels, options: OutputOptions) -> Levels:
    """Return the mask of a map (H, W): 255 where it is salient, 0 elsewhere."""
    threshold = 0.5 if options.threshold is None else options.threshold
    binary = np.where(levels >= 255 * threshold, np.uint8(255), np.uint8(0))
    return grow(binary, options.grow) if options.grow else binary


def draw_cutout(photo: DecodedImage, levels: Levels, options: OutputOptions) -> NDArray[np.uint8]:
    """Return the cut-out of an image: RGBA, or RGB on an opaque background."""
    alpha = cutout_alpha(levels, options)
    if photo.alpha is not None:
        alpha = multiply(alpha, photo.alpha)
    pixels = photo.pixels
    rows, columns = _frame(alpha) if options.crop else (slice(None), slice(None))
    if options.foreground:
        from sod_plugins.inference.foreground import estimate_foreground

        pixels = estimate_foreground(pixels, alpha)
    background = None if options.background is None else options.background.paint(photo.pixels)
    if background is None:
        return with_alpha(pixels[rows, columns], alpha[rows, columns])
    return _compose(pixels[rows, columns], alpha[rows, columns], background[rows, columns])


def draw_overlay(photo: DecodedImage, levels: Levels) -> NDArray[np.uint8]:
    """Return an image tinted by its map: RGB, or RGBA if the image has alpha."""
    tinted = tint_saliency(photo.pixels, levels)
    return tinted if photo.alpha is None else with_alpha(tinted, photo.alpha)


def with_alpha(pixels: NDArray[np.uint8], alpha: Levels) -> NDArray[np.uint8]:
    """Return RGBA without colours under full transparency."""
    rgba = np.empty((*alpha.shape, 4), np.uint8)
    for start in range(0, len(alpha), _CACHED_ROWS):
        part = slice(start, start + _CACHED_ROWS)
        block = rgba[part]
        for channel in range(3):
            block[..., channel] = pixels[part, :, channel]
        block[..., 3] = alpha[part]
        whole = block.view(np.uint32)[..., 0]  # a pixel's four channels at once
        np.multiply(whole, alpha[part] > 0, out=whole)
    return rgba


def on_white(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Composite RGBA on white."""
    white = np.broadcast_to(np.uint8(255), (*pixels.shape[:2], 3))
    return _compose(pixels[..., :3], pixels[..., 3], white)


def multiply(first: Levels, second: Levels) -> Levels:
    """Multiply two alpha channels, with rounding."""
    product = first.astype(np.uint16) * second
    product += 127
    product //= 255
    return product.astype(np.uint8)


def grow(levels: Levels, pixels: int) -> Levels:
    """Grow the bright region of a map by a disc; a negative radius shrinks it.

    Beyond the border the map is extended by its border, so a region that touches it stays there.
    """
    if pixels < 0:
        return 255 - grow(255 - levels, -pixels)
    from scipy.ndimage import maximum_filter1d

    grown = levels.copy()
    for offset in range(min(pixels, len(levels) - 1) + 1):
        half = int((pixels**2 - offset**2) ** 0.5 + 0.5)
        wide = maximum_filter1d(levels, 2 * half + 1, axis=1, mode='nearest')
        lower, upper = slice(offset, None), slice(None, len(levels) - offset)
        np.maximum(grown[lower], wide[upper], out=grown[lower])
        np.maximum(grown[upper], wide[lower], out=grown[upper])
    return grown


def _frame(alpha: Levels) -> tuple[slice, slice]:
    """Return the rows and columns that contain all visible pixels, or all if there are none."""
    visible = alpha >= _FAINT
    slices = []
    for axis in (1, 0):
        found = np.flatnonzero(visible.any(axis))
        slices.append(slice(found[0], found[-1] + 1) if len(found) else slice(None))
    return slices[0], slices[1]


def _compose(
    pixels: NDArray[np.uint8], alpha: Levels, background: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Composite pixels (H, W, 3) over a background of 3 channels, or of 4 including alpha."""
    composed = np.empty(background.shape, np.uint8)
    for start in range(0, len(pixels), _ROWS):
        part = slice(start, start + _ROWS)
        share = alpha[part, ..., None].astype(np.float32) / 255
        below = background[part].astype(np.float32)
        front = pixels[part].astype(np.float32)
        if background.shape[2] == 3:
            composed[part] = np.rint(below[..., :3] + share * (front - below))
            continue
        behind = (1 - share) * below[..., 3:] / 255
        total = share + behind
        colour = (share * front + behind * below[..., :3]) / np.maximum(total, 1e-6)
        composed[part, ..., :3] = np.rint(colour * (total > 0))
        composed[part, ..., 3:] = np.rint(255 * total)
    return composed
