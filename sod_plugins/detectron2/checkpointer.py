"""Write checkpoints that say which network they hold, and read them as data."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from detectron2.checkpoint import DetectionCheckpointer

from sod_plugins._common.writing import write_bytes
from sod_plugins.checkpoints import load_network
from sod_plugins.checkpoints.description import misfit
from sod_plugins.checkpoints.reading import DESCRIPTION, SAFETENSORS, read_checkpoint
from sod_plugins.detectron2.description import describe_model, own_names
from sod_plugins.detectron2.wrapping import unwrapped
from sod_plugins.zoo.resolver import PREFIX, find_model

# Of detectron2's own model zoo and others' tools, which it converts.
FOREIGN = ('.pkl', '.pyth')
WEIGHTS = 'state_dict'  # the name by which the weights are found outside detectron2


class Checkpointer(DetectionCheckpointer):
    """Writes and reads checkpoints that other hosts and plain PyTorch can use.

    Files are written completely or not at all, with the description of the network beside the
    weights, from which :func:`~sod_plugins.networks.load_network`, the ``sod`` command and other
    hosts build it. Their checkpoints, those of ``save_network`` and ``zoo:NAME`` load as well.
    Files are read as data: nothing in them is executed. The exception is detectron2's own model zoo
    (``.pkl``).
    """

    def save(self, name: str, **kwargs: Any) -> None:
        """Write a checkpoint, completely or not at all.

        It has a description if the model is a whole network of this package.

        Args:
            name: Its name in ``save_dir``, without ``.pth``.
            **kwargs: Further entries of the file.

        Raises:
            OSError: It cannot be written; an older one of that name is left unchanged.
        """
        if not (self.save_dir and self.save_to_disk):
            return
        weights = self.model.state_dict()
        data = {'model': weights}
        data |= {key: part.state_dict() for key, part in self.checkpointables.items()}
        data |= kwargs
        try:
            description = describe_model(self.model)
            # The same tensors by the names that they have elsewhere; torch stores each once.
            data[WEIGHTS] = description.own_weights(weights)
            data[DESCRIPTION] = replace(description, prefixes={}).to_dict()
        except (AttributeError, ValueError) as error:
            self.logger.info(f'The checkpoint does not describe its network: {error}.')
        content = io.BytesIO()
        torch.save(data, content)
        path = Path(self.save_dir, f'{name}.pth')
        write_bytes(path, content.getvalue())
        self.tag_last_checkpoint(path.name)

    def load(self, path: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Load a checkpoint.

        Args:
            path: A file, a URL, a name of detectron2's model zoo (``detectron2://...``) or of this
                package's (``zoo:NAME``); empty loads nothing.
            *args: See ``fvcore.common.checkpoint.Checkpointer.load``.
            **kwargs: See ``fvcore.common.checkpoint.Checkpointer.load``.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: The file is not a checkpoint, or does not fit the model.
        """
        source = str(find_model(path)) if path and path.startswith(PREFIX) else path
        if source and '://' not in source and not Path(source.partition('?')[0]).is_file():
            raise FileNotFoundError(f"There is no checkpoint '{path}': correct the path.")
        loaded: dict[str, Any] = super().load(source, *args, **kwargs)
        return loaded

    def _load_file(self, filename: str) -> dict[str, Any]:
        if filename.endswith(FOREIGN):
            foreign: dict[str, Any] = super()._load_file(filename)
            return foreign
        content = read_checkpoint(Path(filename))
        if 'model' not in content:
            return {'model': self._plain_weights(Path(filename), content)}
        model = unwrapped(self.model)
        if DESCRIPTION in content and (problem := misfit(model.state_dict(), content['model'])):
            raise ValueError(f"The checkpoint '{filename}' does not fit the model: {problem}.")
        return {name: value for name, value in content.items() if name != WEIGHTS}

    def _plain_weights(self, path: Path, content: Mapping[str, Any]) -> dict[str, Any]:
        """Return the weights in a checkpoint of another host, or of none, by this model's names."""
        if DESCRIPTION not in content and path.suffix != SAFETENSORS and WEIGHTS not in content:
            return dict(content)  # bare weights
        network = load_network(path)
        description = describe_model(self.model)
        weights = own_names(network.state_dict(), description)
        model = unwrapped(self.model)
        if network_problem := misfit(model.state_dict(), weights):
            raise ValueError(f"The checkpoint '{path}' does not fit the model: {network_problem}.")
        return weights
