"""Run exported networks with ONNX Runtime or OpenVINO, behind the interface of a torch network."""

from __future__ import annotations

import abc
import functools
import importlib
import json
import math
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sod_plugins._common.choices import require_choice
from sod_plugins._common.reading import read_bytes, why
from sod_plugins.checkpoints.description import check_preprocessing
from sod_plugins.inference.engine_file import DESCRIPTION, INPUT, OUTPUT
from sod_plugins.inference.onnx_file import OnnxContent
from sod_plugins.inference.onnx_runtime import import_onnx_runtime
from sod_plugins.inference.sharing import Lender, keep_in_forks
from sod_plugins.networks import Preprocessing

Precision = Literal['f32', 'bf16']
LARGEST_FILE = 1 << 31  # bytes; protocol buffers, the format of ONNX files, have no more
TRIAL_SECONDS = 60.0  # for one image; no network of this package takes a tenth of it
LARGEST_MAP = 1 << 31
ENDLESS = {'Loop', 'TensorIterator'}
TOO_LONG = 'it computes one image for more than {:g} seconds, and may never end'


def describe(network: str, preprocessing: Preprocessing) -> str:
    """Return the description for an exported file: the network's name and preprocessing."""
    return json.dumps({'network': network, 'preprocessing': preprocessing.to_dict()})


