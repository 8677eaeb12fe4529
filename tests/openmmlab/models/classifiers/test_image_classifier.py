from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.registry import MODELS
from mmengine.structures import BaseDataElement
from torch import nn

from sod_plugins.openmmlab import launch
from sod_plugins.openmmlab.loading import read_as_data
from sod_plugins.openmmlab.models.classifiers import ImageClassifier

BASE = Path(__file__).parents[4] / 'configs' / '_base_'


@MODELS.register_module()
class TwoMaps(nn.Module):
    """The image and its negative at half the size, in four channels."""

    def forward(self, images):
        half = F.avg_pool2d(images, 2)
        return images, torch.cat([-half, -half[:, :1]], dim=1)


@MODELS.register_module()
class FirstPlusOne(nn.Module):
    def forward(self, maps):
        return (maps[0] + 1,)


def make(**kwargs):
    arguments = {'backbone': {'type': 'TwoMaps'}, 'num_classes': 5, 'in_channels': 4, **kwargs}
    return ImageClassifier(**arguments)


def labelled(*labels):
    return [BaseDataElement(gt_label=torch.tensor([label])) for label in labels]


def logits_of(model, features):
    return features @ model.classifier.weight.T + model.classifier.bias


def test_logits_are_a_linear_function_of_pooled_channels():
    torch.manual_seed(0)
    images = torch.randn(2, 3, 6, 8)
    pooled = images.mean(dim=(2, 3))
    model = make().eval()
    expected = logits_of(model, -torch.cat([pooled, pooled[:, :1]], dim=1))
    torch.testing.assert_close(model(images), expected)
    model = make(in_channels=3, in_index=0).eval()
    torch.testing.assert_close(model(images), logits_of(model, pooled))
    model = make(in_channels=3, neck={'type': 'FirstPlusOne'}).eval()
    torch.testing.assert_close(model(images), logits_of(model, pooled + 1))


@pytest.mark.parametrize('smoothing', [0.0, 0.1])
def test_loss_is_the_cross_entropy_with_smoothed_targets(smoothing):
    torch.manual_seed(0)
    model = make(label_smoothing=smoothing)
    images, labels = torch.randn(3, 3, 4, 4), [4, 0, 2]
    log_probabilities = model(images).double().log_softmax(dim=1)
    targets = torch.full((3, 5), smoothing / 5, dtype=torch.float64)
    targets[range(3), labels] += 1 - smoothing
    loss = model(images, labelled(*labels), mode='loss')['loss']
    expected = -(targets * log_probabilities).sum(dim=1).mean()
    torch.testing.assert_close(loss.double(), expected, rtol=1e-6, atol=0)


def test_dropout_leaves_out_its_share_while_training():
    torch.manual_seed(0)
    model = make(dropout=0.25, num_classes=1)
    nn.init.constant_(model.classifier.weight, 1)
    nn.init.zeros_(model.classifier.bias)
    images = -torch.ones(4000, 3, 2, 2)
    left = model(images) * 0.75  # the kept ones of four features are scaled by 1 / 0.75
    # Mean 3 of 4 with a standard deviation of 0.87; five errors of the mean.
    assert abs(left.mean() - 3) < 5 * 0.87 / 4000**0.5
    assert torch.equal(model.eval()(images), torch.full((4000, 1), 4.0))


def test_predictions_are_probabilities_and_the_best_class():
    torch.manual_seed(0)
    model, images = make().eval(), torch.randn(2, 3, 4, 4)
    samples = labelled(1, 2)
    results = model(images, samples, mode='predict')
    assert results[1] is samples[1] and int(results[1].gt_label) == 2
    scores = torch.stack([result.pred_score for result in results])
    torch.testing.assert_close(scores, model(images).softmax(dim=1))
    assert [int(result.pred_label) for result in results] == scores.argmax(dim=1).tolist()
    assert len(model(images, mode='predict')) == 2


@pytest.mark.parametrize(
    ('act', 'message'),
    [
        (lambda: make(label_smoothing=1.5), 'label_smoothing must lie between 0 and 1'),
        (lambda: make(dropout=-1), 'dropout must lie between 0 and 1'),
        (lambda: make(in_channels=7)(torch.ones(1, 3, 4, 4)), 'has 4 channels.*in_channels is 7'),
        (lambda: make()(torch.ones(1, 3, 4, 4), mode='test'), "mode must be one of .*, got 'test'"),
    ],
)
def test_refuses_nonsense(act, message):
    with pytest.raises(ValueError, match=message):
        act()


@pytest.fixture
def config(class_photos, tmp_path):
    """Write a config on the bases of the ImageNet one: CSNet, three classes, 32 pixels."""
    path = tmp_path / 'classifier.py'
    bases = ('models/image_classifier', 'datasets/imagenet', 'schedules/sgd_100e_imagenet')
    cfg = Config.fromfile(BASE / 'default_runtime_mmengine.py')
    for base in bases:
        cfg.merge_from_dict(Config.fromfile(BASE / f'{base}.py')._cfg_dict.to_dict())
    backbone = dict(type='sod_plugins.CSNet', out_indices=(3,), weight_scale=1.0)
    cfg.model.update(backbone=backbone, in_channels=80, num_classes=3)
    cfg.train_cfg.max_epochs = 1
    for split in ('train', 'val', 'test'):
        loader = cfg[f'{split}_dataloader']
        loader.update(batch_size=9, num_workers=0, persistent_workers=False)
        loader.dataset.data_root = str(class_photos)
        for step in loader.dataset.pipeline:
            if 'size' in step:
                step.size = (32, 32)
    cfg.test_dataloader.dataset.pipeline[1].short_edge = 36
    cfg.val_dataloader.dataset.pipeline[1].short_edge = 36
    cfg.dump(path)
    return path


def test_a_pretrained_backbone_reaches_the_segmentor(config, model_config, tmp_path):
    """Train a classifier for two iterations, test it, and start a segmentor from its weights."""
    runner = launch.train(config, work_dir=tmp_path)
    assert runner.iter == 2
    checkpoint = tmp_path / 'epoch_1.pth'
    measures = launch.test(config, checkpoint, work_dir=tmp_path)
    assert measures.keys() == {'accuracy/top1', 'accuracy/top5'}
    assert measures['accuracy/top5'] == 1  # of three classes

    trained = runner.model.backbone.state_dict()
    model_config.backbone.init_cfg = dict(
        type='Pretrained', checkpoint=str(checkpoint), prefix='backbone.'
    )
    segmentor = MODELS.build(model_config)
    read_as_data(segmentor)
    segmentor.init_weights()
    loaded = segmentor.backbone.state_dict()
    assert set(trained) <= set(loaded)
    for key, value in trained.items():
        assert torch.equal(loaded[key], value), key
    fresh = MODELS.build(model_config).backbone.state_dict()
    assert any(not torch.equal(fresh[key], value) for key, value in trained.items())


def test_saliency_maps_of_a_classifier_are_refused(config, tmp_path):
    launch.train(config, work_dir=tmp_path)
    for option, message in (
        ('out_dir', 'test_evaluator has 0 of them'),
        ('show_dir', r'--show-dir draws .* has 0 of them'),
    ):
        with pytest.raises(launch.LaunchError, match=message):
            launch.test(
                config, tmp_path / 'epoch_1.pth', work_dir=tmp_path, **{option: tmp_path / 'out'}
            )
