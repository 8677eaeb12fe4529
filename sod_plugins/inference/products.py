"""Turn encoded images into encoded products of one model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sod_plugins._common.names import OUTPUT_KINDS, ExifRule, Product
from sod_plugins.data import ImageSource, decode_image
from sod_plugins.inference.image_work import ImageWork
from sod_plugins.inference.outputs import INSTANCES, encode_prediction
from sod_plugins.inference.rendering import OutputOptions
from sod_plugins.inference.runners import open_runner


def open_products(
    model: Any,
    products: Sequence[Product],
    options: OutputOptions,
    *,
    exif: ExifRule = 'apply',
    backend: str | None = None,
    device: str | None = None,
) -> Callable[[ImageSource], dict[str, bytes]]:
    """Open a model and return the function from an image to its products.

    Args:
        model: As for :func:`~sod_plugins.inference.runners.open_runner`; for instances, as for
            :class:`~sod_plugins.inference.InstancePredictor`.
        products: The requested products.
        options: The appearance of the outputs.
        exif: ``'apply'`` or ``'ignore'``.
        backend: As for :func:`~sod_plugins.inference.open_network`.
        device: As for :class:`~sod_plugins.inference.SaliencyPredictor`.

    Raises:
        OSError: There is no such file.
        ValueError: The model cannot be used, or has no such product.
    """
    if INSTANCES in products:
        return _instances(model, products, options, exif, device)
    kinds = [kind for kind in OUTPUT_KINDS if kind in products]
    work = ImageWork(open_runner(model, backend, device), kinds, options, exif)

    def predict(source: ImageSource) -> dict[str, bytes]:
        image = work.decode(source)
        rendered = work.render(image, *work.compute([image]))
        return {kind: output.content for kind, output in rendered.items()}

    return predict


def _instances(
    model: Any,
    products: Sequence[Product],
    options: OutputOptions,
    exif: ExifRule,
    device: str | None,
) -> Callable[[ImageSource], dict[str, bytes]]:
    from sod_plugins.inference.instance_predictor import InstancePredictor

    predictor = InstancePredictor(model, device)

    def predict(source: ImageSource) -> dict[str, bytes]:
        photo = decode_image(source, exif)
        found = predictor.predict(photo.pixels)
        return {p: encode_prediction(photo, found, p, options).content for p in products}

    return predict
