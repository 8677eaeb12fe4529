"""From scenes to a trained S4Net, its results and what plain torch makes of the checkpoint."""

from __future__ import annotations

import json

import pytest

pytest.importorskip('mmdet.models', reason='needs mmdet', exc_type=ImportError)

import torch
from PIL import Image
from small_s4net import small_s4net

from sod_plugins.data import generate_scenes, read_image
from sod_plugins.metrics import evaluate_instances
from sod_plugins.networks import S4Net, load_network
from sod_plugins.openmmlab import launch

pytestmark = pytest.mark.mmdet


@pytest.fixture(scope='module')
def scenes(tmp_path_factory):
    folder = tmp_path_factory.mktemp('scenes')
    for split, count in (('train', 5), ('val', 2), ('test', 2)):
        generate_scenes(folder / split, count, size=(48, 64), split=split)
    return folder


@pytest.fixture
def config(scenes):
    """The small recipe on synthetic scenes, in narrow, for 4 steps of 2 images of 64x64."""
    return small_s4net(scenes)


def train(config, folder, **kwargs):
    torch.set_num_threads(1)
    path = folder / f'{folder.name}.py'
    folder.mkdir(exist_ok=True)
    config.dump(path)
    launch.train(path, work_dir=folder, **kwargs)
    return path


def test_a_run_can_be_resumed_tested_and_used_without_its_host(config, scenes, tmp_path):
    path = train(config, tmp_path / 'whole')
    checkpoint = tmp_path / 'whole' / 'iter_4.pth'
    whole = torch.load(checkpoint, weights_only=False)['state_dict']
    again = train(config, tmp_path / 'resumed', resume=tmp_path / 'whole' / 'iter_2.pth')
    resumed = torch.load(again.parent / 'iter_4.pth', weights_only=False)['state_dict']
    torch.testing.assert_close(resumed, whole, rtol=0, atol=0)

    out, shown = tmp_path / 'out', tmp_path / 'shown'
    measures = launch.test(path, checkpoint, work_dir=tmp_path, out_dir=out, show_dir=shown)
    assert {'instances/mask_map', 'instances/mask_ap50', 'instances/mask_ap70'} <= set(measures)
    stored = evaluate_instances(scenes / 'test' / 'annotations.json', out / 'instances.json')
    assert measures['instances/box_map'] == pytest.approx(stored.measures['box_map'])
    with Image.open(shown / '000000.png') as drawn:
        assert drawn.size == (64, 48)

    network = load_network(checkpoint)
    assert isinstance(network, S4Net)
    assert network.preprocessing.size == (64, 64)
    # Both take the photo from the file; they resize it by other libraries, so the order may differ.
    entries = json.loads((out / 'instances.json').read_text())['annotations']
    expected = max(entry['score'] for entry in entries if entry['image_id'] == 0)
    image = read_image(scenes / 'test' / 'images' / '000000.jpg')
    (found,) = network(network.preprocessing.apply(image))
    assert found.scores[0].item() == pytest.approx(expected, abs=0.02)
