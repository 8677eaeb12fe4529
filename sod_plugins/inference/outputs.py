"""Outputs of predictions: images and instances, as encoded bytes or files."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sod_plugins._common.choices import require_choice
from sod_plugins._common.names import (
    IMAGE_FORMATS,
    OUTPUT_KINDS,
    PRODUCTS,
    ImageFormat,
    OutputKind,
    Product,
)
from sod_plugins._common.writing import write_bytes
from sod_plugins.data import DecodedImage, Instances, encode_image
from sod_plugins.data.encoding import FORMATS
from sod_plugins.data.polygons import trace_polygons
from sod_plugins.inference.enlarging import enlarge_levels, quantise
from sod_plugins.inference.rendering import (
    Levels,
    OutputOptions,
    draw_cutout,
    draw_mask,
    draw_overlay,
    on_white,
)

if TYPE_CHECKING:
    from sod_plugins.inference.inputs import PredictorInput
    from sod_plugins.inference.instance_predictor import InstancePredictor
    from sod_plugins.inference.predictor import SaliencyPredictor

SaliencyArray: TypeAlias = NDArray[np.float32]
# An image, or only its RGB, (H, W, 3) of uint8.
ShownImage: TypeAlias = 'DecodedImage | NDArray[np.uint8]'

INSTANCES: Literal['instances'] = 'instances'
DEFAULTS = OutputOptions()


@dataclass(frozen=True)
class Encoded:
    """An output as the bytes of a file.

    Attributes:
        content: The bytes.
        media_type: Media type in HTTP.
        suffix: File extension, such as ``'.png'``.
    """

    content: bytes
    media_type: str
    suffix: str


def encode_product(
    predictor: SaliencyPredictor | InstancePredictor,
    image: PredictorInput,
    product: Product = 'map',
    options: OutputOptions = DEFAULTS,
) -> Encoded:
    """Predict an image and encode one of its outputs.

    Args:
        predictor: The predictor.
        image: As for :meth:`SaliencyPredictor.predict`, for example the bytes of a file.
        product: ``'map'``, ``'mask'``, ``'cutout'`` or ``'overlay'`` for a saliency predictor;
            ``'instances'`` or ``'overlay'`` for an instance predictor.
        options: The appearance of images.

    Raises:
        DataError: The bytes or the file cannot be read as an image.
        ValueError: The predictor has no such output, or the format cannot store it.
    """
    from sod_plugins.inference.inputs import as_decoded_image

    require_choice('product', product, PRODUCTS)
    photo = as_decoded_image(image)
    return encode_prediction(photo, predictor.predict(photo.pixels), product, options)


def encode_prediction(
    image: ShownImage,
    prediction: SaliencyArray | Levels | Instances,
    product: Product = 'map',
    options: OutputOptions = DEFAULTS,
) -> Encoded:
    """Encode an output of an existing prediction, like :func:`encode_product`.

    Args:
        image: The image.
        prediction: The output of a predictor for it: instances; a map in [0, 1] at the size of the
            image, or of the network, which is upsampled; or an 8-bit map at the size of the image.
        product: As for :func:`encode_product`.
        options: The appearance of images.

    Raises:
        ValueError: As for :func:`encode_product`.
    """
    photo = _photo(image)
    if isinstance(prediction, Instances):
        require_choice('product of instances', product, (INSTANCES, 'overlay'))
        if product == INSTANCES:
            return _encode_instances(prediction, options)
        return _encode(photo, _draw_instances(photo, prediction), 'overlay', options)
    for kind in OUTPUT_KINDS:
        if kind == product:
            return _encode(photo, draw(photo, prediction, kind, options), kind, options)
    require_choice('product of a saliency map', product, OUTPUT_KINDS)
    raise AssertionError  # the line above has raised


def draw(
    photo: DecodedImage,
    saliency: SaliencyArray | Levels,
    kind: OutputKind,
    options: OutputOptions = DEFAULTS,
) -> NDArray[np.uint8]:
    """Return the pixels of an output: grey, RGB or RGBA.

    Args:
        photo: The image.
        saliency: As for :func:`encode_prediction`.
        kind: ``'map'``, ``'mask'``, ``'cutout'`` or ``'overlay'``.
        options: The appearance of the output.
    """
    levels = as_levels(saliency, photo.pixels.shape[:2])
    if kind == 'map':
        return levels
    if kind == 'mask':
        return draw_mask(levels, options)
    if kind == 'cutout':
        return draw_cutout(photo, levels, options)
    return draw_overlay(photo, levels)


def as_levels(saliency: SaliencyArray | Levels, size: tuple[int, ...]) -> Levels:
    """Return a map as 8 bits of a given size: level floor(255 s).

    It is truncated, not rounded, like the published maps of the field.
    """
    height, width = size
    if saliency.dtype == np.uint8:
        if saliency.shape != (height, width):
            raise ValueError(f'The map is {saliency.shape}, the photo {(height, width)}.')
        return saliency  # type: ignore[return-value]
    saliency = np.asarray(saliency, np.float32)
    if saliency.shape == (height, width):
        return quantise(saliency)
    return enlarge_levels(saliency, (height, width))


def output_format(kind: OutputKind, options: OutputOptions, alpha: bool = False) -> ImageFormat:
    """Return the file format of an output.

    Args:
        kind: The kind of output.
        options: Their ``format`` is used for every output that it can store. Maps and masks, which
            are exact, are PNG if it cannot store them. JPEG overlays are on white where the image
            is transparent.
        alpha: Whether the image has alpha.
    """
    if options.format is None:
        return 'jpeg' if kind == 'overlay' and not alpha else 'png'
    exact = kind in ('map', 'mask')
    return 'png' if exact and not FORMATS[options.format].exact else options.format


def save_map(path: str | Path, saliency: SaliencyArray) -> None:
    """Save a saliency map ``(H, W)`` in [0, 1] as 8-bit grey PNG: level floor(255 s)."""
    write_bytes(path, encode_map(saliency))


def save_cutout(
    path: str | Path, image: ShownImage, saliency: SaliencyArray, options: OutputOptions = DEFAULTS
) -> None:
    """Save an image as RGBA with the map ``(H, W)`` as alpha, at twice its contrast.

    Saliency ``s`` becomes the alpha ``2 s - 0.5``, within [0, 1]. The image's own alpha is
    multiplied in, and its colour profile and resolution are kept. Where the result is fully
    transparent the colours are black, so nothing of the background remains. The extension of the
    path determines the format.
    """
    options = _named_format(path, options)
    write_bytes(path, encode_prediction(image, saliency, 'cutout', options).content)


def save_overlay(
    path: str | Path, image: ShownImage, saliency: SaliencyArray, options: OutputOptions = DEFAULTS
) -> None:
    """Save an image tinted where the map ``(H, W)`` in [0, 1] is high.

    Alpha, colour profile and resolution of the image are kept. The extension of the path determines
    the format.
    """
    options = _named_format(path, options)
    write_bytes(path, encode_prediction(image, saliency, 'overlay', options).content)


def encode_map(saliency: SaliencyArray) -> bytes:
    """Return the file that :func:`save_map` writes."""
    return encode_image(quantise(saliency))


def encode_cutout(
    image: ShownImage, saliency: SaliencyArray, options: OutputOptions = DEFAULTS
) -> bytes:
    """Return the file that :func:`save_cutout` writes, by default as PNG."""
    return encode_prediction(image, saliency, 'cutout', options).content


def encode_overlay(
    image: ShownImage, saliency: SaliencyArray, options: OutputOptions = DEFAULTS
) -> bytes:
    """Return the file that :func:`save_overlay` writes, by default as JPEG."""
    return encode_prediction(image, saliency, 'overlay', options).content


def _photo(image: ShownImage) -> DecodedImage:
    return image if isinstance(image, DecodedImage) else DecodedImage(image)


def _named_format(path: str | Path, options: OutputOptions) -> OutputOptions:
    """Return options with the format of a path's extension, or PNG if it has none."""
    end = Path(path).suffix.lower().replace('.jpeg', '.jpg')
    named: ImageFormat = 'png'
    for name in IMAGE_FORMATS:
        if FORMATS[name].suffix == end:
            named = name
    return replace(options, format=named)


