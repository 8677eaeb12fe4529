from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from sod_plugins import zoo
from sod_plugins.data import draw_scene
from sod_plugins.inference import SaliencyPredictor, predict_files
from sod_plugins.inference.light import LightNetwork, open_light
from sod_plugins.inference.runners import Runner, TorchRunner, open_runner
from sod_plugins.zoo.resolver import PACKAGE

pytest.importorskip('onnxruntime')


@pytest.fixture
def scene():
    return draw_scene(np.random.default_rng(3), (300, 400)).image


@pytest.mark.parametrize('name', zoo.list_models('saliency'))
def test_every_exported_file_was_made_of_the_weights_that_are_there(name):
    """If it was not: python tools/export_models.py NAME."""
    card = zoo.model_card(name)
    if card.exported is None:
        pytest.skip('no exported file')
    assert card.exported_from == card.sha256
    assert (PACKAGE / card.exported).is_file()


def test_the_default_model_gives_the_maps_of_torch(scene):
    light = open_light('zoo:sod-small')
    assert isinstance(light, LightNetwork) and isinstance(light, Runner)
    small = light.small_maps([light.prepare(scene), light.prepare(scene[:, ::-1])])
    predictor = SaliencyPredictor(zoo.load('sod-small'), device='cpu')
    expected = predictor.small_maps(np.stack([predictor.prepare(scene)]))
    # Weights folded with their norms and rounded to half precision again: 2^-11 of each.
    assert np.abs(small[0] - expected[0]).mean() < 1e-3
    assert np.abs(small[0] - expected[0]).max() < 0.02


def test_changed_weights_are_run_by_torch(monkeypatch):
    monkeypatch.setattr('sod_plugins.zoo.resolver.model_card', lambda name: _Card)
    assert open_light('zoo:sod-small') is None


class _Card:
    exported, exported_from, sha256 = 'zoo/weights/sod-small.onnx', 'older', 'newer'


def test_a_changed_file_is_refused(monkeypatch):
    monkeypatch.setattr('sod_plugins.zoo.resolver.sha256_of', lambda path: '0' * 64)
    with pytest.raises(ValueError, match=r'SHA-256 differs\. Install the package again'):
        open_light('sod-small')


def test_another_backend_or_device_is_respected():
    assert isinstance(open_runner(None, 'torch'), TorchRunner)
    runner = open_runner(None, device='cpu')
    assert isinstance(runner, LightNetwork) and open_runner(runner) is runner


def test_the_command_needs_no_torch(tmp_path, scene):
    """Nor SciPy, the slowest to import of what is left."""
    Image.fromarray(scene).save(tmp_path / 'a.jpg', quality=95)
    code = (
        'import sys; from sod_plugins.cli import main; status = main(sys.argv[1:]); '
        'print(status, sorted({"torch", "scipy", "matplotlib"} & {*sys.modules}))'
    )
    words = ['predict', tmp_path / 'a.jpg', '-o', tmp_path / 'out', '--cutout', '--overlay']
    stream = ['predict', '-', '--cutout', '--device', 'cpu']
    for arguments in ([*map(str, words), '--device', 'cpu'], stream):
        done = subprocess.run(
            [sys.executable, '-c', code, *arguments],
            capture_output=True,
            input=(tmp_path / 'a.jpg').read_bytes(),
            check=True,
        )
        assert done.stdout.splitlines()[-1].endswith(b'0 []')
    assert done.stdout.startswith((tmp_path / 'out/cutout/a.png').read_bytes())
    predict_files([tmp_path / 'a.jpg'], tmp_path / 'torch', backend='torch', progress=False)
    first, second = (np.asarray(Image.open(tmp_path / d / 'a.png')) for d in ('out', 'torch'))
    assert np.abs(first.astype(int) - second).mean() < 0.3
