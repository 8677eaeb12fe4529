"""The model of a service: its name, its card and its prediction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sod_plugins.inference.image_work import FINER
from sod_plugins.inference.runners import Runner, open_runner
from sod_plugins.zoo.cards import default_model, model_card
from sod_plugins.zoo.resolver import PREFIX, find_model

Image = NDArray[np.uint8]


def _as_it_is(image: Image) -> Any:
    return image


@dataclass(frozen=True)
class ServedModel:
    """A model behind the service.

    Attributes:
        name: The name shown to users.
        task: ``'saliency'`` or ``'instances'``.
        predict: Maps prepared images to as many results: saliency maps in [0, 1] of the images' or
            the network's size, or :class:`~sod_plugins.data.Instances`. Called from one thread.
        card: Facts about the model, as :meth:`sod_plugins.zoo.ModelCard.to_dict` returns them.
        prepare: Maps RGB (H, W, 3) of uint8 to an input of ``predict``, which is smaller and so
            saves memory in the queue. Called from several threads.
        batch_size: The best number of images at once.
        least: (height, width) to which decoding may reduce an image if only its map is requested;
            None if it may not.
    """

    name: str
    task: str
    predict: Callable[[list[Any]], Sequence[Any]]
    card: Mapping[str, Any]
    prepare: Callable[[Image], Any] = _as_it_is
    batch_size: int = 1
    least: tuple[int, int] | None = None


def open_model(
    model: str | Path | None = None,
    *,
    task: str = 'saliency',
    backend: str | None = None,
    device: str | None = None,
    half: bool = False,
    batch_size: int | None = None,
) -> ServedModel:
    """Open a model for the service; where ``sod predict`` needs no torch, this needs none either.

    Args:
        model: A name that ``sod models`` lists, with ``zoo:`` before it, or a checkpoint or
            exported file; by default the default model of the task.
        task: The task of the default model.
        backend: As for :func:`sod_plugins.inference.open_network`.
        device: As for :class:`sod_plugins.inference.SaliencyPredictor`.
        half: Whether to compute in half precision, for GPUs.
        batch_size: Images per batch; by default 8 on a GPU and 1 on a CPU, which does not gain from
            batches.

    Raises:
        OSError: There is no such file.
        ValueError: It cannot be used.
    """
    source = f'{PREFIX}{default_model(task)}' if model is None else str(model)
    if source.startswith(PREFIX):
        card = model_card(source.removeprefix(PREFIX)).to_dict()
        if card['task'] == 'saliency' and not half:
            return _of_runner(open_runner(source, backend, device), card, batch_size)
        path = find_model(source)
    else:
        path = Path(source)
        card = {'name': path.stem, 'summary': f'A checkpoint: {path.name}.'}
    from sod_plugins.inference import InstancePredictor, open_network

    network = open_network(path, backend)
    network = network.half() if half else network
    if getattr(network, 'task', 'saliency') == 'saliency':
        return _of_runner(open_runner(network, None, device, card['name']), card, batch_size)
    predictor = InstancePredictor(network, device)
    batch_size = batch_size or (1 if predictor.device.type == 'cpu' else predictor.batch_size)
    predictor.batch_size = batch_size
    return ServedModel(card['name'], 'instances', predictor.predict, card, batch_size=batch_size)


def _of_runner(runner: Runner, card: Mapping[str, Any], batch_size: int | None) -> ServedModel:
    wanted = runner.input_format
    return ServedModel(
        card['name'],
        'saliency',
        lambda inputs: list(runner.small_maps(inputs)),
        card,
        runner.prepare,
        batch_size or runner.batch_size,
        (FINER * wanted.size[0], FINER * wanted.size[1]) if wanted.antialias else None,
    )
