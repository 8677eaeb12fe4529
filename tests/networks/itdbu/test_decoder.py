from __future__ import annotations

import itertools
import weakref

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from sod_plugins.networks import ITDBUDecoder

pytestmark = pytest.mark.usefixtures('double_precision')
CHANNELS = (5, 4, 3)
SIZES = ((9, 7), (5, 4), (3, 2))  # no level has exactly half the size of the one below
SMALL = {'unify_channels': 4, 'hidden_channels': 3}


def pyramid(batch: int = 2) -> list[Tensor]:
    return [torch.randn(batch, c, *size) for c, size in zip(CHANNELS, SIZES, strict=True)]


class Oracle:
    """The whole decoder, straight from Eq. 1 to 5: nothing shared, skipped or computed ahead."""

    def __init__(self, state, cell, iterations, steps, sharing, carry_hidden=False, **options):
        self.state, self.cell, self.sharing = state, cell, sharing
        self.iterations, self.steps = iterations, steps
        self.carry_hidden = carry_hidden
        self.unify_sharing = options.get('unify_sharing', 'level')
        self.top_saliency = options.get('top_saliency', 'inference')
        self.modes = {'top_down': options.get('upsample'), 'bottom_up': options.get('downsample')}
        self.nonlinearity = getattr(torch, options.get('nonlinearity', 'tanh'))
        self.hidden = {}
        self.outputs = []

    def run(self, maps):
        top = len(maps)
        s = self.infer(maps, 'top_down', top, 1, None)
        for n in range(1, self.iterations + 1):
            for level in reversed(range(1, top)):
                s = self.infer(maps, 'top_down', level, n, s)
            if n < self.iterations:
                for level in range(2, top + 1):
                    s = self.infer(maps, 'bottom_up', level, n, s)
        return self.outputs

    def conv(self, name, x):
        weight = self.state[f'{name}.weight']
        return F.conv2d(x, weight, self.state[f'{name}.bias'], padding=weight.shape[-1] // 2)

    def infer(self, maps, direction, level, n, saliency):
        features = maps[level - 1]
        size = features.shape[-2:]
        if saliency is None:
            saliency = torch.zeros(len(features), 1, *size)
        elif self.modes[direction] == 'area':
            saliency = F.adaptive_avg_pool2d(saliency, size)
        elif self.modes[direction] == 'nearest':
            saliency = F.interpolate(saliency, size, mode='nearest-exact')
        else:
            saliency = F.interpolate(saliency, size, mode='bilinear')
        ids = {'level': f'level{level}', 'direction': f'{direction}_level{level}'}
        ids['none'] = f'{direction}_level{level}_iteration{n}'
        unify = f'unify.{ids[self.unify_sharing]}'
        if f'{unify}.weight' in self.state:
            x = self.unified(unify, saliency, features)
        elif level == len(maps) and direction == 'top_down':
            x = features
        else:
            x = torch.cat([saliency, features], 1)
        layer = {
            'i': f'{direction}_level{level}_iteration{n}',
            'ii': f'{direction}_level{level}',
            'iii': direction,
            'iv': 'shared',
        }[self.sharing]
        if self.top_saliency == 'readout' and not self.outputs:
            logits = self.conv('layers.top_readout.readout', x)
            self.outputs.append((level, direction, n, self.steps, logits))
            return logits.sigmoid()
        layer = f'layers.{layer}'
        zero = torch.zeros(len(x), SMALL['hidden_channels'], *size)
        state = (zero, zero)
        if self.carry_hidden:
            state = self.hidden.get((direction, level), state)
        for t in range(1, self.steps + 1):
            state = self.step(f'{layer}.cell', x, *state)
            logits = self.conv(f'{layer}.readout', state[0])
            self.outputs.append((level, direction, n, t, logits))
        self.hidden[direction, level] = state
        return logits.sigmoid()

    def unified(self, name, saliency, features):
        weight = self.state[f'{name}.weight']
        of_saliency = torch.zeros(())
        if weight.shape[1] > features.shape[1]:  # else it never gets a saliency map
            of_saliency = F.conv2d(saliency, weight[:, :1])
        weight = weight[:, -features.shape[1] :]
        of_features = F.conv2d(features, weight, self.state.get(f'{name}.bias'))
        if f'{name}.norm.weight' in self.state:
            mean = of_features.mean((0, 2, 3), keepdim=True)
            variance = (of_features - mean).square().mean((0, 2, 3), keepdim=True)
            of_features = (of_features - mean) / (variance + 1e-5).sqrt()
            scale, shift = (self.state[f'{name}.norm.{k}'] for k in ('weight', 'bias'))
            of_features = of_features * scale.view(-1, 1, 1) + shift.view(-1, 1, 1)
        return (of_saliency + of_features).relu()

    def step(self, name, x, h, c):
        a = self.conv(f'{name}.conv_input', x)
        if self.cell == 'cnn':
            return a.relu(), c
        recurrent = f'{name}.conv_hidden.weight' in self.state
        b = self.conv(f'{name}.conv_hidden', h) if recurrent else torch.zeros_like(a)
        if self.cell == 'rnn':
            return self.nonlinearity(a + b), c
        a, b = a.split(h.shape[1], 1), b.split(h.shape[1], 1)
        gates = [torch.sigmoid(p + q) for p, q in zip(a, b, strict=True)]
        if self.cell == 'gru':
            new = self.nonlinearity(a[2] + gates[0] * b[2])
            return (1 - gates[1]) * new + gates[1] * h, c
        c = gates[1] * c + gates[0] * self.nonlinearity(a[2] + b[2])
        return gates[3] * self.nonlinearity(c), c


CASES = [
    # cell, iterations, steps, sharing, other arguments
    *[(cell, 3, 2, 'ii', {}) for cell in ('rnn', 'gru', 'lstm')],
    *[('gru', 3, 2, sharing, {}) for sharing in ('i', 'iii', 'iv')],
    *[('lstm', 2, 3, sharing, {'carry_hidden': True}) for sharing in ('i', 'ii', 'iii', 'iv')],
    *[('cnn', 3, 1, sharing, {'unify_sharing': 'none'}) for sharing in ('i', 'iv')],
    ('gru', 1, 1, 'ii', {}),
    ('gru', 3, 1, 'i', {'carry_hidden': True}),
    ('gru', 3, 1, 'iv', {'carry_hidden': True, 'unify_sharing': 'direction'}),
    ('rnn', 2, 2, 'iii', {'nonlinearity': 'relu', 'top_saliency': 'readout'}),
    ('gru', 2, 2, 'ii', {'upsample': 'nearest', 'downsample': 'area'}),
    ('gru', 1, 2, 'i', {'top_saliency': 'readout'}),
    *[('gru', 2, 2, sharing, {'unify_norm': False}) for sharing in ('ii', 'iv')],
    ('gru', 2, 2, 'ii', {'unify_channels': None}),
    ('lstm', 2, 2, 'i', {'unify_channels': None, 'top_saliency': 'readout'}),
]


@pytest.mark.parametrize(('cell', 'iterations', 'steps', 'sharing', 'options'), CASES)
def test_equals_a_straightforward_loop(cell, iterations, steps, sharing, options):
    decoder = ITDBUDecoder(CHANNELS, cell, iterations, steps, sharing, **{**SMALL, **options})
    maps = [x.requires_grad_() for x in pyramid()]
    names, parameters = zip(*decoder.named_parameters(), strict=True)
    oracle = Oracle(
        dict(zip(names, parameters, strict=True)), cell, iterations, steps, sharing, **options
    )
    expected, got = oracle.run(maps), decoder.side_outputs(maps)
    assert [tuple(output[:4]) for output in got] == [output[:4] for output in expected]
    for output, (*_, logits) in zip(got, expected, strict=True):
        torch.testing.assert_close(output.logits, logits, rtol=0, atol=1e-10)
    gradients, expected_gradients = (
        torch.autograd.grad(
            sum(x.square().sum() for *_, x in outputs), [*maps, *parameters], retain_graph=True
        )
        for outputs in (got, expected)
    )
    for a, b in zip(gradients, expected_gradients, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-10)
    decoder.eval()
    for module in decoder.modules():
        module.train(isinstance(module, torch.nn.BatchNorm2d))  # statistics of this batch there too
    torch.testing.assert_close(decoder(maps), got[-1].logits, rtol=0, atol=0)


def test_a_norm_in_the_unifying_layers():
    maps = [100 * x for x in pyramid()]
    normed, plain = (ITDBUDecoder(CHANNELS, unify_norm=norm, **SMALL) for norm in (True, False))
    for decoder, tamed in ((normed, True), (plain, False)):
        projected = decoder.unify['level1'].project(maps[0])
        assert (projected.std() < 1.5) == tamed
    u = SMALL['unify_channels']
    assert sum(p.numel() for p in normed.unify.parameters()) == sum(u * (c + 3) for c in CHANNELS)
    sum(logits.square().sum() for logits in normed(maps)).backward()
    for name, parameter in normed.named_parameters():
        assert parameter.grad.isfinite().all() and parameter.grad.any(), name


@pytest.mark.parametrize('cell', ['cnn', 'rnn', 'gru', 'lstm'])
@pytest.mark.parametrize('sharing', ['i', 'ii', 'iii', 'iv'])
@pytest.mark.parametrize('iterations', [1, 2, 5])
@pytest.mark.parametrize('steps', [1, 2])
def test_parameters_follow_the_formula(cell, sharing, iterations, steps):
    decoder = ITDBUDecoder(CHANNELS, cell, iterations, steps, sharing, **SMALL)
    gates = {'cnn': 1, 'rnn': 1, 'gru': 3, 'lstm': 4}[cell]
    levels, u, h = len(CHANNELS), SMALL['unify_channels'], SMALL['hidden_channels']
    layer = gates * h * (9 * u + 1) + h + 1
    if steps > 1 and cell != 'cnn':
        layer += gates * h * (9 * h + 1)
    layers = {'i': (2 * iterations - 1) * (levels - 1) + 1, 'ii': 2 * levels - 1, 'iii': 2, 'iv': 1}
    if iterations == 1:
        layers |= {'ii': levels, 'iii': 1}
    unify = sum(u * (c + 3) for c in CHANNELS) - u * (iterations == 1)
    assert sum(p.numel() for p in decoder.parameters()) == layers[sharing] * layer + unify


def test_the_paper_has_these_parameters():
    decoder = ITDBUDecoder((64, 128, 256, 512, 512), unify_norm=False)
    count = {name: sum(p.numel() for p in m.parameters()) for name, m in decoder.named_children()}
    assert count['unify'] == 94_848
    # A convGRU of one bias per gate and its read-out have 34,625; PyTorch's gates have two biases.
    assert count['layers'] == 9 * (34_625 + 3 * 16)
    options = {'unify_norm': False, 'unify_sharing': 'direction', 'top_saliency': 'readout'}
    other = ITDBUDecoder((64, 128, 256, 512, 512), **options)
    assert sum(p.numel() for p in other.unify.parameters()) == 2 * 94_848 - 64 * (64 + 2) - 64
    assert sum(p.numel() for p in other.layers.parameters()) == 8 * 34_673 + 65


GRADIENT_CASES = list(
    itertools.product(
        ('cnn', 'rnn', 'gru', 'lstm'), ('i', 'ii', 'iii', 'iv'), (1, 2), (1, 2), (False, True)
    )
)


@pytest.mark.parametrize(('cell', 'sharing', 'iterations', 'steps', 'carry'), GRADIENT_CASES)
def test_every_parameter_learns(cell, sharing, iterations, steps, carry):
    decoder = ITDBUDecoder(
        *(CHANNELS, cell, iterations, steps, sharing),
        unify_channels=8,
        hidden_channels=8,
        carry_hidden=carry,
    )
    sum(logits.square().sum() for logits in decoder(pyramid())).backward()
    for name, parameter in decoder.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


def count_calls(modules) -> list[str]:
    calls = []
    for name, module in modules:
        module.register_forward_hook(lambda *_, name=name: calls.append(name))
    return calls


def test_computes_only_what_is_needed(monkeypatch):
    decoder = ITDBUDecoder(CHANNELS, iterations=3, steps=2, **SMALL)
    names = ('readout', 'conv_input', 'conv_hidden')
    calls = count_calls(
        (part, module)
        for name, module in decoder.named_modules()
        if (part := name.rpartition('.')[2]) in names
    )
    projections = []
    for name, module in decoder.unify.items():
        project = module.project
        monkeypatch.setattr(
            module, 'project', lambda x, p=project, n=name: (projections.append(n), p(x))[1]
        )
    maps, visits = pyramid(), 3 * 2 + 2 * 2 + 1
    decoder(maps)
    assert projections == ['level3', 'level2', 'level1']
    assert [calls.count(name) for name in names] == [2 * visits, visits, visits]
    calls.clear()
    decoder.eval()(maps)
    assert [calls.count(name) for name in names] == [visits, visits, visits]


def test_side_outputs_in_evaluation_and_of_last_steps():
    decoder, maps = ITDBUDecoder(CHANNELS, iterations=2, unify_norm=False, **SMALL), pyramid()
    everything = decoder.side_outputs(maps)
    last = decoder.eval().side_outputs(maps, last_step_only=True)
    expected = [output for output in everything if output.step == 2]
    assert [output[:4] for output in last] == [output[:4] for output in expected]
    for a, b in zip(last, expected, strict=True):
        torch.testing.assert_close(a.logits, b.logits, rtol=0, atol=0)
    places = [(output.direction, output.level, output.iteration) for output in last]
    down, up = 'top_down', 'bottom_up'
    assert places == [
        *[(down, 3, 1), (down, 2, 1), (down, 1, 1)],
        *[(up, 2, 1), (up, 3, 1)],
        *[(down, 2, 2), (down, 1, 2)],
    ]


class LiveBytes(TorchDispatchMode):
    """Counts the bytes of the tensors that are made while it is on and still live."""

    total = 0

    def __init__(self):
        super().__init__()
        self.seen = weakref.WeakSet()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        for x in tree_leaves(result):
            if isinstance(x, Tensor) and (storage := x.untyped_storage()) not in self.seen:
                self.seen.add(storage)
                self.total += storage.nbytes()
                weakref.finalize(storage, self.free, storage.nbytes())
        return result

    def free(self, size):
        self.total -= size


@pytest.mark.parametrize('carry', [False, True])
def test_checkpointing_saves_memory_and_keeps_the_gradients(carry):
    gradients, kept, maps = [], [], pyramid()
    for with_cp in (False, True):
        torch.manual_seed(1)
        decoder = ITDBUDecoder(CHANNELS, with_cp=with_cp, carry_hidden=carry, **SMALL)
        with LiveBytes() as live:
            loss = sum(logits.square().mean() for logits in decoder(maps))
            kept.append(live.total)
        loss.backward()
        gradients.append({name: p.grad for name, p in decoder.named_parameters()})
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], gradient, rtol=0, atol=1e-12)
    # What stays of a run is a few maps of one channel, and 3 channels of a carried state.
    assert kept[1] < 0.2 * kept[0]


