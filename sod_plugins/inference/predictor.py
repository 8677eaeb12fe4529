"""Predict the saliency maps of images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from sod_plugins._common.choices import require_choice
from sod_plugins._common.limits import fitting_memory
from sod_plugins._common.names import OUTPUT_KINDS, OutputKind
from sod_plugins.checkpoints import load_network
from sod_plugins.inference.devices import input_dtype, move_network, zero_denormals
from sod_plugins.inference.enlarging import enlarge
from sod_plugins.inference.inputs import (
    PredictorInput,
    as_decoded_image,
    check_batch_size,
    in_batches,
)
from sod_plugins.inference.outputs import encode_prediction
from sod_plugins.inference.preparing import LARGE, prepare
from sod_plugins.inference.rendering import OutputOptions
from sod_plugins.networks import Preprocessing
from sod_plugins.ops.resize import resize_bilinear
from sod_plugins.zoo import default_model, find_model
from sod_plugins.zoo.resolver import PREFIX

SaliencyArray = NDArray[np.float32]
_PNG = OutputOptions(format='png')


class SaliencyPredictor:
    """Predicts where a viewer looks first, at the original size of the image.

    The image is resized bilinearly and normalised as the checkpoint says. The sigmoid is applied to
    the network's logits, and the result is resized bilinearly to the size of the image. The network
    computes in the type of its parameters: use ``SaliencyPredictor(network.half())`` for half
    precision.

    Any number of threads may share one predictor, whatever runs its network: each gets the maps
    that it would get alone. It can be pickled, also for a spawned process. On a CPU it goes on in a
    forked process, where torch then computes with one thread; a process that is forked from one
    with ONNX Runtime has to end as those of ``multiprocessing`` do, by ``os._exit``, because the
    library itself hangs at an ordinary end.

    Args:
        network: A checkpoint file that :func:`sod_plugins.networks.load_network` reads, or a
            network ``(N, 3, h, w) -> logits (N, 1, h, w)`` with an attribute ``preprocessing``.
            A network is moved to ``device`` and set to evaluation mode. ``zoo:NAME`` is a model
            of :mod:`sod_plugins.zoo`; by default its default model.
        device: The device; by default CUDA if available, else the CPU.
        batch_size: Number of images of a list that the network processes at once.

    Raises:
        FileNotFoundError: The checkpoint does not exist.
        ValueError: The checkpoint has another task, the network lacks ``preprocessing``, or the
            device does not exist.
    """

    def __init__(
        self,
        network: nn.Module | str | Path | None = None,
        device: str | torch.device | None = None,
        batch_size: int = 8,
    ) -> None:
        self.batch_size = check_batch_size(batch_size)
        if not isinstance(network, nn.Module):
            network = zero_denormals(load_network(model_file(network)))
        preprocessing = getattr(network, 'preprocessing', None)
        if not isinstance(preprocessing, Preprocessing):
            raise ValueError(
                f'{type(network).__name__} does not say which input it was trained on. Set its '
                'attribute `preprocessing` to a sod_plugins.networks.Preprocessing.'
            )
        if getattr(network, 'task', 'saliency') != 'saliency':
            raise ValueError(
                f'{type(network).__name__} finds {network.task}, no saliency map: use '
                'InstancePredictor for instances.'
            )
        self.network, self.device = move_network(network, device)
        self.preprocessing = preprocessing

    @overload
    def predict(self, images: list[Any] | tuple[Any, ...]) -> list[SaliencyArray]: ...

    @overload
    def predict(self, images: PredictorInput) -> SaliencyArray: ...

    def predict(
        self, images: PredictorInput | list[Any] | tuple[Any, ...]
    ) -> SaliencyArray | list[SaliencyArray]:
        """Predict the saliency of every pixel.

        Args:
            images: An image, or a list of images of any sizes. An image is a path, the bytes of a
                file, an open file or a Pillow image, turned upright by its stated orientation; an
                RGB array ``(H, W, 3)`` of uint8 with any strides; or an RGB tensor ``(3, H, W)`` of
                uint8.

        Returns:
            Float32 array ``(H, W)`` in [0, 1], or a list of arrays for a list.

        Raises:
            DataError: A file cannot be read as an image.
            ValueError: An array is not an RGB image of uint8, or the network outputs NaN.
        """
        return in_batches(images, self._predict_batch, self.batch_size)

    @overload
    def predict_png(
        self, images: list[Any] | tuple[Any, ...], product: OutputKind = 'map'
    ) -> list[bytes]: ...

    @overload
    def predict_png(self, images: PredictorInput, product: OutputKind = 'map') -> bytes: ...

    def predict_png(
        self, images: PredictorInput | list[Any] | tuple[Any, ...], product: OutputKind = 'map'
    ) -> bytes | list[bytes]:
        """Predict an image and return an output as the bytes of a PNG file.

        Args:
            images: As for :meth:`predict`.
            product: ``'map'``, ``'mask'``, ``'cutout'`` or ``'overlay'``, as in ``sod predict``.

        Returns:
            The bytes of the file, or a list of them for a list.

        Raises:
            DataError: As for :meth:`predict`.
            ValueError: As for :meth:`predict`, or the output is unknown.
        """
        require_choice('product', product, OUTPUT_KINDS)
        if not isinstance(images, (list, tuple)):
            photo = as_decoded_image(images)
            return encode_prediction(photo, self.predict(photo.pixels), product, _PNG).content
        encoded: list[bytes] = []
        for start in range(0, len(images), self.batch_size):
            photos = [as_decoded_image(image) for image in images[start : start + self.batch_size]]
            maps = self.predict([photo.pixels for photo in photos])
            encoded += [
                encode_prediction(photo, saliency, product, _PNG).content
                for photo, saliency in zip(photos, maps, strict=True)
            ]
        return encoded

    def prepare(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Convert an RGB image (H, W, 3) to a normalised input (3, h, w).

        Up to a million pixels, it equals the hosts' test pipelines; larger images are not copied to
        float32.
        """
        if image.shape[0] * image.shape[1] > LARGE:
            return prepare(image, self.preprocessing)
        array: NDArray[np.float32] = self.preprocessing.apply(image)[0].numpy()
        return array

    @torch.inference_mode()
    def small_maps(self, inputs: NDArray[np.float32]) -> SaliencyArray:
        """Return the saliency (N, h, w) of normalised inputs (N, 3, h, w), at network size.

        Raises:
            ValueError: The network outputs NaN, or the batch does not fit into memory.
        """
        count, _, height, width = inputs.shape
        with fitting_memory(f'a batch of {count} inputs of {height} x {width} pixels'):
            batch = torch.from_numpy(inputs).to(self.device, input_dtype(self.network))
            logits = self.network(batch).float()
        if logits.isnan().any():
            raise ValueError(
                'The network gives NaN: its weights are broken. Use another checkpoint.'
            )
        # One by one, because the vectorised sigmoid would round differently in another batch.
        maps = [logit.sigmoid()[:, 0].cpu() for logit in logits.split(1)]
        return torch.cat(maps).numpy()

    def _predict_batch(self, images: Sequence[NDArray[np.uint8]]) -> list[SaliencyArray]:
        """Predict a batch of images (H, W, 3) of different sizes."""
        small = self.small_maps(np.stack([self.prepare(image) for image in images]))
        return [
            _enlarge(one, (image.shape[0], image.shape[1]))
            for one, image in zip(small, images, strict=True)
        ]


def _enlarge(small: SaliencyArray, size: tuple[int, int]) -> SaliencyArray:
    """Resize a small map, like the hosts' test pipelines; large ones in blocks of rows."""
    if size[0] * size[1] > LARGE:
        return enlarge(small, size)
    enlarged: SaliencyArray = resize_bilinear(torch.from_numpy(small)[None, None], size)[
        0, 0
    ].numpy()
    return enlarged


def model_file(network: str | Path | None, task: str = 'saliency') -> Path:
    """Return the file for a path, for ``zoo:NAME``, or for None: the default model.

    Raises:
        ValueError: The model is unknown.
        OSError: Its weights cannot be found or downloaded.
    """
    if network is None:
        return find_model(default_model(task))
    return find_model(str(network)) if str(network).startswith(PREFIX) else Path(network)
