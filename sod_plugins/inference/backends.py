"""Open a network for prediction, from a checkpoint or an exported file, with any backend."""

from __future__ import annotations

import tempfile
from pathlib import Path

from torch import nn

from sod_plugins._common.choices import require_choice
from sod_plugins._common.names import BACKENDS
from sod_plugins.checkpoints import load_network
from sod_plugins.inference.compiled_csnet import CompiledCSNet
from sod_plugins.inference.devices import zero_denormals
from sod_plugins.inference.engines import ExportedNetwork, OnnxRuntimeNetwork, OpenVINONetwork
from sod_plugins.inference.export import export_network
from sod_plugins.inference.fused import fuse

# Backend -> engine, and the formats that it reads; checkpoints are exported to the first.
ENGINES: dict[str, tuple[type[ExportedNetwork], tuple[str, ...]]] = {
    'onnxruntime': (OnnxRuntimeNetwork, ('.onnx',)),
    'openvino': (OpenVINONetwork, ('.xml', '.onnx')),
}


def open_network(path: str | Path, backend: str | None = None) -> nn.Module:
    """Open the network in a file with a backend.

    Args:
        path: A checkpoint, or a file written by :func:`~sod_plugins.inference.export_network`. If
            the backend is an engine, a checkpoint is exported to a temporary folder (in seconds).
        backend: One of ``BACKENDS``; by default torch for a checkpoint, ONNX Runtime for an
            ``.onnx`` and OpenVINO for an ``.xml`` file. All but torch run on the CPU. Numba
            accepts only checkpoints of CSNet.

    Raises:
        FileNotFoundError: The file does not exist.
        ImportError: The backend is not installed.
        ValueError: The file has another format, or the backend cannot read it.
    """
    path = Path(path)
    if backend is None:
        readers = [name for name, (_, suffixes) in ENGINES.items() if path.suffix in suffixes]
        backend = [*readers, 'torch'][0]
    require_choice('backend', backend, BACKENDS)
    exported = any(path.suffix in suffixes for _, suffixes in ENGINES.values())
    if backend not in ENGINES:
        if exported:
            raise ValueError(f"'{path}' is an exported network, which {backend} does not read.")
        network = zero_denormals(load_network(path))
        if backend == 'torch':
            return fuse(network) if network.folds_norms else network
        if CompiledCSNet.takes(network):
            return CompiledCSNet(network)
        raise ValueError(
            f"'{path}' is a {type(network).__name__}: the numba backend computes CSNet only. Leave "
            '--backend out, or take onnxruntime or openvino.'
        )
    engine, suffixes = ENGINES[backend]
    if path.suffix in suffixes:
        return engine(path)
    if exported:
        raise ValueError(f"'{path}' is not one of {', '.join(suffixes)}, which {backend} reads.")
    network = load_network(path)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, f'network{suffixes[0]}')
        export_network(network, file)
        return engine(file)
