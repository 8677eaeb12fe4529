"""Storing a network's weights in half precision does not show in its maps."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sod_plugins.checkpoints import extract_network, save_network
from sod_plugins.data.scenes import draw_scene
from sod_plugins.inference import SaliencyPredictor
from sod_plugins.zoo import list_models, load, model_card


@pytest.mark.parametrize(
    'name', [name for name in list_models(task='saliency') if model_card(name).file]
)
def test_maps_change_by_one_grey_level_at_most(name, tmp_path):
    """With single-precision weights, drawn from those that are rounded to the shipped ones."""
    network = load(name)
    rng = np.random.default_rng(0)
    with torch.no_grad():
        for tensor in network.state_dict().values():
            if tensor.is_floating_point() and torch.equal(tensor, tensor.half().float()):
                spacing = np.abs(np.spacing(tensor.numpy().astype(np.float16), dtype=np.float16))
                offset = rng.uniform(-0.49, 0.49, tensor.shape) * spacing
                tensor += torch.from_numpy(np.asarray(offset, np.float32))
    save_network(tmp_path / 'single.pth', network)
    extract_network(tmp_path / 'single.pth', tmp_path / 'half.safetensors', half=True)
    single, half = (
        SaliencyPredictor(tmp_path / name) for name in ('single.pth', 'half.safetensors')
    )
    scenes = [draw_scene(rng, (240, 320)).image for _ in range(4)]
    maps = [np.rint(np.stack(each.predict(scenes)) * 255) for each in (single, half)]
    assert maps[0].max() > 200 and maps[0].min() < 10  # objects are found
    assert 0 < np.abs(maps[0] - maps[1]).max() <= 1
