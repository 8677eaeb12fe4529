from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from reference_values import settle_statistics

from sod_plugins.networks import (
    SAMNet,
    SAMNetDecoder,
    count_macs,
    count_parameters,
    load_network,
    save_network,
)
from sod_plugins.networks.samnet.decoder import upsample_logits

SMALL = {'type': 'SAMNet', 'width': 0.5, 'modules': (1, 1, 1, 1, 1)}


def small(**arguments):
    torch.manual_seed(0)
    network = SAMNet(**{'backbone': SMALL, **arguments})
    settle_statistics(network, torch.randn(4, 3, 64, 64))
    return network


def test_published_counts():
    network = SAMNet()
    decoder = network.decode_head
    stages = [count_parameters(stage) for stage in network.backbone.stages]
    assert stages == [4_132, 13_400, 142_160, 617_168, 444_544]
    parts = (decoder.pooling, decoder.laterals, decoder.fusions, decoder.classifiers)
    assert [count_parameters(part) for part in parts] == [49_664, 31_648, 27_184, 229]
    assert count_parameters(network) == 1_330_129
    assert len(network.state_dict()) == 1_436
    paper = SAMNet(backbone={'type': 'SAMNet', 'shared_spatial': False})
    assert count_parameters(paper) == 1_330_933


@pytest.mark.parametrize(('side', 'macs'), [(224, 0.2221e9), (336, 0.5020e9)])
def test_published_multiply_accumulates(side, macs):
    """The published count has the classifiers of the side maps, which only training runs."""
    classifiers = (16, 32, 64, 96)  # of R_2 to R_5
    sides = sum((side >> level) ** 2 * c for level, c in enumerate(classifiers, 2))
    assert count_macs(SAMNet(), (side, side)) + sides == pytest.approx(macs, abs=0.00005e9)


