from __future__ import annotations

import pytest
import torch
from reference_values import settle_statistics
from torch import nn

from sod_plugins.analysis.complexity import count_parameters
from sod_plugins.layers.goctconv import GOctConvNormAct, ParallelDilatedConv
from sod_plugins.networks import CSNet, load_network, save_network
from sod_plugins.optim import prune, remove_channels, select_channels
from sod_plugins.optim.channel_selection import channel_groups


def lively_csnet(seed, **arguments):
    """A float64 CSNet whose norms, biases and slopes all matter, in eval mode."""
    torch.manual_seed(seed)
    network = CSNet(**{'width': 0.6, **arguments}).double()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.5, 0.5)
        elif isinstance(module, nn.PReLU):
            nn.init.uniform_(module.weight, 0.1, 0.4)
    settle_statistics(network, torch.randn(2, 3, 32, 32).double())
    return network


def random_masks(network, seed):
    """Keep about two thirds of the channels, and at least one of each scale."""
    generator = torch.Generator().manual_seed(seed)
    masks = []
    for group in channel_groups(network):
        masks.append([torch.rand(c, generator=generator) < 0.67 for c in group.channels])
        for mask in masks[-1]:
            mask[:1] = True
    return masks


def masked_output(network, masks, images):
    """Run a network whose removed channels are zero after every layer."""

    def silence(mask):
        def hook(module, inputs, output):
            if isinstance(output, list):
                pairs = zip(output, mask, strict=True)
                return [None if y is None else y * m[:, None, None] for y, m in pairs]
            return output * mask[:, None, None]

        return hook

    masks = iter(masks)
    handles = []
    for stage in network.backbone.stages:
        for block in stage:
            mask = next(masks)
            for layer in block.children():
                assert isinstance(layer, GOctConvNormAct)
                handles.append(layer.register_forward_hook(silence(mask)))
    for name in ('fuse', 'dilated', 'merge'):
        layer, mask = getattr(network.decode_head, name, None), next(masks, None)
        if name == 'dilated' and layer is not None:
            for part, part_mask in zip(layer, mask, strict=True):
                assert isinstance(part, ParallelDilatedConv)
                handles.append(part.register_forward_hook(silence(part_mask)))
        elif layer is not None:
            handles.append(layer.register_forward_hook(silence(mask)))
    with torch.no_grad():
        output = network(images)
    for handle in handles:
        handle.remove()
    return output


ARGUMENTS = [
    {},
    {'fuse_stages': ()},
    {'fuse_stages': (1, 2, 3, 4), 'split_ratio': (3, 1)},
    {'vanilla': True},
    {'split_ratio': (1, 0)},
]


@pytest.mark.parametrize('arguments', ARGUMENTS, ids=str)
def test_equals_the_masked_network(arguments, tmp_path):
    network = lively_csnet(1, **arguments)
    images = torch.randn(1, 3, 48, 32).double()
    for seed in range(2):
        masks = random_masks(network, seed)
        pruned = remove_channels(network, masks)
        assert count_parameters(pruned) < 0.75 * count_parameters(network)
        expected = masked_output(network, masks, images)
        with torch.no_grad():
            torch.testing.assert_close(pruned(images), expected, rtol=1e-9, atol=1e-9)
            assert not torch.allclose(network(images), expected, rtol=0.01)
    save_network(tmp_path / 'pruned.pth', pruned.float())
    loaded = load_network(tmp_path / 'pruned.pth')
    torch.testing.assert_close(loaded(images.float()), pruned(images.float()))


VANISHING = {
    'high scale of a block': [(1, 0)],
    'low scales of a row of blocks': [(4, 1), (5, 1), (6, 1)],
    'a scale of the fusion': [(18, 0), (19, 0)],
    'the finest scale of the dilated convolutions': [(18, 0), (19, 0)],
    'all but the coarsest scale': [(18, 0), (18, 1), (19, 0), (19, 1)],
}


