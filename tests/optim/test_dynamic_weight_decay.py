from __future__ import annotations

import pytest
import torch
import torch.multiprocessing as mp
from half_batches import backward, frozen_network, half_batch
from torch import nn

from sod_plugins.checkpoints.converters import csnet as converter
from sod_plugins.networks import CSNet, load_network
from sod_plugins.optim import DynamicWeightDecay


def small_network():
    torch.manual_seed(0)
    return CSNet(width=0.4)


def still(decay, lr=0.0):
    """An optimizer that leaves gradients to be looked at."""
    return torch.optim.SGD(decay.parameter_groups(weight_decay=5e-3), lr=lr)


def decay_of(network, steps, **arguments):
    """Run forward and backward passes and one step; return each gamma's gradient from decay."""
    decay = DynamicWeightDecay(network, **arguments)
    optimizer = still(decay)
    decay.attach(optimizer)
    for step in steps:
        step(network)
    before = {name: gamma.grad.clone() for name, gamma in decay.gammas.items()}
    optimizer.step()
    decay.detach()
    return {name: gamma.grad - before[name] for name, gamma in decay.gammas.items()}


def closed_form(network, images, weight=3.0, signed=False):
    """weight * gamma * mean over the batch of |GAP| of what follows each PReLU of the blocks."""
    expected = {}
    handles = []
    for name, module in network.backbone.named_modules():
        if '.acts.' in name and isinstance(module, nn.PReLU):
            key = f'backbone.{name.replace("acts", "norms")}.weight'
            gamma = network.get_parameter(key)

            def hook(module, inputs, out, key=key, gamma=gamma):
                average = out.detach().double().mean((2, 3))
                average = average if signed else average.abs()
                expected[key] = weight * gamma.detach().double() * average.mean(0)

            handles.append(module.register_forward_hook(hook))
    with torch.no_grad():
        network(images)
    for handle in handles:
        handle.remove()
    return expected


def assert_equal(ours, expected, rtol=2e-5):
    """Compare relatively: the values are around 1e-4, so an absolute bound could not fail.

    Single features are averaged in float32; where the average nearly cancels, its error is a small
    fraction of the tensor's largest value instead.
    """
    assert ours.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(
            ours[name].double(), value, rtol=rtol, atol=rtol * value.abs().max().item()
        )


@pytest.mark.shared_data
def test_reference_gradients_of_the_released_network(released_csnet, tmp_path, wave, disk):
    converter.convert(*released_csnet, tmp_path / 'x1.pth')
    network = load_network(tmp_path / 'x1.pth').train()
    decay = DynamicWeightDecay(network)
    assert len(decay.gammas) == 99
    assert len(DynamicWeightDecay(network, fusion=True).gammas) == 103
    optimizer = still(decay)
    decay.attach(optimizer)
    network(torch.cat([wave, disk]))
    assert decay.penalty().item() == pytest.approx(0.0009970147, rel=1e-4)
    optimizer.step()
    first = decay.gammas['backbone.stages.0.0.conv1.norms.0.weight'].grad
    expected = [3.164157e-4, 5.772979e-4, 4.065828e-4, 3.169273e-4, 2.602640e-4]
    assert first[:5].tolist() == pytest.approx(expected, rel=1e-4)
    assert first.sum().item() == pytest.approx(2.393573e-3, rel=1e-4)
    with_gradient = [n for n, p in network.named_parameters() if p.grad is not None]
    assert sorted(with_gradient) == sorted(decay.gammas)


@pytest.mark.parametrize('signed', [False, True])
def test_closed_form(signed):
    network, images = small_network(), torch.randn(4, 3, 48, 32)
    expected = closed_form(network, images, signed=signed)
    ours = decay_of(network, [lambda n: backward(n, images)], signed=signed)
    assert_equal(ours, expected)


def test_equals_the_gradient_of_the_penalty():
    """The rule is the gradient of weight * penalty, added by autograd in the released training."""
    network, images = small_network().double(), torch.randn(4, 3, 48, 32).double()
    decay = DynamicWeightDecay(network)
    optimizer = still(decay)
    decay.attach(optimizer)
    network(images)
    gammas = {name: gamma.detach().clone() for name, gamma in decay.gammas.items()}
    numeric = {}
    name, index, step = 'backbone.stages.1.0.conv2.norms.1.weight', 2, 1e-2
    for sign in (1, -1):
        with torch.no_grad():
            decay.gammas[name][index] = gammas[name][index] + sign * step
        numeric[sign] = decay.penalty().item()
    with torch.no_grad():
        decay.gammas[name][index] = gammas[name][index]
    optimizer.step()
    slope = (numeric[1] - numeric[-1]) / (2 * step)
    assert decay.gammas[name].grad[index].item() == pytest.approx(3 * slope, rel=1e-9)


