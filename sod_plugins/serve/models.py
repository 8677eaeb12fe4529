"""The one model of a service: a name, a card, and images in, results out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sod_plugins.inference import (
    InstancePredictor,
    SaliencyPredictor,
    model_file,
    open_network,
)
from sod_plugins.zoo import default_model, model_card
from sod_plugins.zoo.resolver import PREFIX

_BATCH_OF_GPU = 8
Images = list[NDArray[np.uint8]]


@dataclass(frozen=True)
class ServedModel:
    """A model behind the service.

    Attributes:
        name: What users call it.
        task: ``'saliency'`` or ``'instances'``.
        predict: RGB images (H, W, 3) of uint8 to as many results: maps (H, W) from 0 to 1, or
            :class:`~sod_plugins.data.Instances`. It is called from one thread.
        card: What is known about it, as :meth:`sod_plugins.zoo.ModelCard.to_dict` has it.
        batch_size: How many images it is best given at once.
    """

    name: str
    task: str
    predict: Callable[[Images], Sequence[Any]]
    card: Mapping[str, Any]
    batch_size: int = 1


def open_model(
    model: str | Path | None = None,
    *,
    task: str = 'saliency',
    backend: str | None = None,
    device: str | None = None,
    half: bool = False,
    batch_size: int | None = None,
) -> ServedModel:
    """Open a model for the service.

    Args:
        model: A name that ``sod models`` lists, with ``zoo:`` before it, or a checkpoint or
            exported file; by default the default model of the task.
        task: Which default model.
        backend: As for :func:`sod_plugins.inference.open_network`.
        device: As for :class:`sod_plugins.inference.SaliencyPredictor`.
        half: Whether to compute in half precision, which GPUs are made for.
        batch_size: Images that go through the network at once; by default 8 on a GPU, and 1 on a
            CPU, which gains nothing by more.

    Raises:
        OSError: There is no such file.
        ValueError: It cannot be used.
    """
    path = model_file(model, task)
    network = open_network(path, backend)
    network = network.half() if half else network
    found_task = getattr(network, 'task', 'saliency')
    make = InstancePredictor if found_task == 'instances' else SaliencyPredictor
    predictor = make(network, device)
    predictor.batch_size = batch_size or (1 if predictor.device.type == 'cpu' else _BATCH_OF_GPU)
    if model is None or str(model).startswith(PREFIX):
        name = default_model(task) if model is None else str(model).removeprefix(PREFIX)
        card: Mapping[str, Any] = model_card(name).to_dict()
    else:
        name = path.stem
        card = {'name': name, 'summary': f'A checkpoint: {path.name}.', 'task': found_task}
    return ServedModel(name, found_task, predictor.predict, card, predictor.batch_size)