class ExportedNetwork(nn.Module):
    """An exported network on the CPU: normalised images (N, 3, H, W) to logits (N, 1, H, W).

    Any number of threads may share one object. It can be copied and pickled, also for spawned
    processes, and works in forked ones: it keeps the content of the file, and opens it again there.

    Args:
        path: A file written by :func:`~sod_plugins.inference.export_network`.
        threads: Number of threads; by default the engine's choice.

    Attributes:
        name: The name of the network.
        preprocessing: The input size, which is fixed, and the normalisation.
        cpu_only: True.

    Raises:
        FileNotFoundError: The file does not exist.
        OSError: It is not a regular file, or cannot be read.
        ImportError: The engine is not installed.
        ValueError: The file has another format.
    """

    name: str
    preprocessing: Preprocessing
    cpu_only = True

    def __init__(self, path: str | Path, threads: int | None = None) -> None:
        super().__init__()
        self.path = Path(path)
        self.threads = threads
        if not self.path.exists():
            raise FileNotFoundError(f"There is no network '{path}'. Correct the path.")
        try:
            self._files = self._read_files()
        except OSError as error:
            raise type(error)(f"'{path}' cannot be read as a network: {why(error)}.") from error
        try:
            self._engine = self._open()
            text = self._engine.description()
        except ImportError:
            raise
        except Exception as error:  # the engines' errors have no narrower common base class
            reason = (str(error).strip().splitlines() or [repr(error)])[0]
            raise ValueError(f"'{path}' cannot be read as a network: {reason}") from error
        try:
            description = json.loads(text or '')
            self.name = description['network']
            if not isinstance(self.name, str):
                raise TypeError('the name is not text')
            self.preprocessing = check_preprocessing(description['preprocessing'])
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise ValueError(
                f"'{path}' does not say how its input is preprocessed. Write it by "
                'sod_plugins.inference.export_network.'
            ) from error
        self._try()

    def forward(self, images: Tensor) -> Tensor:
        """Map normalised images (N, 3, H, W) on any device to logits (N, 1, H, W) on the CPU.

        Raises:
            ValueError: The images do not have the input size of the file.
        """
        size = self.preprocessing.size
        if images.shape[1:] != (3, *size):
            raise ValueError(
                f'{self.path.name} takes images (N, 3, {size[0]}, {size[1]}), got '
                f'{tuple(images.shape)}.'
            )
        engine = self._engine
        if engine.process != os.getpid():  # it was forked from the one that opened the file
            engine = self._engine = self._open()
        return torch.from_numpy(engine.run(images.cpu().numpy().astype(np.float32, copy=False)))

    def _try(self) -> None:
        """Refuse a file that cannot compute one image, or never ends."""
        shape = (1, 3, *self.preprocessing.size)
        try:
            logits = self._engine.run(np.zeros(shape, np.float32), TRIAL_SECONDS)
        except Exception as error:  # as above
            reason = (str(error).strip().splitlines() or [repr(error)])[0]
            raise ValueError(f"'{self.path}' does not run: {reason[:300]}") from error
        if logits.shape != (1, 1, *shape[2:]) or logits.dtype != np.float32:
            raise ValueError(
                f"'{self.path}' gives {logits.dtype} {logits.shape} for an image {shape}, not "
                f'float32 {(1, 1, *shape[2:])}. Write it by sod_plugins.inference.export_network.'
            )

    def __getstate__(self) -> dict[str, Any]:
        """Return the state for copies and pickles: the content of the files, without the engine."""
        return {name: value for name, value in self.__dict__.items() if name != '_engine'}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Open the content again."""
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        self._engine = self._open()

    def _read_files(self) -> tuple[bytes, ...]:
        """Return what the engine opens."""
        return (read_bytes(self.path, LARGEST_FILE),)

    def _open(self) -> Engine:
        raise NotImplementedError


class Engine(abc.ABC):
    """Runs the content of a file in one process, for any number of its threads.

    A forked process lacks the engine's threads, for which it would wait even at its end. It
    therefore opens the content again, and never frees the old engine.
    """

    def __init__(self) -> None:
        self.process = os.getpid()
        keep_in_forks(self)

    @abc.abstractmethod
    def description(self) -> str | None:
        """Return what the file says about itself."""

    @abc.abstractmethod
    def run(self, images: NDArray[np.float32], seconds: float | None = None) -> NDArray[np.float32]:
        """Map images (N, 3, H, W) to logits (N, 1, H, W).

        Raises:
            TimeoutError: It took too long.
        """


class OnnxRuntimeNetwork(ExportedNetwork):
    """An ``.onnx`` file, run by ONNX Runtime."""

    def _open(self) -> Engine:
        return _OnnxRuntime(self._files[0], self.threads)


class OpenVINONetwork(ExportedNetwork):
    """An ``.xml`` file with its ``.bin``, or an ``.onnx`` file, run by OpenVINO.

    By default OpenVINO computes in bfloat16 if the CPU supports it, which changes saliency by 1e-2.
    Here it does so only on request. Each batch size is compiled on first use: fixed shapes are
    faster.

    Args:
        path: The file.
        threads: As for :class:`ExportedNetwork`.
        precision: ``'f32'``, or ``'bf16'`` if the CPU supports it.
    """

    def __init__(
        self, path: str | Path, threads: int | None = None, precision: Precision = 'f32'
    ) -> None:
        self._precision = require_choice('precision', precision, get_args(Precision))
        super().__init__(path, threads)

    def _read_files(self) -> tuple[bytes, ...]:
        files = super()._read_files()
        weights = self.path.with_suffix('.bin')
        if self.path.suffix == '.xml' and weights.exists():
            files += (read_bytes(weights, LARGEST_FILE),)
        return files

    def _open(self) -> Engine:
        return _OpenVINO(self._files, self.threads, self._precision)


class _OnnxRuntime(Engine):
    def __init__(self, content: bytes, threads: int | None) -> None:
        onnxruntime = require_engine('onnxruntime', 'export')
        OnnxContent(content).refuse_absurd_graphs()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or 0
        super().__init__()
        self._session = onnxruntime.InferenceSession(
            content, options, providers=['CPUExecutionProvider']
        )

    def description(self) -> str | None:
        metadata: Mapping[str, str] = self._session.get_modelmeta().custom_metadata_map
        return metadata.get(DESCRIPTION)

    def run(self, images: NDArray[np.float32], seconds: float | None = None) -> NDArray[np.float32]:
        options = require_engine('onnxruntime', 'export').RunOptions()
        timer = threading.Timer(seconds or 0, setattr, (options, 'terminate', True))
        timer.daemon = True
        if seconds is not None:
            timer.start()
        try:
            logits: NDArray[np.float32] = self._session.run([OUTPUT], {INPUT: images}, options)[0]
        except Exception as error:
            if options.terminate:
                raise TimeoutError(TOO_LONG.format(seconds)) from error
            raise
        finally:
            timer.cancel()
        return logits


class _OpenVINO(Engine):
    def __init__(self, files: tuple[bytes, ...], threads: int | None, precision: str) -> None:
        super().__init__()
        self._core = _core_of(os.getpid())
        if files[0].lstrip()[:1] != b'<':  # ONNX
            content = OnnxContent(files[0])
            content.refuse_absurd_opsets()
            content.refuse_absurd_graphs()
        self._model = self._core.read_model(*files)
        if any(op.get_type_name() in ENDLESS for op in self._model.get_ops()):
            # OpenVINO cannot be stopped within one, nor freed.
            raise ValueError('it holds a loop, which may never end; run it by ONNX Runtime')
        self._config = {'INFERENCE_PRECISION_HINT': precision, 'PERFORMANCE_HINT': 'LATENCY'}
        if threads:
            self._config['INFERENCE_NUM_THREADS'] = str(threads)
        self._compiled: dict[int, Any] = {}
        self._compiling = threading.Lock()
        self._requests: dict[int, Lender[Any]] = {}

    def description(self) -> str | None:
        for path in ([DESCRIPTION], ['framework', DESCRIPTION]):  # of .xml and of .onnx
            if self._model.has_rt_info(path):
                return str(self._model.get_rt_info(path).value)
        return None

    def run(self, images: NDArray[np.float32], seconds: float | None = None) -> NDArray[np.float32]:
        batch = len(images)
        with self._compiling:
            if batch not in self._compiled:
                model = self._model.clone()
                model.reshape(list(images.shape))
                _refuse_absurd_maps(model)
                self._compiled[batch] = self._core.compile_model(model, 'CPU', self._config)
                self._requests[batch] = Lender()
        # A request, of which each thread needs one, keeps its output's memory and writes the next
        # one there.
        with self._requests[batch].lend(self._compiled[batch].create_infer_request) as request:
            request.start_async([images])
            if seconds is None:
                request.wait()
            elif not request.wait_for(int(seconds * 1000)):
                request.cancel()
                raise TimeoutError(TOO_LONG.format(seconds))
            logits: NDArray[np.float32] = request.get_output_tensor(0).data.copy()
        return logits


@functools.cache
def _core_of(process: int) -> Any:
    """Return the only core of OpenVINO in this process, which is never freed.

    Its CPU plugin gives the loading thread a larger stack for signals, and takes it back in the
    thread that frees the plugin: the next signal would then kill the process.
    """
    return require_engine('openvino', 'openvino').Core()


def _refuse_absurd_maps(model: Any) -> None:
    """Refuse a network with a map that fits into no memory, which would crash OpenVINO.

    Raises:
        ValueError: It has one.
    """
    for operation in model.get_ops():
        for output in operation.outputs():
            shape = output.get_partial_shape()
            if shape.is_static and math.prod(shape.to_shape()) > LARGEST_MAP:
                raise ValueError(f'it has a map of {tuple(shape.to_shape())} numbers')


def require_engine(module: str, extra: str) -> Any:
    """Import an optional package.

    Raises:
        ImportError: The package is not installed; the message names the extra.
    """
    try:
        if module.partition('.')[0] == 'onnxruntime':
            import_onnx_runtime()
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(
            f"{module} is not installed. Run: pip install 'sod-plugins[{extra}]'."
        ) from error
