"""One image in, one saliency map of the same size out."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from sod_plugins.checkpoints import load_network
from sod_plugins.data import read_image
from sod_plugins.networks import Preprocessing, saliency_map
from sod_plugins.zoo import default_model, find_model
from sod_plugins.zoo.resolver import PREFIX

Network = TypeVar('Network', bound=nn.Module)


class SaliencyPredictor:
    """Predicts where a viewer looks first, at the image's own size.

    The image is resized bilinearly (no antialias) and normalised as the checkpoint says; the
    network's logits go through the sigmoid and are then resized bilinearly to the image's size.

    Args:
        network: A checkpoint file that :func:`sod_plugins.networks.load_network` reads, or a
            network ``(N, 3, h, w) -> logits (N, 1, h, w)`` with an attribute ``preprocessing``.
            A network is moved to ``device`` and put into evaluation mode. ``zoo:NAME`` is a model
            of :mod:`sod_plugins.zoo`; by default its default model.
        device: Where to compute; by default a CUDA device where there is one, else the CPU.

    Raises:
        FileNotFoundError: There is no such checkpoint.
        ValueError: The checkpoint is of another kind, the network lacks ``preprocessing``, or
            there is no such device.
    """

    def __init__(
        self,
        network: nn.Module | str | Path | None = None,
        device: str | torch.device | None = None,
    ) -> None:
        if not isinstance(network, nn.Module):
            network = load_network(model_file(network))
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

    @torch.inference_mode()
    def predict(self, image: NDArray[np.uint8] | str | Path) -> NDArray[np.float32]:
        """Return the saliency of every pixel.

        Args:
            image: A file, turned upright as its EXIF orientation says, or an RGB array
                ``(H, W, 3)`` of uint8.

        Returns:
            Float32 array ``(H, W)`` in [0, 1].

        Raises:
            DataError: The file cannot be read as an image.
            ValueError: The array is not an RGB image of uint8, or the network gives NaN.
        """
        image = check_image(image)
        logits = self.network(self.preprocessing.apply(image).to(self.device))
        height, width = image.shape[:2]
        saliency = saliency_map(logits.float(), (height, width))[0, 0]
        if saliency.isnan().any():
            raise ValueError(
                'The network gives NaN: its weights are broken. Use another checkpoint.'
            )
        values: NDArray[np.float32] = saliency.cpu().numpy()
        return values


def model_file(network: str | Path | None, task: str = 'saliency') -> Path:
    """Return the file that a user means: a path, ``zoo:NAME``, or nothing for the default model.

    Raises:
        ValueError: If there is no such model.
        OSError: If its weights cannot be found or fetched.
    """
    if network is None:
        return find_model(default_model(task))
    return find_model(str(network)) if str(network).startswith(PREFIX) else Path(network)


def move_network(
    network: Network, device: str | torch.device | None
) -> tuple[Network, torch.device]:
    """Put a network into evaluation mode on a device, by default a CUDA one where there is one.

    Raises:
        ValueError: If there is no such device.
    """
    if device is None:
        device = 'cuda' if torch.cuda.is_available() else 'cpu'
    try:
        chosen = torch.device(device)
        return network.to(chosen).eval(), chosen
    except (RuntimeError, AssertionError) as error:  # torch asserts that it was built for CUDA
        reason = str(error).splitlines()[0]
        raise ValueError(f"Cannot compute on device '{device}': {reason}.") from error


def check_image(image: NDArray[np.uint8] | str | Path) -> NDArray[np.uint8]:
    """Return an image ``(H, W, 3)``, read where it is a file.

    Raises:
        DataError: The file cannot be read as an image.
        ValueError: The array is not an RGB image of uint8.
    """
    if isinstance(image, (str, Path)):
        image = read_image(image)
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise ValueError(
            f'The image has type {image.dtype} and shape {image.shape}. '
            'Pass RGB as uint8 (H, W, 3).'
        )
    return image