@pytest.mark.parametrize('gone', VANISHING.values(), ids=VANISHING)
def test_whole_scales_may_vanish(gone):
    network = lively_csnet(2)
    masks = random_masks(network, 7)
    for group, scale in gone:
        masks[group][scale][:] = False
    images = torch.randn(1, 3, 32, 48).double()
    pruned = remove_channels(network, masks)
    expected = masked_output(network, masks, images)
    with torch.no_grad():
        torch.testing.assert_close(pruned(images), expected, rtol=1e-9, atol=1e-9)
    # A second pruning starts from empty scales.
    again = random_masks(pruned, 8)
    expected = masked_again(network, masks, again, images)
    with torch.no_grad():
        twice = remove_channels(pruned, again)(images)
        torch.testing.assert_close(twice, expected, rtol=1e-9, atol=1e-9)


def masked_again(network, masks, again, images):
    """Apply masks on the channels that earlier masks kept."""
    both = [[mask.clone() for mask in group] for group in masks]
    for group, second in zip(both, again, strict=True):
        for mask, part in zip(group, second, strict=True):
            mask[mask.clone()] = part
    return masked_output(network, both, images)


def test_dilations_may_vanish():
    network = lively_csnet(3, width=1.0)
    masks = random_masks(network, 9)
    masks[19][0][:2] = False  # dilation 1
    masks[19][1][5:15] = False  # dilations 2 and 4
    pruned = remove_channels(network, masks)
    assert pruned.decode_head.dilated_channels[0][0] == 0
    assert pruned.decode_head.dilated_channels[1][1:3] == (0, 0)
    assert list(pruned.decode_head.dilated[1].convs) == ['1', '8', '16']
    images = torch.randn(1, 3, 32, 32).double()
    with torch.no_grad():
        expected = masked_output(network, masks, images)
        torch.testing.assert_close(pruned(images), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize('vanished', [18, 19])
def test_half_a_scale_of_the_fusion_takes_the_other_half_with_it(vanished):
    network = lively_csnet(4)
    masks = random_masks(network, 1)
    masks[vanished][2][:] = False
    pruned = remove_channels(network, masks)
    assert pruned.decode_head.fuse_channels[2] == sum(pruned.decode_head.dilated_channels[2]) == 0
    masks[18][2][:] = masks[19][2][:] = False
    images = torch.randn(1, 3, 32, 32).double()
    with torch.no_grad():
        expected = masked_output(network, masks, images)
        torch.testing.assert_close(pruned(images), expected, rtol=1e-9, atol=1e-9)


def test_the_first_gamma_of_a_block_decides():
    """The depthwise layers' own gammas, however small, do not (facts of the released pruning)."""
    network = lively_csnet(5)
    block = network.backbone.stages[1][1]
    with torch.no_grad():
        block.conv1.norms[0].weight[[0, 3]] = torch.tensor([1e-21, -1e-30]).double()
        block.conv1.norms[1].weight[1] = -1e-19
        block.conv2.norms[0].weight[2] = 0
    pruned = prune(network, threshold=1e-20)
    widths = [list(w) for w in network.backbone.block_widths]
    widths[5][0] -= 2
    assert [list(w) for w in pruned.backbone.block_widths] == widths
    kept = pruned.backbone.stages[1][1].conv2.norms[0].weight
    assert torch.equal(kept, block.conv2.norms[0].weight[[1, 2, *range(4, len(kept) + 2)]])
    assert torch.equal(
        pruned.backbone.stages[1][1].conv1.norms[1].running_mean, block.conv1.norms[1].running_mean
    )


@pytest.mark.parametrize(('ratio', 'thousands'), [(0.38, 300.0), (0.51, 400.0)])
def test_fixed_ratios_of_table_10(ratio, thousands):
    """CSNet x2 with its 788,631 parameters; the printed percentages are rounded."""
    network = CSNet(width=2.0)
    pruned = prune(network, ratio=ratio)
    assert count_parameters(pruned) / 1000 == pytest.approx(thousands, rel=0.01)
    pairs = [
        (left, full)
        for before, after in zip(channel_groups(network), channel_groups(pruned), strict=True)
        for full, left in zip(before.channels, after.channels, strict=True)
    ]
    # One share rounds to all the counts.
    assert max((n - 0.5) / full for n, full in pairs) < min((n + 0.5) / full for n, full in pairs)


def test_ratio_takes_the_smallest_gammas_of_every_scale():
    network = lively_csnet(6)
    masks = select_channels(network, ratio=0.5)
    for group, mask in zip(channel_groups(network), masks, strict=True):
        for gamma, m in zip(group.gammas, mask, strict=True):
            assert gamma[m].abs().min() > gamma[~m].abs().max()


def test_rules_by_their_definitions():
    network = lively_csnet(7)
    conv = network.decode_head.merge.conv.weight
    with torch.no_grad():
        conv[3] *= 0.01  # the smallest filter
        conv[5] = conv.mean(0)  # near the middle of all others
    by_norm = select_channels(network, ratio=0.9, rule='filters')[-1][0]
    assert not by_norm[3]
    by_median = select_channels(network, ratio=0.9, rule='geometric_median')[-1][0]
    rows = conv.detach().flatten(1)
    distances = torch.stack([sum((a - b).norm() for b in rows) for a in rows])
    assert distances.argmin() in (3, 5)
    assert set(distances.argsort()[: (~by_median).sum()].tolist()) == set(
        (~by_median).nonzero().flatten().tolist()
    )


def test_layers_may_keep_some_channels_whatever_the_threshold():
    network = lively_csnet(11)
    with torch.no_grad():
        for norm in network.backbone.stages[2][3].conv1.norms:
            norm.weight *= 1e-30
        network.backbone.stages[2][3].conv1.norms[1].weight[[2, 5]] *= 10
    with pytest.raises(ValueError, match=r'all channels of backbone\.stages\.2\.3\.conv1'):
        select_channels(network, threshold=1e-20)
    masks = select_channels(network, threshold=1e-20, at_least=2)
    high, low = masks[4 + 4 + 3]
    assert not high.any()
    assert low.nonzero().flatten().tolist() == [2, 5]
    assert all(mask.all() for group in masks[:11] + masks[12:] for mask in group)


def test_statistics_are_copied_or_reset():
    network = lively_csnet(8)
    masks = random_masks(network, 0)
    copied = remove_channels(network, masks).decode_head.merge.norms[0]
    old = network.decode_head.merge.norms[0]
    assert torch.equal(copied.running_var, old.running_var[masks[-1][0]])
    fresh = remove_channels(network, masks, 'reset').decode_head.merge.norms[0]
    assert torch.equal(fresh.running_mean, torch.zeros_like(fresh.running_mean))
    assert torch.equal(fresh.running_var, torch.ones_like(fresh.running_var))
    assert torch.equal(fresh.weight, copied.weight)


def test_pruned_networks_learn():
    torch.manual_seed(0)
    pruned = prune(lively_csnet(9).float(), ratio=0.5).train()
    pruned(torch.randn(2, 3, 32, 32)).square().mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in pruned.parameters())


