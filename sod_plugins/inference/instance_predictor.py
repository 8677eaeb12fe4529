"""One image in, its salient instances out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from sod_plugins.checkpoints import load_network
from sod_plugins.data import Instances
from sod_plugins.inference.devices import input_dtype, move_network, zero_denormals
from sod_plugins.inference.inputs import PredictorInput, check_image
from sod_plugins.inference.predictor import model_file
from sod_plugins.networks import InstanceTensors


def as_arrays(found: InstanceTensors) -> Instances:
    """Return instances as arrays, in the precision that files and hosts have."""
    return Instances(
        boxes=found.boxes.float().cpu().numpy(),
        masks=found.masks.cpu().numpy(),
        scores=found.scores.float().cpu().numpy(),
        labels=found.labels.cpu().numpy(),
    )


class InstancePredictor:
    """Finds salient instances, at the image's own size.

    The image is resized bilinearly (no antialias), which may change its aspect, and normalised as
    the checkpoint says. Boxes are scaled back, and masks computed at the image's size.

    Args:
        network: A checkpoint of S4Net that :func:`sod_plugins.networks.load_network` reads, or the
            network. It is moved to ``device`` and put into evaluation mode. ``zoo:NAME`` is a model
            of :mod:`sod_plugins.zoo`; by default its default model for instances.
        device: Where to compute; by default a CUDA device where there is one, else the CPU.

    Raises:
        FileNotFoundError: There is no such checkpoint.
        ValueError: It holds no S4Net, or there is no such device.
    """

    def __init__(
        self,
        network: nn.Module | str | Path | None = None,
        device: str | torch.device | None = None,
    ) -> None:
        if not isinstance(network, nn.Module):
            network = zero_denormals(load_network(model_file(network, 'instances')))
        if getattr(network, 'task', None) != 'instances':
            raise ValueError(
                f'{type(network).__name__} finds no instances: give an S4Net, or predict saliency '
                'maps by SaliencyPredictor.'
            )
        self.network: Any
        self.network, self.device = move_network(network, device)

    @torch.inference_mode()
    def predict(self, image: PredictorInput) -> Instances:
        """Return the salient instances of an image.

        Args:
            image: As for :meth:`SaliencyPredictor.predict`.

        Raises:
            DataError: The file cannot be read as an image.
            ValueError: The array is not an RGB image of uint8, or the network gives NaN.
        """
        image = check_image(image)
        height, width = image.shape[:2]
        preprocessing = self.network.preprocessing
        batch = preprocessing.apply(image).to(self.device, input_dtype(self.network))
        found = self.network.find(batch, out_sizes=[(height, width)])
        return as_arrays(found[0])
