from __future__ import annotations

import pytest
import torch

pytest.importorskip('mmdet.models', reason='needs mmdet', exc_type=ImportError)

from mmengine.registry import MODELS

from sod_plugins.networks import PiCANetSSDNeck

pytestmark = pytest.mark.mmdet

CHANNELS = (8, 12, 16, 8, 8, 8)


@torch.no_grad()
def test_the_baseline_is_the_neck_of_mmdet():
    torch.manual_seed(0)
    ours = MODELS.build(
        dict(
            type='sod_plugins.PiCANetSSDNeck',
            in_channels=CHANNELS[:2],
            setting='SSD',
            extra_channels=CHANNELS[2:],
        )
    )
    theirs = MODELS.build(
        dict(
            type='mmdet.SSDNeck',
            in_channels=CHANNELS[:2],
            out_channels=CHANNELS,
            level_strides=(2, 2, 1, 1),
            level_paddings=(1, 1, 0, 0),
        )
    )
    theirs.init_weights()
    values, copied = theirs.state_dict(), {}
    assert (values['l2_norm.weight'] == ours.net.l2_norm.weight).all()
    # Both list the normalisation and then the convolutions, in the order of their use.
    assert len(values) == len(ours.state_dict()) == 17
    for key, value in zip(ours.state_dict(), values.values(), strict=True):
        copied[key] = value
    ours.load_state_dict(copied)
    maps = (torch.randn(2, 8, 38, 38), torch.randn(2, 12, 19, 19))
    for out, expected in zip(ours(maps), theirs(maps), strict=True):
        torch.testing.assert_close(out, expected, rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_arguments_reach_the_plain_neck_and_its_weights_load():
    arguments = dict(
        in_channels=(6, 8),
        setting='478AC_910GAP',
        extra_channels=(8, 6, 4, 4),
        extra_strides=(2, 2, 2, 1),
        map_size=(21, 19),
        global_levels=(10, 11),
        ac_channels=(5, 7),
        conv8_window=(5, 1),
        feed_attended=True,
        l2_norm_scale=3.0,
        norm_attended=True,
        hidden_channels=5,
        renet_channels=3,
        order='columns_first',
    )
    adapter = MODELS.build(
        dict(type='sod_plugins.PiCANetSSDNeck', **arguments, norm_cfg=dict(type='BN'))
    )
    plain = PiCANetSSDNeck(**arguments, norm_layer=torch.nn.BatchNorm2d)
    adapter.load_state_dict(plain.state_dict())
    assert adapter.out_channels == (5, 7, 8, 6, 4, 4)
    maps = (torch.randn(2, 6, 42, 38), torch.randn(2, 8, 21, 19))
    for out, expected in zip(adapter.eval()(maps), plain.eval()(maps), strict=True):
        torch.testing.assert_close(out, expected, rtol=0, atol=0)