def test_accumulated_gradients_count_every_sample():
    """Norms in eval mode: four micro-batches are one batch."""
    images = torch.randn(8, 3, 32, 32)
    whole = decay_of(frozen_network(), [lambda n: backward(n, images)])
    parts = [lambda n, x=x: backward(n, x) for x in images.split([1, 3, 2, 2])]
    assert_equal(
        decay_of(frozen_network(), parts),
        {name: value.double() for name, value in whole.items()},
    )


def test_channels_last():
    images = torch.randn(2, 3, 32, 48)
    expected = decay_of(small_network(), [lambda n: backward(n, images)])
    network = small_network().to(memory_format=torch.channels_last)
    last = images.contiguous(memory_format=torch.channels_last)
    ours = decay_of(network, [lambda n: backward(n, last)])
    # Convolutions of the two layouts sum in another order.
    assert_equal(ours, {k: v.double() for k, v in expected.items()}, rtol=1e-3)


def test_bfloat16_autocast():
    images = torch.randn(2, 3, 32, 48)
    expected = {}

    def step(network):
        with torch.autocast('cpu', torch.bfloat16):
            expected.update(closed_form(network, images))
            loss = network(images).float().square().mean()
        loss.backward()

    # The same bfloat16 features on both sides; the averages are taken in float32.
    assert_equal(decay_of(small_network(), [step]), expected)


def test_compiled_model():
    images = torch.randn(2, 3, 32, 32)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 1, 1))
    expected = decay_of(network, [lambda n: backward(n, images)], layers=['1'])

    decay = DynamicWeightDecay(network, ['1'])
    optimizer = still(decay)
    decay.attach(optimizer)
    compiled = torch.compile(network, backend='aot_eager')
    for _ in range(2):  # the second run reuses the compiled code
        network.zero_grad()
        backward(compiled, images)
        before = decay.gammas['1.weight'].grad.clone()
        optimizer.step()
        ours = {'1.weight': decay.gammas['1.weight'].grad - before}
        assert_equal(ours, {k: v.double() for k, v in expected.items()}, rtol=1e-4)
    decay.detach()


def test_refuses_to_step_without_measurements():
    network = small_network()
    decay = DynamicWeightDecay(network)
    optimizer = still(decay)
    decay.attach(optimizer)
    with torch.no_grad():
        network(torch.randn(2, 3, 32, 32))  # an evaluation, not counted
    with pytest.raises(RuntimeError, match='saw no training forward pass through backbone'):
        optimizer.step()


def test_decoupled_mode_shrinks_gamma():
    network, images = small_network(), torch.randn(2, 3, 32, 32)
    m = closed_form(network, images, weight=1.0)
    m = {name: value / network.get_parameter(name).detach() for name, value in m.items()}
    decay = DynamicWeightDecay(network, mode='decoupled')
    optimizer = still(decay, lr=0.1)
    decay.attach(optimizer)
    backward(network, images)
    start = {name: gamma.detach().clone() for name, gamma in decay.gammas.items()}
    grads = {name: gamma.grad.clone() for name, gamma in decay.gammas.items()}
    optimizer.step()
    ours = {name: gamma.detach() + 0.1 * grads[name] for name, gamma in decay.gammas.items()}
    expected = {name: start[name].double() * (1 - 0.1 * 3 * m[name]) for name in start}
    assert_equal(ours, expected)
    with pytest.raises(ValueError, match=r"mode must be one of .*, got 'adamw'"):
        DynamicWeightDecay(network, mode='adamw')


def test_named_layers_of_any_model():
    model = nn.Sequential(
        nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 1), nn.GroupNorm(2, 4)
    )
    images = torch.randn(2, 3, 8, 8)
    with pytest.raises(ValueError, match='Sequential has no ILBlock: name the normalisation'):
        DynamicWeightDecay(model)
    with pytest.raises(ValueError, match=r"layers: 'bn\*' fits no normalisation layer"):
        DynamicWeightDecay(model, ['bn*'])
    assert list(DynamicWeightDecay(model, ['*']).gammas) == ['1.weight', '4.weight']
    with torch.no_grad():
        model[1].weight.uniform_(0.5, 2)
        model[1].bias.uniform_(-1, 1)
        feature = model[2](model[1](model[0](images)))
    ours = decay_of(
        model,
        [lambda n: backward(n, images)],
        layers=['1'],
        activation=torch.relu,
        metric=lambda x: x.amax((2, 3)),
        weight=0.5,
    )
    expected = 0.5 * model[1].weight.detach() * feature.amax((2, 3)).mean(0)
    assert_equal(ours, {'1.weight': expected.double()})


