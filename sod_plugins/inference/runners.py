"""Run a saliency network for whole folders, without torch if possible."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from sod_plugins._common.input_format import InputFormat
from sod_plugins.inference.light import open_light
from sod_plugins.inference.manifest import identify
from sod_plugins.zoo.cards import default_model
from sod_plugins.zoo.resolver import PREFIX

if TYPE_CHECKING:
    import torch
    from torch import nn

    from sod_plugins.inference.predictor import SaliencyPredictor

Array = NDArray[np.float32]


@runtime_checkable
class Runner(Protocol):
    """Runs a network from images to small maps.

    Attributes:
        input_format: The input size and normalisation.
        batch_size: The best number of images per call.
        model: The identity of the network, see :func:`identify`.
    """

    input_format: InputFormat
    batch_size: int
    model: str

    def prepare(self, image: NDArray[np.uint8]) -> Array:
        """Convert an RGB image (H, W, 3) to an input (3, h, w)."""

    def small_maps(self, inputs: list[Array]) -> Array:
        """Return the saliency (N, h, w) of inputs, in [0, 1]."""


class TorchRunner:
    """Runs a network with torch, or an engine behind the interface of torch.

    Args:
        predictor: The predictor, whose device and precision are used.
        model: The identity of the network.
    """

    def __init__(self, predictor: SaliencyPredictor, model: str) -> None:
        self._predictor = predictor
        self.model = model
        self.input_format: InputFormat = predictor.preprocessing
        self.batch_size = predictor.batch_size if predictor.device.type == 'cuda' else 1

    def prepare(self, image: NDArray[np.uint8]) -> Array:
        """Convert an RGB image (H, W, 3) to an input (3, h, w)."""
        return self._predictor.prepare(image)

    def small_maps(self, inputs: list[Array]) -> Array:
        """Return the saliency (N, h, w) of inputs, in [0, 1]."""
        return self._predictor.small_maps(np.stack(inputs))


def open_runner(
    network: nn.Module | Runner | str | Path | None,
    backend: str | None = None,
    device: str | torch.device | None = None,
    model: str | None = None,
) -> Runner:
    """Return a runner for a network, without torch if possible.

    Args:
        network: A torch network; a checkpoint or an exported file; ``zoo:NAME``; or None for the
            default model. A runner is returned unchanged.
        backend: As for :func:`open_network`.
        device: As for :class:`SaliencyPredictor`.
        model: The identity of the network, see :func:`~sod_plugins.inference.manifest.identify`; by
            default it is determined.

    Raises:
        FileNotFoundError: The file does not exist.
        ImportError: The backend is not installed.
        ValueError: The file cannot be used, or the device does not exist.
    """
    if isinstance(network, Runner):
        return network
    name = f'{PREFIX}{default_model()}' if network is None else network
    on_cpu = str(device) == 'cpu' or (device is None and not _has_cuda())
    if isinstance(name, str) and name.startswith(PREFIX) and on_cpu:
        light = open_light(name) if backend in (None, 'onnxruntime') else None
        if light is not None:
            return light
    from sod_plugins.inference.backends import open_network
    from sod_plugins.inference.predictor import SaliencyPredictor, model_file

    model = model or identify(name)
    opened = open_network(model_file(name), backend) if isinstance(name, (str, Path)) else name
    return TorchRunner(SaliencyPredictor(opened, device), model)


def _has_cuda() -> bool:
    """Return whether NVIDIA's driver shows a device; only then is torch consulted."""
    return Path('/proc/driver/nvidia/gpus').exists()