def test_refusals_name_what_is_wrong():
    network = lively_csnet(10)
    with pytest.raises(ValueError, match='either a threshold or a ratio'):
        prune(network)
    with pytest.raises(ValueError, match='either a threshold or a ratio'):
        prune(network, threshold=1e-20, ratio=0.5)
    with pytest.raises(ValueError, match='no channel has a score under the threshold 1e-20'):
        prune(network, threshold=1e-20)
    with pytest.raises(
        ValueError, match=r'all channels of backbone\.stages\.0\.0\.conv1; the thre'
    ):
        prune(network, threshold=9)
    with pytest.raises(ValueError, match='threshold must be positive, got -1'):
        prune(network, threshold=-1)
    with pytest.raises(ValueError, match='ratio must lie between 0 and 1, got 38'):
        prune(network, ratio=38)
    with pytest.raises(ValueError, match='at_least must not be negative, got -1'):
        prune(network, threshold=1, at_least=-1)
    with pytest.raises(ValueError, match=r"rule must be one of .*, got 'size'"):
        prune(network, ratio=0.5, rule='size')
    masks = random_masks(network, 0)
    with pytest.raises(ValueError, match=r"statistics must be one of .*, got 'keep'"):
        remove_channels(network, masks, 'keep')
    masks[7][0][:] = False
    with pytest.raises(ValueError, match=r'all channels of backbone\.stages\.1\.3\.conv1'):
        remove_channels(network, masks)
