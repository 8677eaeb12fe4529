from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from reference_values import settle_statistics
from torch import nn

from sod_plugins.inference import export_network
from sod_plugins.layers import GlobalAttentionPooling
from sod_plugins.networks import (
    PiCANet,
    PiCANetDecoder,
    Preprocessing,
    count_parameters,
    load_network,
    save_network,
)
from sod_plugins.networks.picanet.network import ENCODERS
from sod_plugins.networks.picanet.settings import TABLE_1, parse_setting

# The paper's network at 1/16 of its width.
NARROW_VGG = {**ENCODERS['vgg16'], 'width': 0.0625, 'fc_channels': 32}
NARROW = {
    'renet_channels': 4,
    'attention_channels': 4,
    'init_std': None,
}


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def narrow(setting='6GAP_5432AC', backbone=NARROW_VGG, **arguments):
    return PiCANet(setting, backbone, **{**NARROW, **arguments})


@pytest.mark.parametrize(
    ('setting', 'decoder', 'total'),
    [
        ('6GAP_5432AC', 36_661_374, 57_145_278),
        ('6GAP_5432LAP', 16_255_102, 36_739_006),
        ('cvpr', 16_245_783, 36_729_687),
    ],
)
def test_parameters_are_those_of_the_paper(setting, decoder, total):
    network = PiCANet(setting)
    assert count_parameters(network.decode_head) == decoder
    assert count_parameters(network) == total
    assert network.preprocessing == Preprocessing()
    renets = sum(isinstance(m, GlobalAttentionPooling) for m in network.modules())
    assert renets == (2 if setting == 'cvpr' else 1)


def test_decoder_without_context_has_the_parameters_of_its_convolutions():
    taps, outs = (64, 128, 256, 512, 512, 1024), (64, 64, 128, 256, 512, 512)
    fused = [2 * c for c in taps[:-1]] + [1024]
    convs = sum(a * b + b + 2 * b + b + 1 for a, b in zip(fused, outs, strict=True))
    assert count_parameters(PiCANetDecoder(taps, 'U-Net')) == convs + 2 * sum(taps[:-1])


@pytest.mark.parametrize('setting', [*TABLE_1, 'cvpr'])
def test_every_setting_of_table_1_trains(setting):
    network = narrow(setting)
    outputs = network(torch.randn(2, 3, 40, 48))
    contexts = parse_setting(setting, 1, 6)
    for level, decoded in zip((6, 5, 4, 3, 2, 1), outputs, strict=True):
        size = {2: (20, 24), 1: (40, 48), 3: (10, 12)}.get(level, (5, 6))
        assert decoded.logits.shape == (2, 1, *size)
        kind = contexts.get(level)
        assert (decoded.attended is None) == (kind is None)
        if kind in ('GAP', 'LAP', 'AC'):
            assert decoded.attention.shape == (2, 100 if kind == 'GAP' else 49, *size)
            if kind != 'AC':
                assert torch.allclose(decoded.attention.sum(1), torch.ones(2, *size))
        else:
            assert decoded.attention is None
    network.decode_head.local_attention_weight = 0.1
    losses = network.decode_head.losses(outputs, torch.rand(2, 1, 40, 48))
    assert ('loss_global_attention' in losses) == ('GAP' in contexts.values())
    assert ('loss_local_attention' in losses) == bool({'AC', 'LAP'} & set(contexts.values()))
    sum(losses.values()).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


@pytest.mark.parametrize(
    ('setting', 'backbone', 'size'),
    [
        ('6GAP_5432AC', NARROW_VGG, (37, 50)),
        ('cvpr', NARROW_VGG, (37, 50)),
        ('54GAP_321LAP', 'resnet50', (33, 47)),
        ('5GAP_432AC', 'efficientnet_lite0', (35, 46)),
        ('3LAP_2AC', {'type': 'CSNet', 'width': 0.4, 'stage_blocks': (1, 1, 1, 1)}, (33, 40)),
    ],
)
def test_any_backbone_and_odd_sizes(setting, backbone, size):
    arguments = {'channels': (4, 4, 6, 6, 8)} if isinstance(backbone, str) else {}
    network = narrow(setting, backbone, **arguments).eval()
    images = torch.randn(2, 3, *size)
    with torch.no_grad():
        logits = network(images)
        last = network.decode(images)[-1].logits
    assert logits.shape == (2, 1, *size) and logits.isfinite().all()
    torch.testing.assert_close(logits, F.interpolate(last, size, mode='bilinear'))


