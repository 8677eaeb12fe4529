"""Predictions of a drawn scene by every installed backend, compared with stored results."""

from __future__ import annotations

import importlib.util
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from sod_plugins._common.names import BACKENDS, Backend
from sod_plugins.cli.doctor.finding import Finding
from sod_plugins.cli.doctor.probe import run_child, tell
from sod_plugins.cli.doctor.scene import FORMULA, build_network, mean_cells, read_expected
from sod_plugins.zoo.cards import default_model, model_card

SECTION = 'predictions'
EXTRAS = {'numba': 'numba', 'onnxruntime': 'fast', 'openvino': 'openvino'}
# Of the mean saliency in a cell. Engines in single precision differ by 1e-4; a wrong weight, order
# of channels or normalisation by tenths.
TOLERANCE = 0.01


def check_predictions() -> Iterator[Finding]:
    """Predict by every installed backend, each in a child process."""
    for backend in BACKENDS:
        if importlib.util.find_spec(backend) is not None:
            yield check_backend(backend)
        elif extra := EXTRAS.get(backend):
            advice = f"pip install 'sod-plugins[{extra}]' adds it."
            yield Finding(SECTION, backend, 'note', 'not installed', advice)
        else:
            yield Finding(SECTION, backend, 'problem', 'not installed')


def check_backend(backend: Backend) -> Finding:
    """Predict the drawn scene by a backend, and compare the map with the stored one."""
    name = FORMULA if backend == 'numba' else default_model()
    expected = read_expected()[name]
    if name != FORMULA and expected['sha256'] != model_card(name).sha256:
        value = f'the stored result is not of the present weights of {name}'
        advice = f'Run python tools/export_models.py {name} in the checkout.'
        return Finding(SECTION, backend, 'problem', value, advice)
    results, end = run_child('predictions', 'predict', [backend, name])
    if not results:
        advice = f'Install {backend} again, or choose another --backend.'
        return Finding(SECTION, backend, 'problem', f'cannot predict: {end}', advice)
    found, seconds = results[-1]['cells'], results[-1]['seconds']
    difference = float(np.abs(np.subtract(found, expected['cells'])).max())
    if not difference <= TOLERANCE:  # also where it is NaN
        value = f'a wrong map: it differs from the stored one by up to {difference:.3f}'
        advice = f'Choose another --backend, and report this with your version of {backend}.'
        return Finding(SECTION, backend, 'problem', value, advice)
    return Finding(SECTION, backend, 'ok', f'map as expected, {seconds:.1f} s with start-up')


def predict(words: tuple[Backend, str]) -> None:
    """Predict the drawn scene in a child process, and tell the parent the mean of each cell."""
    from sod_plugins.inference.runners import open_runner

    backend, name = words
    start = time.perf_counter()
    network: Any = f'zoo:{name}'
    with tempfile.TemporaryDirectory() as folder:
        if name == FORMULA:
            from sod_plugins.checkpoints import save_network

            network = Path(folder, 'network.pth')
            built = build_network()
            save_network(network, built, built.preprocessing)
        elif backend == 'openvino':
            from sod_plugins.zoo.resolver import find_exported

            network = find_exported(name) or network  # without the exporter's requirements
        cells = mean_cells(open_runner(network, backend, 'cpu'))
    tell({'cells': cells, 'seconds': time.perf_counter() - start})
