from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from sod_plugins._common.names import BACKENDS
from sod_plugins.cli.doctor import predictions, scene
from sod_plugins.cli.doctor.predictions import TOLERANCE, check_backend, check_predictions
from sod_plugins.cli.doctor.scene import FORMULA, build_network, draw_scene, mean_cells
from sod_plugins.inference.runners import open_runner
from sod_plugins.zoo import default_model, model_card


@pytest.fixture
def answers(monkeypatch):
    """Lets a test set what the child process answers, or how it ends."""
    stored = scene.read_expected()[default_model()]['cells']
    state = {'cells': stored, 'end': ''}

    def run(module, function, argument):
        result = {'cells': state['cells'], 'seconds': 1.0}
        return ([], state['end']) if state['end'] else ([result], '')

    monkeypatch.setattr(predictions, 'run_child', run)
    return state


@pytest.mark.parametrize('backend', BACKENDS)
def test_each_backend_gives_the_stored_map(backend):
    pytest.importorskip(backend)
    finding = check_backend(backend)
    assert (finding.name, finding.status) == (backend, 'ok'), finding.value


def test_stored_results_are_of_the_present_weights_and_code():
    """Else run ``python tools/export_models.py`` with the name of the default model."""
    expected = scene.read_expected()
    name = default_model()
    assert expected[name]['sha256'] == model_card(name).sha256
    for key, network in ((name, f'zoo:{name}'), (FORMULA, build_network())):
        cells = mean_cells(open_runner(network, 'torch', 'cpu'))
        np.testing.assert_allclose(cells, expected[key]['cells'], atol=1e-3)
        assert np.std(cells) > 0.2  # a map that a fault would change


def test_the_scene_has_its_disk_where_the_formula_says():
    pixels = draw_scene()
    assert pixels.shape == (240, 320, 3)
    np.testing.assert_array_equal(pixels[0, 0], [30, 90, 40])
    np.testing.assert_array_equal(pixels[120, 176], [225, 60, 50])  # the centre, fully lit
    inside = (pixels[..., 0] > pixels[..., 1]).sum()
    assert abs(inside / (np.pi * 60**2) - 1) < 0.01


@pytest.mark.parametrize(
    ('change', 'status'),
    [(0.0, 'ok'), (TOLERANCE * 0.9, 'ok'), (0.05, 'problem'), (np.nan, 'problem')],
)
def test_a_wrong_map_is_a_problem(answers, change, status):
    cells = np.array(answers['cells'])
    cells[3, 4] += change
    answers['cells'] = cells.tolist()
    assert check_backend('torch').status == status


def test_a_backend_that_dies_is_a_problem(answers):
    answers['end'] = 'signal SIGILL'
    finding = check_backend('onnxruntime')
    assert (finding.status, finding.value) == ('problem', 'cannot predict: signal SIGILL')


def test_stored_results_of_other_weights_are_a_problem(answers, monkeypatch):
    other = {default_model(): {'sha256': '0', 'cells': answers['cells']}}
    monkeypatch.setattr(predictions, 'read_expected', lambda: other)
    finding = check_backend('torch')
    assert (finding.status, 'not of the present weights' in finding.value) == ('problem', True)


def test_backends_that_are_not_installed_are_no_problem(answers, monkeypatch):
    monkeypatch.setattr(
        predictions.importlib.util,
        'find_spec',
        lambda name: None if name == 'openvino' else importlib.machinery.ModuleSpec(name, None),
    )
    monkeypatch.setattr(predictions, 'BACKENDS', ('torch', 'openvino'))
    torch, openvino = check_predictions()
    assert (torch.status, openvino.status, openvino.value) == ('ok', 'note', 'not installed')
    assert openvino.advice == "pip install 'sod-plugins[openvino]' adds it."
