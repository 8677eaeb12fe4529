from __future__ import annotations

import pytest

pytest.importorskip('mmdet.models', reason='needs mmdet', exc_type=ImportError)

import torch
from mmengine.config import ConfigDict
from mmengine.registry import MODELS, DefaultScope

from sod_plugins.checkpoints.old_formats import network_of_config

pytestmark = pytest.mark.mmdet


@pytest.fixture(autouse=True)
def mmdet_scope():
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmdet'):
        yield


def test_it_does_what_the_detector_of_parts_does(narrow_s4net, scene):
    """The same weights give the same losses and instances, whole and in parts."""
    cls, arguments = network_of_config(narrow_s4net.to_dict())
    parts = MODELS.build(narrow_s4net).eval()
    whole = MODELS.build(
        ConfigDict(
            type='sod_plugins.NetworkDetector',
            network=dict(type=cls.__name__, **arguments),
            data_preprocessor=narrow_s4net.data_preprocessor,
        )
    ).eval()
    weights = {name.replace('.net.', '.', 1): value for name, value in parts.state_dict().items()}
    whole.network.load_state_dict(weights)
    images, samples = torch.randn(2, 3, 64, 96), [scene(2), scene(1)]
    expected = parts.loss(images, samples)
    for name, loss in whole.loss(images, samples).items():
        torch.testing.assert_close(loss, expected[name], rtol=0, atol=0)
    found = [result.pred_instances for result in whole.predict(images, [scene(0), scene(1)])]
    others = [result.pred_instances for result in parts.predict(images, [scene(0), scene(1)])]
    for one, other in zip(found, others, strict=True):
        assert torch.equal(one.bboxes, other.bboxes) and torch.equal(one.masks, other.masks)


def test_a_saliency_network_is_refused():
    with pytest.raises(ValueError, match='CSNet finds saliency, and not instances'):
        MODELS.build(ConfigDict(type='sod_plugins.NetworkDetector', network=dict(type='CSNet')))
