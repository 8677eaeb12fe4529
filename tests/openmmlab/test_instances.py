"""From scenes to a trained S4Net, its results and what plain torch makes of the checkpoint."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip('mmdet.models', reason='needs mmdet', exc_type=ImportError)

import torch
from mmengine.config import Config
from PIL import Image

from sod_plugins.data import generate_scenes, read_image
from sod_plugins.metrics import evaluate_instances
from sod_plugins.networks import S4Net, load_network
from sod_plugins.openmmlab import launch

pytestmark = pytest.mark.mmdet
LEAF = 's4net_efficientnet-lite0_1xb4-300i_synthetic-320x320.py'


@pytest.fixture(scope='module')
def scenes(tmp_path_factory):
    folder = tmp_path_factory.mktemp('scenes')
    for split, count in (('train', 5), ('val', 2), ('test', 2)):
        generate_scenes(folder / split, count, size=(48, 64), split=split)
    return folder


@pytest.fixture
def config(scenes):
    """The small recipe on synthetic scenes, in narrow, for 4 steps of 2 images of 64x64."""
    cfg = Config.fromfile(Path(__file__).parents[2] / 'configs' / 's4net' / LEAF)
    cfg.model.backbone = dict(
        type='sod_plugins.MobileNet', width=0.25, out_indices=(2, 3, 4), norm_eval=True
    )
    cfg.model.neck.update(in_channels=(64, 128, 256), out_channels=32)
    cfg.model.bbox_head.update(in_channels=32, channels=32)
    cfg.model.roi_extractor.update(in_channels=32, out_channels=32)
    cfg.model.mask_head.update(in_channels=32, channels=(16, 8))
    for split in ('train', 'val', 'test'):
        loader = cfg[f'{split}_dataloader']
        loader.update(num_workers=0, persistent_workers=False)
        loader.dataset.data_root = str(scenes / split)
        for step in loader.dataset.pipeline:
            if step.type == 'Resize':
                step.scale = (64, 64)
    cfg.train_dataloader.batch_size = 2
    cfg.train_cfg.update(max_iters=4, val_interval=3)
    cfg.default_hooks.checkpoint.interval = 2
    return cfg


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