def test_gradients_stop_at_maps_where_asked():
    for detach in (False, True):
        decoder = ITDBUDecoder(CHANNELS, sharing='i', detach_saliency=detach, **SMALL)
        decoder(pyramid())[-1].sum().backward()
        first = decoder.layers['top_down_level3_iteration1'].readout.weight
        assert (first.grad is None) == detach


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'cell': 'elman'}, "cell must be one of 'cnn', 'rnn', 'gru', 'lstm', got 'elman'"),
        ({'sharing': 'v'}, 'sharing must be one of'),
        ({'unify_sharing': 'all'}, 'unify_sharing must be one of'),
        ({'top_saliency': 'zero'}, 'top_saliency must be one of'),
        ({'upsample': 'bicubic'}, 'upsample must be one of'),
        ({'downsample': 'mean'}, 'downsample must be one of'),
        ({'iterations': 0}, 'iterations must be 1 or more, got 0'),
        ({'steps': 0}, 'steps must be 1 or more, got 0'),
        ({'hidden_channels': 0}, 'hidden_channels must be 1 or more, got 0'),
        ({'unify_channels': 0}, 'unify_channels must be 1 or more, got 0'),
        ({'in_channels': (4,)}, 'at least two levels'),
        ({'unify_channels': None, 'sharing': 'iii'}, 'needs unify_channels'),
        ({'kernel_size': 4}, 'odd kernel'),
    ],
)
def test_refuses_what_is_no_decoder(arguments, message):
    with pytest.raises(ValueError, match=message):
        ITDBUDecoder(**{'in_channels': CHANNELS, **arguments})


def test_refuses_another_pyramid():
    with pytest.raises(ValueError, match='needs 3 maps, got 2'):
        ITDBUDecoder(CHANNELS)(pyramid()[:2])
