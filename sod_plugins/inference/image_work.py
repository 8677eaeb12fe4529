"""Process the images of a folder, a stream or a data set: decode, compute, encode."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sod_plugins._common.names import ExifRule, OutputKind
from sod_plugins._common.writing import write_bytes
from sod_plugins.data import DecodedImage, ImageSource, decode_image, read_reduced
from sod_plugins.inference.edges import enlarge_along_edges
from sod_plugins.inference.enlarging import enlarge, enlarge_levels, quantise
from sod_plugins.inference.outputs import DEFAULTS, Encoded, encode_prediction
from sod_plugins.inference.rendering import Levels, OutputOptions
from sod_plugins.inference.runners import Runner

if TYPE_CHECKING:
    from sod_plugins.inference.dense_crf import DenseCRF

Saliency = NDArray[np.float32]
# Smallest ratio of the size of a reduced JPEG to the network's input.
FINER = 2


@dataclass
class PreparedImage:
    """An image on its way to the network.

    Attributes:
        prepared: The network's input (3, h, w).
        size: Height and width of the image.
        photo: The image; None if its pixels are no longer needed.
    """

    prepared: Saliency
    size: tuple[int, int]
    photo: DecodedImage | None


class ImageWork:
    """The processing stages of an image, for :func:`~sod_plugins.inference.pipeline.run_pipeline`.

    Args:
        runner: Runs the network.
        kinds: The requested outputs.
        options: The appearance of the outputs.
        exif: ``'apply'`` or ``'ignore'``.
        edges: Whether to upsample maps along the edges of the image.
        crf: Refines each map; None for no refinement.

    Attributes:
        crf_seconds: Time spent refining the maps.
    """

    def __init__(
        self,
        runner: Runner,
        kinds: Sequence[OutputKind],
        options: OutputOptions = DEFAULTS,
        exif: ExifRule = 'apply',
        edges: bool = False,
        crf: DenseCRF | None = None,
    ) -> None:
        self._runner = runner
        self._kinds = kinds
        self._options = options
        self._exif = exif
        self._edges = edges
        self._crf = crf
        self._keeps_photo = bool({'cutout', 'overlay'} & {*kinds}) or edges or crf is not None
        self.crf_seconds = 0.0
        self._lock = threading.Lock()

    def decode(self, source: ImageSource) -> PreparedImage:
        """Read an image, no finer than needed, and prepare it for the network.

        Raises:
            DataError: The image cannot be read.
        """
        wanted = self._runner.input_format
        if self._keeps_photo or not wanted.antialias:
            photo = decode_image(source, self._exif)
            size = photo.pixels.shape[0], photo.pixels.shape[1]
            prepared = self._runner.prepare(photo.pixels)
            return PreparedImage(prepared, size, photo if self._keeps_photo else None)
        least = FINER * wanted.size[0], FINER * wanted.size[1]
        pixels, size = read_reduced(source, least, self._exif)
        return PreparedImage(self._runner.prepare(pixels), size, None)

    def compute(self, images: Sequence[PreparedImage]) -> list[Saliency]:
        """Return the small maps of images, in [0, 1]."""
        return list(self._runner.small_maps([image.prepared for image in images]))

    def render(self, image: PreparedImage, small: Saliency) -> dict[OutputKind, Encoded]:
        """Return the outputs of an image as encoded bytes."""
        levels = self._levels(image, small)
        photo = image.photo or DecodedImage(np.broadcast_to(np.uint8(0), (*image.size, 3)))
        return {kind: encode_prediction(photo, levels, kind, self._options) for kind in self._kinds}

    def write(
        self, targets: Mapping[OutputKind, Path], image: PreparedImage, small: Saliency
    ) -> None:
        """Write the outputs of an image.

        Raises:
            OSError: A file cannot be written.
        """
        for kind, encoded in self.render(image, small).items():
            write_bytes(targets[kind], encoded.content)

    def _levels(self, image: PreparedImage, small: Saliency) -> Levels:
        """Return the 8-bit map of an image at its size."""
        if self._edges and image.photo is not None:
            saliency = enlarge_along_edges(small, image.photo.pixels)
        elif self._crf is not None:
            saliency = enlarge(small, image.size)
        else:
            return enlarge_levels(small, image.size)
        if self._crf is not None and image.photo is not None:
            start = time.perf_counter()
            saliency = self._crf.refine(image.photo.pixels, saliency)
            with self._lock:
                self.crf_seconds += time.perf_counter() - start
        return quantise(saliency)
