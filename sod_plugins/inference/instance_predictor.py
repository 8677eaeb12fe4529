"""Predict the salient instances of images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from sod_plugins.checkpoints import load_network
from sod_plugins.data import Instances
from sod_plugins.inference.devices import input_dtype, move_network, zero_denormals
from sod_plugins.inference.inputs import PredictorInput, check_batch_size, in_batches
from sod_plugins.inference.predictor import model_file
from sod_plugins.networks import InstanceTensors


def as_arrays(found: InstanceTensors) -> Instances:
    """Return instances as arrays, in the precision of files and hosts."""
    return Instances(
        boxes=found.boxes.float().cpu().numpy(),
        masks=found.masks.cpu().numpy(),
        scores=found.scores.float().cpu().numpy(),
        labels=found.labels.cpu().numpy(),
    )


class InstancePredictor:
    """Finds the salient instances of images, at their original size.

    The image is resized bilinearly (without antialiasing), which may change its aspect ratio, and
    normalised as the checkpoint says. Boxes are scaled back, and masks are computed at the size of
    the image.

    Threads, spawned and forked processes may share it, as a :class:`SaliencyPredictor`.

    Args:
        network: A checkpoint of S4Net that :func:`sod_plugins.networks.load_network` reads, or the
            network, which is moved to ``device`` and set to evaluation mode. ``zoo:NAME`` is a
            model of :mod:`sod_plugins.zoo`; by default its default model for instances.
        device: The device; by default CUDA if available, else the CPU.
        batch_size: Number of images of a list that the network processes at once.

    Raises:
        FileNotFoundError: The checkpoint does not exist.
        ValueError: It does not hold an S4Net, or the device does not exist.
    """

    def __init__(
        self,
        network: nn.Module | str | Path | None = None,
        device: str | torch.device | None = None,
        batch_size: int = 8,
    ) -> None:
        self.batch_size = check_batch_size(batch_size)
        if not isinstance(network, nn.Module):
            network = zero_denormals(load_network(model_file(network, 'instances')))
        if getattr(network, 'task', None) != 'instances':
            raise ValueError(
                f'{type(network).__name__} finds no instances: give an S4Net, or predict saliency '
                'maps by SaliencyPredictor.'
            )
        self.network: Any
        self.network, self.device = move_network(network, device)

    @overload
    def predict(self, images: list[Any] | tuple[Any, ...]) -> list[Instances]: ...

    @overload
    def predict(self, images: PredictorInput) -> Instances: ...

    def predict(
        self, images: PredictorInput | list[Any] | tuple[Any, ...]
    ) -> Instances | list[Instances]:
        """Return the salient instances of an image.

        Args:
            images: An image or a list of images, as for :meth:`SaliencyPredictor.predict`.

        Returns:
            The instances, in pixels of the image, or a list of them for a list.

        Raises:
            DataError: A file cannot be read as an image.
            ValueError: An array is not an RGB image of uint8, or the network outputs NaN.
        """
        return in_batches(images, self._predict_batch, self.batch_size)

    @torch.inference_mode()
    def _predict_batch(self, images: Sequence[NDArray[np.uint8]]) -> list[Instances]:
        """Find the instances of a batch of images (H, W, 3) of different sizes."""
        batch = torch.cat([self.network.preprocessing.apply(image) for image in images])
        batch = batch.to(self.device, input_dtype(self.network))
        sizes = [image.shape[:2] for image in images]
        return [as_arrays(found) for found in self.network.find(batch, out_sizes=sizes)]