def straightforward(state, maps, contexts):
    """The decoder of Fig. 3b from a state dict and encoder maps, deepest last, in evaluation."""

    def conv(x, name, **arguments):
        return F.conv2d(x, state[f'{name}.weight'], state[f'{name}.bias'], **arguments)

    def norm(x, name):
        names = ('running_mean', 'running_var', 'weight', 'bias')
        return F.batch_norm(x, *(state[f'{name}.{key}'] for key in names))

    def scan(x, name):
        """Two LSTMs over the last axis of (N, C, H, W), step by step."""
        n, _, h, w = x.shape
        outputs = []
        for direction, steps in (('forward', range(w)), ('backward', range(w - 1, -1, -1))):
            weights = [state[f'{name}.{direction}_{part}'] for part in ('input', 'hidden', 'bias')]
            hidden = cell = x.new_zeros(n, h, weights[1].shape[1])
            out = x.new_zeros(n, h, w, hidden.shape[2])
            for step in steps:
                gates = x[..., step].mT @ weights[0].T + hidden @ weights[1].T + weights[2]
                i, f, g, o = gates.chunk(4, -1)
                cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
                hidden = o.sigmoid() * cell.tanh()
                out[:, :, step] = hidden
            outputs.append(out)
        return torch.cat(outputs, -1).permute(0, 3, 1, 2)

    def neighbours(x):
        n, c, h, w = x.shape
        return F.unfold(x, 7, 2, 6).view(n, c, 49, h, w)

    def attend(x, name, kind):
        if kind == 'GAP':
            seen = scan(scan(x, f'{name}.renet.first').mT, f'{name}.renet.second').mT
            weights = norm(conv(seen, f'{name}.logits'), f'{name}.norm').softmax(1)
            grid = F.interpolate(x, (10, 10), mode='bilinear', align_corners=True)
            return torch.einsum('nckl,nklhw->nchw', grid, weights.unflatten(1, (10, 10)))
        local = f'{name}.weigh' if kind == 'LAP' else f'{name}.gate'
        hidden = conv(x, f'{local}.conv', padding=6, dilation=2).relu()
        logits = norm(conv(hidden, f'{local}.logits'), f'{local}.norm')
        if kind == 'LAP':
            return (neighbours(x) * logits.softmax(1)[:, None]).sum(2)
        taps = state[f'{name}.conv.weight'].flatten(2)
        out = torch.einsum('nckhw,nkhw,ock->nohw', neighbours(x), logits.sigmoid(), taps)
        return out + state[f'{name}.conv.bias'][:, None, None]

    previous = None
    for index, tap in enumerate(reversed(maps)):
        name, level = f'decode_head.decoders.{index}', len(maps) - index
        x = tap
        if previous is not None:
            x = norm(tap, f'{name}.tap.0').relu()
            up = F.interpolate(previous, x.shape[2:], mode='bilinear', align_corners=False)
            x = torch.cat((up, x), 1)
        kind = contexts.get(level)
        if kind is None:
            x = conv(x, f'{name}.merge.0')
        else:
            if previous is not None:
                x = conv(x, f'{name}.fuse.0').relu()
            attended = attend(x, f'{name}.context', kind)
            x = attended if kind == 'AC' else torch.cat((x, attended), 1)
            x = x if kind == 'AC' else conv(x, f'{name}.merge.0')
        previous = norm(x, f'{name}.merge.{0 if kind == "AC" else 1}').relu()
    return conv(previous, f'{name}.classifier')


@pytest.mark.parametrize('setting', ['6GAP_5432AC', '6GAP_5432LAP', '65AC_4GAP_32LAP'])
def test_the_network_computes_what_figure_3_says(setting):
    network, images = narrow(setting), torch.randn(2, 3, 33, 42)
    settle_statistics(network, images)
    network.double()
    maps = network.backbone(images.double())
    expected = straightforward(network.state_dict(), maps, parse_setting(setting, 1, 6))
    torch.testing.assert_close(network(images.double()), expected)


