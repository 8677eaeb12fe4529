from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from sod_plugins.networks import CSNet, SAMNet, load_classifier, save_network
from sod_plugins.openmmlab import launch
from sod_plugins.openmmlab.models.classifiers import ImageClassifier

CONFIGS = Path(__file__).parents[4] / 'configs' / 'csnet'
FROZEN = CONFIGS / 'csnet-x1_classifier-frozen_1xb24-300e_duts-classes-224x224.py'
NARROW = {'width': 0.4, 'stage_blocks': (1, 1, 1, 1)}


@pytest.fixture
def saliency(tmp_path):
    torch.manual_seed(0)
    network = CSNet(**NARROW, weight_scale=1.0)
    save_network(tmp_path / 'saliency.pth', network)
    return network


@pytest.fixture
def config(class_photos, saliency, tmp_path):
    """The leaf at 32 pixels, narrow, for two steps; stage 2 and the fusion are trained."""
    cfg = Config.fromfile(FROZEN)
    cfg.model.num_classes = 3
    cfg.model.in_channels = saliency.decode_head.channels
    cfg.model.backbone.update(NARROW, weight_scale=1.0)
    cfg.model.neck.update(in_channels=(16, 32, 32), weight_scale=1.0)
    cfg.model.frozen = [f'backbone.net.stages.{i}' for i in (0, 2, 3)]
    cfg.model.init_cfg.checkpoint = str(tmp_path / 'saliency.pth')
    cfg.train_cfg.max_epochs = 1
    for split in ('train', 'val', 'test'):
        loader = cfg[f'{split}_dataloader']
        loader.update(batch_size=9, num_workers=0, persistent_workers=False)
        loader.dataset.data_root = str(class_photos)
        for step in loader.dataset.pipeline:
            if 'size' in step:
                step.size = (32, 32)
    cfg.dump(tmp_path / 'classifier.py')
    return tmp_path / 'classifier.py'


def test_transfer_from_saliency(config, saliency, tmp_path):
    """Frozen stages stay at the saliency network's values, the others move away from them."""
    runner = launch.train(config, work_dir=tmp_path)
    assert runner.iter == 2
    trained = runner.model.state_dict()
    for key, value in saliency.backbone.state_dict().items():
        same = torch.equal(trained[f'backbone.net.{key}'], value)
        assert same == (not key.startswith('stages.1.')), key
    for key, value in saliency.decode_head.state_dict().items():
        if not key.startswith(('classifier.', 'merge.norms', 'merge.acts')):
            assert not torch.equal(trained[f'neck.net.{key}'], value), key
    loaded = load_classifier(tmp_path / 'epoch_1.pth')
    assert loaded.preprocessing.size == (32, 32)
    images = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(loaded(images), runner.model.eval()(images))
    measures = launch.test(config, tmp_path / 'epoch_1.pth', work_dir=tmp_path)
    assert set(measures) == {'accuracy/top1'}


def test_weights_arrive_by_value(config, saliency):
    cfg = Config.fromfile(config)
    model = ImageClassifier(**{k: v for k, v in cfg.model.items() if k != 'type'})
    model.init_weights()
    neck = model.neck.net.state_dict()
    for key, value in saliency.decode_head.state_dict().items():
        moved = key.replace('norms.0', 'norms.2').replace('acts.0', 'acts.2')
        if key.startswith('merge.'):
            assert torch.equal(neck[moved], value), key
        elif not key.startswith('classifier.'):
            assert torch.equal(neck[key], value), key
    frozen = {name for name, p in model.named_parameters() if not p.requires_grad}
    assert {name.split('.')[3] for name in frozen} == {'0', '2', '3'}
    model.train()
    assert model.training
    assert not any(m.training for m in model.backbone.net.stages[0].modules())
    assert all(m.training for m in model.backbone.net.stages[1].modules())


def test_what_does_not_fit_is_refused(config, tmp_path):
    save_network(tmp_path / 'samnet.pth', SAMNet())
    save_network(tmp_path / 'wide.pth', CSNet(width=0.8, stage_blocks=(1, 1, 1, 1)))
    for name, message in (
        ('samnet.pth', r'samnet\.pth holds no CSNet'),
        ('wide.pth', r'wide\.pth does not fit the classifier: size mismatch.*Give its backbone'),
        ('none.pth', r'no checkpoint .*none\.pth'),
    ):
        with pytest.raises(launch.LaunchError, match=message):
            launch.train(
                config,
                work_dir=tmp_path,
                options={'model.init_cfg.checkpoint': str(tmp_path / name)},
            )
    with pytest.raises(ValueError, match=r"frozen names \['backbone.stem'\].*'backbone.net'"):
        launch.train(config, work_dir=tmp_path, options={'model.frozen': ['backbone.stem']})