def test_standard_decay_is_off_exactly_where_the_rule_acts():
    network = small_network()
    decay = DynamicWeightDecay(network)
    others, owned = decay.parameter_groups(weight_decay=5e-3)
    assert others['weight_decay'] == 5e-3 and owned['weight_decay'] == 0
    assert {id(p) for p in owned['params']} == {id(p) for p in decay.gammas.values()}
    together = {id(p) for p in others['params'] + owned['params']}
    assert together == {id(p) for p in network.parameters()}
    assert len(others['params']) + len(owned['params']) == len(together)
    with pytest.raises(ValueError, match='has a standard weight decay beside the dynamic one'):
        decay.attach(torch.optim.Adam(network.parameters(), weight_decay=5e-3))
    with pytest.raises(ValueError, match='does not train backbone'):
        decay.attach(torch.optim.Adam(network.decode_head.parameters()))


def test_attach_and_detach():
    network, images = small_network(), torch.randn(2, 3, 32, 32)
    decay = DynamicWeightDecay(network)
    optimizer = still(decay)
    decay.attach(optimizer)
    with pytest.raises(RuntimeError, match='attached already'):
        decay.attach(optimizer)
    decay.detach()
    backward(network, images)
    before = {name: gamma.grad.clone() for name, gamma in decay.gammas.items()}
    optimizer.step()
    for name, gamma in decay.gammas.items():
        assert torch.equal(gamma.grad, before[name])


def test_skipped_step_is_forgotten_on_reset():
    network = small_network()
    images = torch.randn(2, 3, 32, 32)
    decay = DynamicWeightDecay(network)
    decay.attach(still(decay))
    network(10 * images)  # a step that a gradient scaler skips
    decay.reset()
    network(images)
    penalty = decay.penalty()
    decay.reset()
    network(images)
    torch.testing.assert_close(decay.penalty(), penalty)


def test_two_processes_equal_one(free_port, tmp_path):
    """Norms in eval mode: two half batches are one whole batch."""
    torch.manual_seed(1)
    images = torch.randn(2, 4, 3, 32, 32)
    mp.spawn(half_batch, (free_port, images, tmp_path / 'two.pth'), nprocs=2)

    network = frozen_network()
    decay = DynamicWeightDecay(network)
    optimizer = torch.optim.Adam(decay.parameter_groups(5e-3), lr=1e-2, eps=1e-3)
    decay.attach(optimizer)
    for batch in images:
        optimizer.zero_grad()
        backward(network, batch)
        optimizer.step()
    two = torch.load(tmp_path / 'two.pth')
    for name, value in network.state_dict().items():
        # Adam divides by the gradient's size plus 1e-3: rounding of a 1e-7 part stays that small.
        torch.testing.assert_close(two[name], value, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('optimizer_type', [torch.optim.SGD, torch.optim.Adam])
def test_no_denormal_number_is_left_after_a_thousand_steps(optimizer_type):
    """One channel is decayed by half a step; its weights, unused then, follow by standard decay."""
    torch.manual_seed(0)
    norm = nn.BatchNorm2d(2)
    model = nn.Sequential(nn.Conv2d(1, 2, 1), norm)
    strength = torch.tensor([0.0, 1.0])
    decay = DynamicWeightDecay(
        model, ['1'], weight=1.0, metric=lambda x: strength.expand(len(x), 2), mode='decoupled'
    )
    groups = decay.parameter_groups(weight_decay=0.5)
    optimizer = optimizer_type(groups, lr=0.5)
    decay.attach(optimizer)
    images = torch.randn(2, 1, 3, 3)
    for _ in range(1000):
        optimizer.zero_grad()
        model(images)[:, :1].mean().backward()
        optimizer.step()
    state = [v for s in optimizer.state.values() for v in s.values() if torch.is_tensor(v)]
    numbers = torch.cat([x.detach().flatten() for x in (*model.parameters(), *state)]).abs()
    assert norm.weight[1] == 0
    assert norm.weight[0] != 0
    assert not ((numbers > 0) & (numbers < 1e-30)).any()