def test_learned_up_sampling_starts_bilinear():
    network, images = narrow('cvpr'), torch.randn(1, 3, 64, 64)
    settle_statistics(network, images)
    plain = narrow('65GAP_432LAP', order='columns_first').eval()
    learned = [key for key in network.state_dict() if 'upsample' in key]
    assert len(learned) == 3
    assert plain.load_state_dict(network.state_dict(), strict=False).unexpected_keys == learned
    ours, other = (
        n.decode(images)[3].features  # of D_3
        for n in (network, plain)
    )
    inner = (..., slice(1, -1), slice(1, -1))  # beyond the border learned up-sampling sees zeros
    torch.testing.assert_close(ours[inner], other[inner])
    assert not torch.allclose(ours, other)


def test_overfits_one_batch():
    """The paper's VGG-16 network, 1/16 as wide, on two images."""
    network = narrow()
    images, mask = torch.randn(2, 3, 32, 32), torch.zeros(2, 1, 32, 32)
    mask[0, :, 5:21, 5:26] = mask[1, :, 13:29, 2:16] = 1
    images += 2 * mask
    optimizer = torch.optim.Adam(network.parameters(), lr=0.03)
    first = network.losses(images, mask)
    for _ in range(60):
        optimizer.zero_grad()
        outputs = network(images)
        losses = network.decode_head.losses(outputs, mask)
        sum(losses.values()).backward()
        optimizer.step()
    assert losses['loss_d1'] < 0.25 * first['loss_d1']
    assert losses['loss_global_attention'] < 0.6 * first['loss_global_attention']
    assert ((outputs[-1].logits > 0) == mask.bool()).float().mean() > 0.99


def test_segmentation_ends_early_with_classes():
    """The paper's second network of Tab. 3: D6 to D3 alone, logits of every class."""
    decoder = PiCANetDecoder(
        (8, 8, 6, 6),
        '6GAP_543AC',
        5,
        first_level=3,
        out_channels=7,
        gap_kernel_size=4,
        gap_dilation=1,
        renet_channels=2,
        attention_channels=2,
    )
    maps = [torch.randn(2, c, s, s) for c, s in ((8, 16), (8, 8), (6, 4), (6, 4))]
    outputs = decoder(maps)
    assert [d.logits.shape for d in outputs] == [(2, 5, s, s) for s in (4, 4, 8, 16)]
    assert outputs[-1].output.shape == (2, 7, 16, 16)


@pytest.mark.filterwarnings('ignore::DeprecationWarning')
def test_exported_files_agree_with_torch(tmp_path):
    """Small windows, since every row of neighbours is a few nodes of the graph."""
    pytest.importorskip('onnxruntime')
    pytest.importorskip('onnxscript')
    backbone = {'type': 'VGG', 'depth': 11, 'width': 0.0625, 'out_indices': (1, 2)}
    network = narrow('2GAP_1AC', backbone, gap_kernel_size=3, local_kernel_size=3)
    settle_statistics(network, torch.randn(4, 3, 16, 24))
    check = export_network(network, tmp_path / 'net.onnx', size=(16, 24))
    assert check.logits < 1e-5


def test_round_trip(tmp_path):
    network = narrow('+6GAP 5432LAP', order='columns_first', gap_kernel_size=(4, 5))
    save_network(tmp_path / 'net.pth', network)
    loaded = load_network(tmp_path / 'net.pth')
    assert loaded.arguments == network.arguments
    images = torch.randn(1, 3, 32, 40)
    assert torch.equal(loaded(images), network.eval()(images))