def _encode(
    photo: DecodedImage, pixels: NDArray[np.uint8], kind: OutputKind, options: OutputOptions
) -> Encoded:
    """Encode an output, with the image's profile and resolution if it shows the image."""
    format = output_format(kind, options, alpha=photo.alpha is not None)
    if kind == 'overlay' and pixels.shape[2] == 4 and not FORMATS[format].alpha:
        pixels = on_white(pixels)
    exact = kind in ('map', 'mask')
    content = encode_image(
        pixels,
        format,
        quality=options.quality,
        exact=exact,
        icc_profile=None if exact else photo.icc_profile,
        dpi=None if exact else photo.dpi,
    )
    return Encoded(content, FORMATS[format].media_type, FORMATS[format].suffix)


def _draw_instances(photo: DecodedImage, found: Instances) -> NDArray[np.uint8]:
    from sod_plugins.visualization.instance_overlays import SHOWN, draw_instances

    return draw_instances(photo.pixels, found.masks, found.scores, found.boxes, SHOWN)


def _encode_instances(found: Instances, options: OutputOptions) -> Encoded:
    """Encode instances as JSON: the size of the image, and COCO annotations."""
    entries = found.to_coco()
    if options.polygons:
        for entry, mask in zip(entries, found.masks, strict=True):
            entry['segmentation'] = trace_polygons(mask)
    height, width = found.size
    content = json.dumps({'height': height, 'width': width, 'annotations': entries})
    return Encoded(content.encode(), 'application/json', '.json')
