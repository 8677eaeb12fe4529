"""Turns the options of a request into the function that renders its answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import ImageColor

from sod_plugins._common.names import Product
from sod_plugins.data import DataError, DecodedImage, Instances
from sod_plugins.inference import Background, Encoded, OutputOptions, encode_prediction
from sod_plugins.inference.edges import enlarge_along_edges
from sod_plugins.serve.models import ServedModel
from sod_plugins.serve.options import PredictOptions, RemoveOptions
from sod_plugins.serve.probing import probe
from sod_plugins.serve.refusals import Refusal
from sod_plugins.visualization.instance_overlays import SHOWN

_LARGEST_BACKGROUND = 12_000_000  # pixels

_OF_PHOTOS = ('cutout', 'overlay')
_OF_MAPS = ('map', 'mask', *_OF_PHOTOS)
# Images of instances show the same ones as overlays.
OUTPUTS = {'saliency': _OF_MAPS, 'instances': (*_OF_MAPS, 'instances')}


class Renderer(NamedTuple):
    """Renders the answer to a request.

    Attributes:
        encode: Maps image and result to the bytes of the answer; called in a thread.
        shows_photo: Whether it needs the pixels of the image, not only its size.
    """

    encode: Callable[[DecodedImage, Any], Encoded]
    shows_photo: bool


def predict_renderer(
    model: ServedModel, options: PredictOptions, background: bytes | None
) -> Renderer:
    """Return the renderer for ``/api/predict``.

    Args:
        model: The model.
        options: The options of the request.
        background: The bytes of an image for the background of cut-outs.

    Raises:
        Refusal: 422: the model has no such output, or an option cannot be used.
    """
    outputs = OUTPUTS[model.task]
    if options.output not in outputs:
        asked = ' or '.join(outputs)
        raise Refusal(422, f'output: {model.name} finds {model.task}. Ask for {asked}.')
    appearance = _output_options(
        format=options.format,
        quality=options.quality,
        threshold=options.threshold,
        grow=options.grow,
        crop=options.crop,
        background=_background(options.background, background),
        foreground=options.foreground,
        polygons=options.segmentation == 'polygons',
    )

    def render(photo: DecodedImage, found: Any) -> Encoded:
        if isinstance(found, Instances):
            found = _above(found, options.min_score)
            if options.output not in ('instances', 'overlay'):
                found = _together(found)
        return _encode(photo, found, options.output, appearance, options.edges)

    shows_photo = options.edges or options.output in _OF_PHOTOS
    return Renderer(render, shows_photo)


def remove_renderer(options: RemoveOptions) -> Renderer:
    """Return the renderer for ``/api/remove``, whose answer is always a PNG.

    Raises:
        Refusal: 422: the background is not a colour.
    """
    colour = options.background
    appearance = _output_options(
        format='png',
        threshold=0.5 if options.ppm else None,
        background=None if colour is None else Background.read(colour),
        foreground=options.dc,
    )
    output: Product = (
        'map' if options.om and not options.ppm else 'mask' if options.om else 'cutout'
    )

    def render(photo: DecodedImage, found: Any) -> Encoded:
        if isinstance(found, Instances):
            found = _together(found)
        return _encode(photo, found, output, appearance, options.a)

    return Renderer(render, options.a or not options.om)


def _above(found: Instances, min_score: float) -> Instances:
    kept = found.scores >= min_score
    return Instances(found.boxes[kept], found.masks[kept], found.scores[kept], found.labels[kept])


def _together(found: Instances) -> NDArray[np.uint8]:
    """Return the instances that overlays draw, merged into one 8-bit map (H, W)."""
    shown = found.masks[found.scores >= SHOWN].any(0)
    return np.where(shown, np.uint8(255), np.uint8(0))


def _encode(
    photo: DecodedImage, found: Any, output: Product, appearance: OutputOptions, edges: bool
) -> Encoded:
    is_map = not isinstance(found, Instances) and found.dtype != np.uint8
    if edges and is_map:
        found = enlarge_along_edges(found, photo.pixels)
    try:
        return encode_prediction(photo, found, output, appearance)
    except ValueError as error:  # a format that cannot hold the image
        raise Refusal(422, str(error)) from None


def _output_options(**values: Any) -> OutputOptions:
    try:
        return OutputOptions(**values)
    except ValueError as error:
        raise Refusal(422, str(error)) from None


def _background(name: str | None, image: bytes | None) -> Background | None:
    """Return the background of cut-outs; a name never refers to a file on the server."""
    if image is not None:
        probe(image, _LARGEST_BACKGROUND)
        try:
            return Background.read(image)
        except DataError as error:
            raise Refusal(422, f'background: {error}') from None
    if not name:
        return None
    if name == 'blur':
        return Background.read(name)
    try:
        return Background.read(ImageColor.getcolor(name, 'RGBA'))  # type: ignore[arg-type]
    except ValueError:
        raise Refusal(
            422, f"background {name!r} is no colour such as white or #0f0, and not 'blur'."
        ) from None