CONFIG = """
model = dict(
    data_preprocessor=dict(mean=[1.0, 2.0, 3.0], std=[4.0, 5.0, 6.0]),
    backbone=dict(type='sod_plugins.VGG', width=0.0625, init_cfg=dict(checkpoint='net.pth')),
    decode_head=dict(
        type='sod_plugins.PiCANetHead', in_channels=(4, 8, 16, 32, 32), in_index=(0, 1, 2, 3, 4),
        setting='5GAP_43AC', channels=(4, 8, 8, 8, 8), renet_channels=4, attention_channels=4,
        gap_kernel_size=3, tap_norm='all', global_attention_weight=0.3))
test_dataloader = dict(dataset=dict(pipeline=[
    dict(size=(48, 64), type='sod_plugins.ResizeSaliency')]))
"""


def test_training_checkpoints_are_read_without_a_host(tmp_path):
    network = PiCANet(
        '5GAP_43AC',
        {'type': 'VGG', 'width': 0.0625},
        channels=(4, 8, 8, 8, 8),
        renet_channels=4,
        attention_channels=4,
        gap_kernel_size=3,
        tap_norm='all',
    )
    state = {k.replace('.', '.net.', 1): v for k, v in network.state_dict().items()}
    torch.save({'meta': {'cfg': CONFIG}, 'state_dict': state}, tmp_path / 'iter_4.pth')
    loaded = load_network(tmp_path / 'iter_4.pth')
    assert loaded.preprocessing == Preprocessing((48, 64), (1.0, 2.0, 3.0), (4.0, 5.0, 6.0))
    images = torch.randn(1, 3, 48, 64)
    assert torch.equal(loaded(images), network.eval()(images))
    other = CONFIG.replace('in_index=(0, 1, 2, 3, 4)', 'in_index=(0, 1, 2, 4, 3)')
    torch.save({'meta': {'cfg': other}, 'state_dict': state}, tmp_path / 'other.pth')
    with pytest.raises(ValueError, match='does not take all maps of its backbone in order'):
        load_network(tmp_path / 'other.pth')


def test_fresh_weights_are_as_released():
    network = PiCANetDecoder((64, 32), '2GAP_1AC')
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d):
            assert not module.bias.any(), name
            # Five standard errors of a standard deviation.
            error = 5 / (2 * module.weight.numel()) ** 0.5
            assert module.weight.std().item() == pytest.approx(0.01, rel=error), name


@pytest.mark.parametrize(
    ('setting', 'contexts'),
    [
        ('U-Net', {}),
        ('+6GAP 5432AC', {6: 'GAP', 5: 'AC', 4: 'AC', 3: 'AC', 2: 'AC'}),
        ('6G_54L_AveP', {6: 'GAveP', 5: 'LAveP', 4: 'LAveP'}),
        ('cvpr', {6: 'GAP', 5: 'GAP', 4: 'LAP', 3: 'LAP', 2: 'LAP'}),
        ('6ReNet_5LC', {6: 'ReNet', 5: 'LC'}),
    ],
)
def test_settings_are_read_as_the_paper_writes_them(setting, contexts):
    assert parse_setting(setting, 1, 6) == contexts


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'setting': '3GAP_2XX'}, "setting '3GAP_2XX' is not one of .* nor made like"),
        ({'setting': '3G_2L'}, 'nor made like them'),
        ({'setting': '5GAP'}, 'names decoder 5, but there are decoders 3 to 1, .* instance 3GAP'),
        ({'setting': '3GAP_32AC'}, 'names decoder 3 twice'),
        ({'setting': 'U-Net', 'channels': (4, 4)}, 'as many channels, got .* channels'),
        ({'setting': 'U-Net', 'tap_norm': 'some'}, 'tap_norm must be one of'),
        ({'setting': 'U-Net', 'upsample': 'nearest'}, 'upsample must be one of'),
        ({'setting': 'U-Net', 'upsample': 'learned'}, 'needs in_strides of all 3 maps, got None'),
        (
            {'setting': 'U-Net', 'upsample': 'learned', 'in_strides': (1, 4, 8)},
            r'doubles sizes or keeps them, in_strides \(1, 4, 8\) do not',
        ),
        ({'setting': '3GAP', 'order': 'down'}, 'order must be one of'),
    ],
)
def test_refuses_what_is_no_decoder(arguments, message):
    with pytest.raises(ValueError, match=message):
        PiCANetDecoder((4, 4, 4), **arguments)
