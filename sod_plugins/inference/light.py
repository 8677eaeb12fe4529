"""Run models of the zoo without torch, from their exported files with ONNX Runtime.

Importing torch takes longer than predicting a dozen images. If ONNX Runtime is installed and the
model's card names an exported file with the same weights, ``sod predict`` does not need torch.
"""

from __future__ import annotations

import importlib.util
import json
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sod_plugins._common.input_format import InputFormat
from sod_plugins.inference.engine_file import DESCRIPTION, INPUT, OUTPUT
from sod_plugins.inference.manifest import identify
from sod_plugins.inference.onnx_runtime import import_onnx_runtime
from sod_plugins.inference.preparing import prepare
from sod_plugins.zoo.resolver import find_exported

Array = NDArray[np.float32]


class LightNetwork:
    """A saliency network in an ``.onnx`` file, from images to small maps, without torch.

    It is safe to use from several threads at once.

    Args:
        path: A file written by :func:`~sod_plugins.inference.export_network`.
        model: The identity of the network.
        threads: Number of threads; by default ``OMP_NUM_THREADS``, else one per core.

    Attributes:
        input_format: The fixed input size, and the normalisation.
        batch_size: The best number of images per call.
        model: The identity of the network.
    """

    batch_size = 1  # larger batches are no faster on a CPU

    def __init__(self, path: str | Path, model: str = '', threads: int | None = None) -> None:
        self.model = model or Path(path).name
        onnxruntime = import_onnx_runtime()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or int(os.environ.get('OMP_NUM_THREADS') or 0)
        options.add_session_config_entry('session.intra_op.allow_spinning', '0')
        self._session = onnxruntime.InferenceSession(
            str(path), options, providers=['CPUExecutionProvider']
        )
        description = self._session.get_modelmeta().custom_metadata_map[DESCRIPTION]
        self.input_format = InputFormat.from_dict(json.loads(description)['preprocessing'])

    def prepare(self, image: NDArray[np.uint8]) -> Array:
        """Convert an RGB image (H, W, 3) to an input (3, h, w)."""
        return prepare(image, self.input_format)

    def small_maps(self, inputs: list[Array]) -> Array:
        """Return the saliency (N, h, w) of inputs, in [0, 1], at the size of the network."""
        logits = self._session.run([OUTPUT], {INPUT: np.stack(inputs)})[0][:, 0]
        if np.isnan(logits).any():
            raise ValueError('The network gives NaN: its file is broken. Install it again.')
        maps: Array = 1 / (1 + np.exp(-logits))
        return maps


def open_light(name: str) -> LightNetwork | None:
    """Open a model of the zoo without torch; None if it cannot run without it.

    Args:
        name: The name of the model.

    Raises:
        ValueError: The model is unknown.
    """
    if importlib.util.find_spec('onnxruntime') is None:
        return None
    path = find_exported(name)
    return None if path is None else LightNetwork(path, identify(name))
