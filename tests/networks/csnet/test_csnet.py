from __future__ import annotations

import pytest
import torch
from reference_values import (
    crc_filled,
    fingerprint,
    released_csnet_shapes,
    settle_statistics,
)

from sod_plugins.analysis.complexity import count_parameters
from sod_plugins.checkpoints.converters import csnet as converter
from sod_plugins.networks import CSFDecoder, CSNet, CSNetBackbone
from sod_plugins.networks.backbones.csnet_widths import dilated_split, split_channels


@pytest.mark.parametrize(
    ('arguments', 'count'),
    [
        ({'width': 1.0}, 210_985),
        ({'width': 1.2}, 298_633),
        ({'width': 1.5}, 455_631),
        ({'width': 1.8}, 645_565),
        ({'width': 2.0}, 788_631),
        ({'split_ratio': (3, 1)}, 210_985),
        ({'split_ratio': (1, 3)}, 210_985),
        ({'split_ratio': (1, 0)}, 210_985),
        ({'split_ratio': (0, 1)}, 210_985),
        ({'fuse_stages': ()}, 179_501),  # the extractor of Tab. 6
        ({'fuse_stages': (), 'vanilla': True}, 1_456_781),
    ],
)
def test_published_parameter_counts(arguments, count):
    assert count_parameters(CSNet(**arguments)) == count


def test_channels_of_table_1():
    decoder = CSNet(fuse_stages=(1, 2, 3, 4)).decode_head
    assert decoder.fuse.conv.in_channels == (20, 40, 80, 80)
    assert decoder.dilated_widths == (5, 13, 26, 26)
    assert decoder.merge.conv.out_channels == (70,)
    assert dilated_split(13) == (2, 2, 2, 2, 5)
    assert dilated_split(26) == (5, 5, 5, 5, 6)
    assert dilated_split(5) == (1, 1, 1, 1, 1)


def test_split_ratio():
    assert split_channels(20, (1, 1)) == (10, 10)
    assert split_channels(20, (3, 1)) == (15, 5)
    assert split_channels(20, (1, 0)) == (20,)
    assert split_channels(20, (0, 1)) == (0, 20)
    with pytest.raises(ValueError, match='split_ratio'):
        split_channels(20, (0, 0))


def test_extractor_follows_table_2():
    extractor = CSNetBackbone()
    assert extractor.out_channels == (40, 80, 80)
    assert extractor.out_strides == (2, 4, 8)
    sizes = []
    for stage in extractor.stages:
        stage[0].conv3.register_forward_hook(
            lambda module, inputs, out: sizes.append([tuple(y.shape[1:]) for y in out])
        )
    extractor(torch.zeros(1, 3, 224, 224))
    assert sizes == [
        [(10, 224, 224), (10, 112, 112)],
        [(20, 112, 112), (20, 56, 56)],
        [(40, 56, 56), (40, 28, 28)],
        [(40, 28, 28), (40, 14, 14)],
    ]


@pytest.mark.parametrize(
    ('split_ratio', 'mean', 'std', 'values'),
    [
        (
            (1, 1),
            -28.8679479,
            136.2647548,
            [12.487801, 10.751935, -81.679131, -3.400253, 121.043533],
        ),
        (
            (3, 1),
            -16.9842422,
            98.8820013,
            [-25.672352, 14.764767, -36.042305, 49.720196, -4.707581],
        ),
    ],
)
def test_reference_values_of_the_unpruned_network(split_ratio, mean, std, values, wave):
    network = CSNet(split_ratio=split_ratio).double().eval()
    blocks = [b.conv1.conv.out_channels for stage in network.backbone.stages for b in stage]
    fuse = network.decode_head.fuse.conv.out_channels
    shapes = released_csnet_shapes(blocks, fuse, [dilated_split(c) for c in fuse], sum(fuse))
    network.load_state_dict(converter.convert_weights(crc_filled(shapes)))
    with torch.no_grad():
        logits = network(wave.double())
    # These weights amplify: rounding the input alone to float32 moves single logits by 3e-5 of
    # their standard deviation, and the reference was computed in float32 throughout.
    tolerance = 3e-4 * std
    assert logits.mean().item() == pytest.approx(mean, abs=tolerance)
    assert logits.std().item() == pytest.approx(std, abs=tolerance)
    assert fingerprint(logits) == pytest.approx(values, abs=tolerance)


@pytest.mark.parametrize('size', [(16, 16), (33, 50), (225, 130), (100, 17)])
@pytest.mark.parametrize('split_ratio', [(1, 1), (1, 0), (0, 1)])
def test_any_size_gives_logits_of_that_size(size, split_ratio):
    network = CSNet(width=0.4, split_ratio=split_ratio)
    images = torch.randn(2, 3, *size)
    settle_statistics(network, images)
    logits = network(images)
    assert logits.shape == (2, 1, *size)
    assert logits.isfinite().all()


def test_refuses_images_that_vanish():
    with pytest.raises(ValueError, match='at least 16x16 pixels, got 15x40'):
        CSNet()(torch.zeros(1, 3, 15, 40))


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'fuse_stages': (2, 4)}, 'fuse_stages must be'),
        ({'stage_blocks': (3, 4, 6)}, 'stage_blocks needs four'),
        ({'learned_widths': {'blocks': []}}, r"exactly the entries \['blocks', 'dilated'"),
        ({'split_ratio': (-1, 2)}, 'split_ratio'),
    ],
)
def test_refuses_what_is_no_network(arguments, message):
    with pytest.raises(ValueError, match=message):
        CSNet(**arguments)


def test_learned_widths_replace_the_regular_ones():
    regular = CSNet(width=0.4)
    blocks = [b.conv1.conv.out_channels for stage in regular.backbone.stages for b in stage]
    decoder = regular.decode_head
    learned = {
        'blocks': blocks,
        'fuse': decoder.fuse.conv.out_channels,
        'dilated': [dilated_split(c) for c in decoder.fuse.conv.out_channels],
        'merged': decoder.merge.conv.out_channels[0],
    }
    rebuilt = CSNet(learned_widths=learned)
    rebuilt.load_state_dict(regular.state_dict())
    learned['blocks'] = blocks[:-1]
    with pytest.raises(ValueError, match='needs 18 entries'):
        CSNet(learned_widths=learned)
    learned['blocks'] = [*blocks[:-1], (4, 4)]
    with pytest.raises(ValueError, match='must have one scale'):
        CSNet(learned_widths=learned)


def test_decoder_lives_without_a_scale():
    decoder = CSFDecoder(
        (4, 4, 4), (2, 3, 0), [(1, 0, 0, 0, 1), (0, 0, 0, 0, 0), (0, 0, 0, 0, 0)], 3
    )
    pyramid = [torch.randn(2, 4, 16 // 2**i, 16 // 2**i) for i in range(3)]
    assert decoder(pyramid).shape == (2, 1, 16, 16)
    with pytest.raises(ValueError, match='as many scales'):
        CSFDecoder((4, 4, 4), (2, 3))


def test_every_parameter_learns():
    network = CSNet(width=0.4)
    network(torch.randn(2, 3, 32, 32)).square().mean().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name