@pytest.mark.parametrize('size', [(64, 64), (37, 50), (17, 97), (1, 1)])
def test_any_input_size(size):
    network = small()
    images = torch.randn(2, 3, *size)
    with torch.no_grad():
        logits = network(images)
        assert logits.shape == (2, 1, *size)
        assert logits.isfinite().all()
        if min(size) > 1:
            maps = network.train()(images)
            sizes = [tuple(-(-side // 2**level) for side in size) for level in (1, 5, 4, 3, 2)]
            assert [tuple(m.shape) for m in maps] == [(2, 1, *s) for s in sizes]


@torch.no_grad()
def test_the_result_is_the_saliency_of_the_finest_level_up_sampled():
    network = small()
    images = torch.randn(2, 3, 30, 47)
    [main] = network.decode_head(network.backbone(images))
    saliency = F.interpolate(main.sigmoid(), (30, 47), mode='bilinear', align_corners=True)
    torch.testing.assert_close(network(images).sigmoid(), saliency, rtol=0, atol=1e-6)
    network.decode_head.upsampling = 'logits'
    expected = F.interpolate(main, (30, 47), mode='bilinear', align_corners=True)
    torch.testing.assert_close(network(images), expected)
    assert (saliency - expected.sigmoid()).abs().max() > 1e-3  # the two do differ


@torch.no_grad()
@pytest.mark.parametrize('bias', [-1e4, 1e4])
def test_certain_logits_stay_finite(bias):
    network = small()
    network.decode_head.classifiers[0][1].bias.fill_(bias)
    logits = network(torch.randn(1, 3, 32, 32))
    bound = torch.logit(torch.tensor(1e-6)).item()  # -13.8
    assert logits.abs().max().item() == pytest.approx(-bound, abs=0.1)


def test_each_level_is_what_the_paper_s_equations_say():
    """Eq. 15 and 16 with the decoder's convolutions, for a pyramid of uneven sizes."""
    torch.manual_seed(0)
    decoder = SAMNetDecoder((4, 6, 10), (8, 12, 16)).double().eval()
    maps = [torch.randn(2, *shape).double() for shape in ((4, 21, 30), (6, 11, 15), (10, 5, 8))]
    lateral = [conv(m) for conv, m in zip(decoder.laterals, maps, strict=True)]
    r = decoder.fusions[2](lateral[2] + decoder.pooling(maps[2]))
    for level in (1, 0):
        up = F.interpolate(r, maps[level].shape[-2:], mode='bilinear', align_corners=True)
        r = decoder.fusions[level](lateral[level] + up)
    expected = decoder.classifiers[0](r)
    torch.testing.assert_close(decoder(maps)[0], expected, rtol=0, atol=0)
    assert [f.pointwise.conv.out_channels for f in decoder.fusions] == [8, 8, 12]


def test_pyramid_pooling_is_that_of_its_regions():
    torch.manual_seed(0)
    pooling = SAMNetDecoder((4, 8)).pooling.double().eval()
    x = torch.randn(2, 8, 7, 9).double()
    parts = [x]
    for side, reduce in zip((1, 2, 3, 6), pooling.reduce, strict=True):
        regions = torch.empty(2, 8, side, side).double()
        for i in range(side):
            for j in range(side):
                rows = slice(i * 7 // side, -(-(i + 1) * 7 // side))
                columns = slice(j * 9 // side, -(-(j + 1) * 9 // side))
                regions[:, :, i, j] = x[:, :, rows, columns].mean((2, 3))
        parts.append(F.interpolate(reduce(regions), (7, 9), mode='bilinear', align_corners=True))
    torch.testing.assert_close(pooling(x), pooling.fuse(torch.cat(parts, 1)))


@pytest.mark.parametrize('pyramid_pooling', [True, False])
def test_every_parameter_gets_a_finite_gradient(pyramid_pooling):
    network = small(pyramid_pooling=pyramid_pooling, dropout=0).train()
    maps = network(torch.randn(3, 3, 64, 64))
    sum(F.binary_cross_entropy_with_logits(m, torch.rand_like(m)) for m in maps).backward()
    idle = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert idle == []
    assert all(p.grad.isfinite().all() and p.grad.any() for p in network.parameters())


def test_a_single_image_is_refused_in_training_only():
    images = torch.randn(1, 3, 32, 32)
    network = small()
    assert network(images).shape == (1, 1, 32, 32)
    with pytest.raises(ValueError, match=r'needs at least two images: .* drop_last=True'):
        network.train()(images)
    decoder = SAMNetDecoder((4, 8)).train()
    maps = [torch.randn(1, 4, 8, 8), torch.randn(1, 8, 4, 4)]
    with pytest.raises(ValueError, match='needs at least two images'):
        decoder(maps)
    assert len(SAMNetDecoder((4, 8), pyramid_pooling=False).train()(maps)) == 2


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_half_precision_under_autocast(dtype):
    network = small()
    images = torch.randn(2, 3, 48, 48)
    with torch.no_grad():
        exact = network(images)
        with torch.autocast('cpu', dtype):
            half = network(images)
    assert half.dtype == torch.float32
    # 8 (11) bits, and some fifty roundings follow each other
    tolerance = {torch.bfloat16: 0.1, torch.float16: 0.0125}[dtype]
    torch.testing.assert_close(half.sigmoid(), exact.sigmoid(), rtol=0, atol=tolerance)
    network.train()
    with torch.autocast('cpu', torch.bfloat16):
        maps = network(images)
        loss = sum(upsample_logits(m, (48, 48), clamp=False).square().mean() for m in maps)
    loss.backward()
    assert all(p.grad.isfinite().all() and p.grad.any() for p in network.parameters())


def test_logits_for_a_loss_are_not_clamped():
    z = torch.tensor([[[[-60.0, -20.0], [3.0, 40.0]]]], requires_grad=True)
    same = upsample_logits(z, (2, 2), clamp=False)
    torch.testing.assert_close(same, z, rtol=1e-5, atol=1e-5)
    F.binary_cross_entropy_with_logits(same, torch.tensor([[[[1.0, 1], [1, 0]]]])).backward()
    # (sigmoid(z) - target) / 4, however certain the wrong logits are
    torch.testing.assert_close(
        z.grad, torch.tensor([[[[-0.25, -0.25], [-0.25 * 0.0474259, 0.25]]]]), rtol=1e-4, atol=0
    )
    larger = torch.randn(1, 1, 4, 5)
    torch.testing.assert_close(
        upsample_logits(larger, (9, 11), clamp=False), upsample_logits(larger, (9, 11))
    )
    for extreme in (-1e4, 1e4):
        x = torch.full((1, 1, 2, 2), extreme, requires_grad=True)
        upsample_logits(x, (3, 3), clamp=False).sum().backward()
        assert x.grad.isfinite().all()


@pytest.mark.parametrize(
    'arguments',
    [
        {'backbone': SMALL, 'pyramid_pooling': False, 'upsampling': 'logits'},
        {'backbone': {'type': 'MobileNet', 'width': 0.25}, 'channels': (4, 6, 8, 10, 12)},
        {'backbone': {**SMALL, 'out_indices': (1, 2, 3)}, 'kernel_sizes': (3, 3, 3)},
        {'backbone': SMALL, 'dilations': (1, 1, 1, 1, 1), 'dropout': 0.0},
    ],
)
def test_a_file_describes_the_network(arguments, tmp_path):
    network = small(**arguments)
    save_network(tmp_path / 'net.pth', network)
    loaded = load_network(tmp_path / 'net.pth')
    images = torch.randn(1, 3, 40, 48)
    assert torch.equal(loaded(images), network(images))
    assert loaded.preprocessing.size == (336, 336)
    assert loaded.arguments == network.arguments


@pytest.mark.parametrize(
    ('build', 'message'),
    [
        (lambda: SAMNet(upsampling='both'), r"upsampling must be one of .*, got 'both'"),
        (lambda: SAMNet(channels=(8, 8)), 'channels needs 5 entries, one per map'),
        (lambda: SAMNetDecoder((8,)), r'at least two maps, got in_channels=\(8,\)'),
        (lambda: SAMNetDecoder((8, 8), dilations=(1,)), 'dilations needs 2 entries'),
        (lambda: SAMNetDecoder((8, 8), kernel_sizes=(3,) * 3), 'kernel_sizes needs 2 entries'),
        (lambda: SAMNetDecoder((8, 8), kernel_sizes=(3, 4)), 'kernel_sizes must be odd'),
    ],
)
def test_what_is_no_network_is_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()
