"""Exported networks, run by ONNX Runtime or OpenVINO behind the interface of a torch network."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sod_plugins.inference.engine_file import DESCRIPTION, INPUT, OUTPUT
from sod_plugins.networks import Preprocessing


def describe(network: str, preprocessing: Preprocessing) -> str:
    """Return what an exported file says about itself: the network's name and its preprocessing."""
    return json.dumps({'network': network, 'preprocessing': preprocessing.to_dict()})


class ExportedNetwork(nn.Module):
    """A network in a file, from normalised images (N, 3, H, W) to logits (N, 1, H, W), on the CPU.

    Args:
        path: What :func:`~sod_plugins.inference.export_network` wrote.
        threads: Threads to compute with; by default as many as the engine likes.

    Attributes:
        name: The network's name.
        preprocessing: The input size, which is fixed, and the normalisation.
        cpu_only: True.

    Raises:
        FileNotFoundError: If there is no such file.
        ImportError: If the engine is not installed.
        ValueError: If it is no file of this kind.
    """

    name: str
    preprocessing: Preprocessing
    cpu_only = True

    def __init__(self, path: str | Path, threads: int | None = None) -> None:
        super().__init__()
        self.path = Path(path)
        if not self.path.is_file():
            raise FileNotFoundError(f"There is no network '{path}'. Correct the path.")
        try:
            text = self._open(threads)
        except ImportError:
            raise
        except Exception as error:  # the engines' own errors have no narrower common base
            reason = str(error).strip().splitlines()[0]
            raise ValueError(f"'{path}' cannot be read as a network: {reason}") from error
        try:
            description = json.loads(text or '')
            self.name = description['network']
            self.preprocessing = Preprocessing.from_dict(description['preprocessing'])
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"'{path}' does not say how its input is preprocessed. Write it by "
                'sod_plugins.inference.export_network.'
            ) from error

    def forward(self, images: Tensor) -> Tensor:
        """Map normalised images (N, 3, H, W) on any device to logits (N, 1, H, W) on the CPU.

        Raises:
            ValueError: If the images do not have the file's size.
        """
        size = self.preprocessing.size
        if images.shape[1:] != (3, *size):
            raise ValueError(
                f'{self.path.name} takes images (N, 3, {size[0]}, {size[1]}), got '
                f'{tuple(images.shape)}.'
            )
        return torch.from_numpy(self._run(images.cpu().numpy().astype(np.float32, copy=False)))

    def _open(self, threads: int | None) -> str | None:
        """Open the file and return its description."""
        raise NotImplementedError

    def _run(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        raise NotImplementedError


class OnnxRuntimeNetwork(ExportedNetwork):
    """An ``.onnx`` file, run by ONNX Runtime."""

    def _open(self, threads: int | None) -> str | None:
        onnxruntime = require_engine('onnxruntime', 'export')
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or 0
        self._session = onnxruntime.InferenceSession(
            str(self.path), options, providers=['CPUExecutionProvider']
        )
        metadata: Mapping[str, str] = self._session.get_modelmeta().custom_metadata_map
        return metadata.get(DESCRIPTION)

    def _run(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        logits: NDArray[np.float32] = self._session.run([OUTPUT], {INPUT: images})[0]
        return logits


class OpenVINONetwork(ExportedNetwork):
    """An ``.xml`` file with its ``.bin``, or an ``.onnx`` file, run by OpenVINO.

    OpenVINO by itself computes in bfloat16 where the CPU can, which changes saliency by 1e-2: here
    it is asked for. Each batch size is compiled when it first comes: fixed shapes are faster.

    Args:
        path: The file.
        threads: As for every engine.
        precision: What is computed in: ``'f32'``, or ``'bf16'`` where the CPU has it.
    """

    def __init__(
        self, path: str | Path, threads: int | None = None, precision: str = 'f32'
    ) -> None:
        self._precision = precision
        super().__init__(path, threads)

    def _open(self, threads: int | None) -> str | None:
        openvino = require_engine('openvino', 'openvino')
        self._core = openvino.Core()
        self._model = self._core.read_model(self.path)
        self._config = {'INFERENCE_PRECISION_HINT': self._precision, 'PERFORMANCE_HINT': 'LATENCY'}
        if threads:
            self._config['INFERENCE_NUM_THREADS'] = str(threads)
        self._compiled: dict[int, Any] = {}
        for path in ([DESCRIPTION], ['framework', DESCRIPTION]):  # of .xml and of .onnx
            if self._model.has_rt_info(path):
                return str(self._model.get_rt_info(path).value)
        return None

    def _run(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        batch = len(images)
        if batch not in self._compiled:
            model = self._model.clone()
            model.reshape(list(images.shape))
            self._compiled[batch] = self._core.compile_model(model, 'CPU', self._config)
        # The engine keeps its output's memory and writes the next one there.
        logits: NDArray[np.float32] = self._compiled[batch]([images])[0].copy()
        return logits


def require_engine(module: str, extra: str) -> Any:
    """Import an optional package.

    Raises:
        ImportError: If it is not installed; says which extra brings it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(
            f"{module} is not installed. Run: pip install 'sod-plugins[{extra}]'."
        ) from error
