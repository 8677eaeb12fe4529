from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from reference_values import crc_values, fingerprint, load_tool
from torch import Tensor, nn

from sod_plugins.ops import (
    _context_functions,
    attention_conv,
    global_attention_pool,
    local_attention_pool,
)
from sod_plugins.ops.window import Window

PeakBytes = load_tool('../benchmarks/peak_bytes.py').PeakBytes

# Size of the map, kernel, dilation, stride, padding.
WINDOWS = {
    'paper': ((9, 11), 7, 2, 1, None),
    'rectangular': ((8, 7), (3, 5), (2, 1), 1, None),
    'strided': ((7, 6), 3, 1, 2, 1),
    'all different': ((6, 5), (2, 3), (1, 2), (2, 1), (0, 3)),
    'no padding': ((14, 9), (5, 2), 3, 1, 0),
    'padded beyond the window': ((4, 5), 3, 2, 3, 5),
    'one tap': ((3, 4), 1, 1, 1, None),
}
windows = pytest.mark.parametrize('window', WINDOWS.values(), ids=WINDOWS.keys())


def both(value: int | tuple[int, int]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else value


def draw(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def neighbours(x: Tensor, window) -> tuple[tuple[int, int], list]:
    """Size of the result, and (y, x, k, the neighbour (N, C) or None outside), by loops."""
    (height, width), kernel, dilation, stride, padding = window
    (kr, kc), (dr, dc), (sr, sc) = both(kernel), both(dilation), both(stride)
    pr, pc = (dr * (kr - 1) // 2, dc * (kc - 1) // 2) if padding is None else both(padding)
    rows = (height + 2 * pr - dr * (kr - 1) - 1) // sr + 1
    columns = (width + 2 * pc - dc * (kc - 1) - 1) // sc + 1
    found = []
    for y, z, i, j in itertools.product(range(rows), range(columns), range(kr), range(kc)):
        row, column = y * sr + i * dr - pr, z * sc + j * dc - pc
        inside = 0 <= row < height and 0 <= column < width
        found.append((y, z, i * kc + j, x[:, :, row, column] if inside else None))
    return (rows, columns), found


def naive_pool(x: Tensor, weights: Tensor, window) -> Tensor:
    size, found = neighbours(x, window)
    out = x.new_zeros(*x.shape[:2], *size)
    for y, z, k, neighbour in found:
        if neighbour is not None:
            out[:, :, y, z] += weights[:, k, y, z, None] * neighbour
    return out


def naive_conv(x: Tensor, gates: Tensor, weight: Tensor, bias: Tensor, window, groups: int):
    size, found = neighbours(x, window)
    out = bias[None, :, None, None].repeat(len(x), 1, *size)
    o, c = len(weight) // groups, x.shape[1] // groups
    for y, z, k, neighbour in found:
        for g in range(groups if neighbour is not None else 0):
            matrix = weight[g * o : (g + 1) * o].flatten(2)[:, :, k]
            gated = gates[:, k, y, z, None] * neighbour[:, g * c : (g + 1) * c]
            out[:, g * o : (g + 1) * o, y, z] += gated @ matrix.T
    return out


def make_inputs(window, channels: int = 4, samples: int = 2, outputs: int = 6, groups: int = 1):
    """Features, weights or gates, a convolution's weight and bias."""
    size, kernel = window[0], both(window[1])
    x = draw(samples, channels, *size)
    (rows, columns), _ = neighbours(x, window)
    return (
        x,
        draw(samples, kernel[0] * kernel[1], rows, columns, seed=1),
        draw(outputs, channels // groups, *kernel, seed=2),
        draw(outputs, seed=3),
    )


def pool(window, implementation: str = 'fused') -> Callable[..., Tensor]:
    _, kernel, dilation, stride, padding = window
    return lambda x, w: local_attention_pool(
        x, w, kernel, dilation, stride, padding, implementation
    )


def conv(window, groups: int = 1, implementation: str = 'fused') -> Callable[..., Tensor]:
    _, _, dilation, stride, padding = window
    return lambda x, g, weight, bias=None: attention_conv(
        x, g, weight, bias, dilation, stride, padding, groups, implementation
    )


def run(op: Callable[..., Tensor], inputs) -> list[Tensor]:
    """The result, and the gradients of a weighted sum of it by every input."""
    leaves = [x.detach().clone().requires_grad_() for x in inputs]
    out = op(*leaves)
    slopes = torch.linspace(-1, 2, out.numel(), dtype=out.dtype).view(out.shape)
    return [out.detach(), *torch.autograd.grad((out * slopes).sum(), leaves)]


def assert_all_close(got: list[Tensor], wanted: list[Tensor], **tolerances: float) -> None:
    for a, b in zip(got, wanted, strict=True):
        torch.testing.assert_close(a, b, **tolerances)


@pytest.fixture(params=['fused', 'reference', 'traced'])
def implementation(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """An implementation's name; the third is what a compiler or an exporter reads."""
    if request.param == 'traced':
        monkeypatch.setattr(torch.compiler, 'is_compiling', lambda: True)
        return 'auto'
    return request.param


@windows
def test_local_pooling_equals_a_loop_over_pixels_and_taps(window, implementation: str) -> None:
    x, weights, *_ = make_inputs(window)
    out = pool(window, implementation)(x, weights)
    torch.testing.assert_close(out, naive_pool(x, weights, window), rtol=1e-12, atol=1e-12)


@windows
@pytest.mark.parametrize('groups', [1, 2])
def test_attention_conv_equals_a_loop_over_pixels_and_taps(
    window, groups: int, implementation: str
) -> None:
    inputs = make_inputs(window, groups=groups)
    out = conv(window, groups, implementation)(*inputs)
    torch.testing.assert_close(out, naive_conv(*inputs, window, groups), rtol=1e-12, atol=1e-12)


@windows
def test_fused_gradients_equal_those_of_the_reference(window) -> None:
    inputs = make_inputs(window, groups=2)
    for op, tensors in ((pool, inputs[:2]), (lambda w, i: conv(w, 2, i), inputs)):
        fused, reference = (run(op(window, i), tensors) for i in ('fused', 'reference'))
        assert_all_close(fused, reference, rtol=1e-11, atol=1e-11)


def test_gradients_equal_finite_differences(implementation: str) -> None:
    window = ((3, 4), (2, 3), (1, 2), (2, 1), (1, 2))
    inputs = make_inputs(window, channels=2, outputs=2, groups=2)
    leaves = [x.requires_grad_() for x in inputs]
    assert torch.autograd.gradcheck(pool(window, implementation), leaves[:2])
    assert torch.autograd.gradcheck(conv(window, 2, implementation), leaves)


def test_local_pooling_in_blocks_of_channels_sums_the_gradient_of_the_weights(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_context_functions, 'BLOCK', 2 * (9 + 13) * (11 + 12))
    window = WINDOWS['paper']
    inputs = make_inputs(window, channels=5)[:2]  # blocks of two, two and one
    blocks = [
        c.indices(5)
        for _, c in _context_functions._Frame(Window.of(7, 2, 1, None), *inputs).blocks()
    ]
    assert blocks == 2 * [(0, 2, 1), (2, 4, 1), (4, 5, 1)]
    assert_all_close(
        *(run(pool(window, i), inputs) for i in ('fused', 'reference')), rtol=1e-11, atol=1e-11
    )


def test_global_pooling_equals_a_loop_over_pixels_and_samples() -> None:
    x, weights = draw(2, 3, 8, 12), draw(2, 12, 5, 4, seed=1)
    out = global_attention_pool(x, weights, (3, 4), (2, 3))
    expected = torch.zeros(2, 3, 5, 4, dtype=torch.float64)
    for y, z, k in itertools.product(range(5), range(4), range(12)):
        sample = x[:, :, 2 * (k // 4), 3 * (k % 4)]
        expected[:, :, y, z] += weights[:, k, y, z, None] * sample
    torch.testing.assert_close(out, expected, rtol=1e-12, atol=1e-12)
    leaves = [x[:1, :2].clone().requires_grad_(), weights[:1, :, :2, :3].clone().requires_grad_()]
    assert torch.autograd.gradcheck(
        lambda x, w: global_attention_pool(x, w, (3, 4), (2, 3)), leaves
    )


def test_pooling_gives_the_published_reference_numbers() -> None:
    def filled(key: str, *shape: int) -> Tensor:
        return crc_values(key, torch.Size(shape).numel()).view(shape)

    pooled = global_attention_pool(
        filled('gap.x', 1, 4, 28, 28), (3 * filled('gap.logits', 1, 100, 28, 28)).softmax(1)
    )
    statistics = [pooled.mean(), pooled.std(correction=0), pooled.min(), pooled.max()]
    assert [x.item() for x in statistics] == pytest.approx(
        [0.00229533, 0.11385120, -0.219600, 0.177235], abs=5e-7
    )
    assert fingerprint(pooled) == pytest.approx(
        [0.0267920, -0.0977708, 0.0823378, 0.0058670, 0.1273939], abs=5e-8
    )
    x, weights = filled('lap.x', 1, 4, 10, 10), (3 * filled('lap.logits', 1, 49, 10, 10)).softmax(1)
    for implementation in ('fused', 'reference'):
        pooled = local_attention_pool(x, weights, 7, 2, implementation=implementation)
        assert [pooled.mean().item(), pooled.std(correction=0).item()] == pytest.approx(
            [-0.00021614, 0.03635154], abs=5e-9
        )
        assert fingerprint(pooled) == pytest.approx(
            [-0.0028579, -0.0034365, -0.0014949, 0.0015430, -0.0022007], abs=5e-8
        )


@pytest.mark.parametrize('groups', [1, 2, 4])
def test_open_gates_leave_an_ordinary_convolution(groups: int) -> None:
    window = ((9, 8), 3, 2, 2, 2)
    x, gates, weight, bias = make_inputs(window, outputs=8, groups=groups)
    got = run(
        lambda x, weight, bias: conv(window, groups)(x, torch.ones_like(gates), weight, bias),
        (x, weight, bias),
    )
    wanted = run(lambda *inputs: F.conv2d(*inputs, 2, 2, 2, groups), (x, weight, bias))
    assert_all_close(got, wanted, rtol=1e-11, atol=1e-11)


def test_equal_weights_leave_an_average_and_no_gradients_where_none_are_asked_for() -> None:
    x, weights = draw(2, 3, 6, 6), torch.full((2, 9, 6, 6), 1 / 9, dtype=torch.float64)
    for leaf in (x, weights):
        leaf.requires_grad_()
        out = local_attention_pool(x, weights, 3, implementation='fused')
        torch.testing.assert_close(out, F.avg_pool2d(x, 3, 1, 1))
        out.sum().backward()
        leaf.requires_grad_(False)
    # Each was asked for once; a pixel inside is the neighbour of nine, a corner of four.
    torch.testing.assert_close(x.grad[0, 0, 0, :2], torch.tensor([4 / 9, 6 / 9]).double())
    torch.testing.assert_close(weights.grad[:, 4], x.sum(1).detach())


def test_channels_last_and_other_strides_go_in_and_channels_last_comes_out() -> None:
    window = WINDOWS['paper']
    inputs = make_inputs(window)
    strided = [x.to(memory_format=torch.channels_last) for x in inputs[:3]] + [inputs[3]]
    for op, tensors in ((pool(window), 2), (conv(window), 4)):
        wanted = run(op, inputs[:tensors])
        got = run(op, strided[:tensors])
        assert got[0].is_contiguous(memory_format=torch.channels_last)
        assert wanted[0].is_contiguous()
        assert_all_close(got, wanted, rtol=1e-11, atol=1e-11)
        turned = [x.transpose(0, -1).contiguous().transpose(0, -1) for x in inputs[:tensors]]
        assert_all_close(run(op, turned), wanted, rtol=1e-11, atol=1e-11)
    x, weights = strided[0], draw(2, 4, 3, 5)
    pooled = global_attention_pool(x, weights, 2, 5)
    assert pooled.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(pooled, global_attention_pool(inputs[0], weights, 2, 5))


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_is_rounded_once_at_the_end(
    dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_context_functions, 'BLOCK', 1)
    window = WINDOWS['paper']
    inputs = [x.to(dtype) for x in make_inputs(window, channels=32)]
    half_a_unit = 0.5 * torch.finfo(dtype).eps
    x, weights = inputs[0], inputs[1][:, :30]
    pooled = global_attention_pool(x, weights, (5, 6), 2)
    exact = global_attention_pool(x.double(), weights.double(), (5, 6), 2)
    torch.testing.assert_close(pooled.double(), exact, rtol=half_a_unit + 1e-6, atol=1e-4)
    for op, tensors in ((pool(window), inputs[:2]), (conv(window), inputs)):
        exact = op(*(x.double() for x in tensors))
        out, *of_inputs = run(op, tensors)
        assert out.dtype == dtype and all(x.dtype == dtype for x in of_inputs)
        # float32 sums 32 * 49 products of size 1, whatever cancels.
        torch.testing.assert_close(out.double(), exact, rtol=half_a_unit + 1e-6, atol=1e-4)
        # The same incoming gradient, rounded alike, through the reference in float32.
        slopes = torch.linspace(-1, 2, out.numel(), dtype=dtype).view(out.shape)
        leaves = [x.float().requires_grad_() for x in tensors]
        wanted = torch.autograd.grad((op(*leaves) * slopes.float()).sum(), leaves)
        for got, expected in zip(of_inputs, wanted, strict=True):
            torch.testing.assert_close(got.float(), expected, rtol=half_a_unit + 1e-6, atol=1e-3)


def test_autocast_leaves_sums_in_float32_and_types_as_a_convolution_has_them() -> None:
    window = WINDOWS['paper']
    x, gates, weight, bias = (t.float() for t in make_inputs(window))
    low = x.bfloat16()
    with torch.autocast('cpu', torch.bfloat16):
        pooled, *of_pool = run(pool(window), (low, gates))
        convolved, *of_conv = run(conv(window), (x, gates, weight, bias))
        assert global_attention_pool(low, gates[:, :4], 2).dtype == torch.bfloat16
    assert pooled.dtype == convolved.dtype == torch.bfloat16
    assert [g.dtype for g in of_pool] == [torch.bfloat16, torch.float32]
    assert [g.dtype for g in of_conv] == [torch.float32] * 4
    tolerances = {'rtol': 2**-8 + 1e-6, 'atol': 1e-4}
    exact = pool(window)(low.double(), gates.double())
    torch.testing.assert_close(pooled.double(), exact, **tolerances)
    exact = conv(window)(low.double(), *(t.double() for t in (gates, weight, bias)))
    torch.testing.assert_close(convolved.double(), exact, **tolerances)


@pytest.mark.parametrize('implementation', ['auto', 'fused', 'reference'])
def test_an_empty_batch_gives_an_empty_result_and_zero_gradients(implementation: str) -> None:
    window = WINDOWS['paper']
    inputs = make_inputs(window, samples=0)
    operators = (
        (pool(window, implementation), inputs[:2], 4),
        (conv(window, 1, implementation), inputs, 6),
        (lambda x, w: global_attention_pool(x, w[:, :4], 2), inputs[:2], 4),
    )
    for op, tensors, channels in operators:
        out, *of_inputs = run(op, tensors)
        assert out.shape == (0, channels, 9, 11)
        assert [g.shape for g in of_inputs] == [x.shape for x in tensors]
        assert not any(g.any() for g in of_inputs)


def test_extra_memory_does_not_grow_with_the_kernel() -> None:
    def extra(k: int, convolve: bool, implementation: str) -> float:
        """Peak beyond inputs, result and their gradients, in maps of the features."""
        window = (None, k, 12 // (k - 1), 1, None)
        with PeakBytes() as counter:
            leaves = [draw(1, 16, 48, 48), draw(1, k * k, 48, 48)]
            if convolve:
                leaves.append(draw(8, 16, k, k))
            leaves = [x.requires_grad_() for x in leaves]
            op = (conv if convolve else pool)(window, implementation=implementation)
            out = op(*leaves)
            gradients = torch.autograd.grad(out, leaves, torch.ones_like(out))
        owned = sum(x.nbytes for x in (*leaves, *gradients, out, out))
        return (counter.peak - owned) / leaves[0].nbytes

    for convolve in (False, True):
        small, large = (extra(k, convolve, 'fused') for k in (3, 7))  # of the same extent
        assert large < small + 0.1 < 6
        assert extra(7, convolve, 'reference') > 2 * 49


def test_deterministic_mode_is_obeyed_and_changes_nothing() -> None:
    window = WINDOWS['strided']
    inputs = make_inputs(window)
    wanted = run(pool(window), inputs[:2]) + run(conv(window), inputs)
    torch.use_deterministic_algorithms(True)
    try:
        got = run(pool(window), inputs[:2]) + run(conv(window), inputs)
    finally:
        torch.use_deterministic_algorithms(False)
    assert all(torch.equal(a, b) for a, b in zip(got, wanted, strict=True))


class Attending(nn.Module):
    """All three operators, with weights made from the features."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.logits = nn.Conv2d(4, 9, 3, padding=1)
        self.weight, self.bias = nn.Parameter(torch.randn(6, 2, 3, 3)), nn.Parameter(torch.randn(6))

    def forward(self, x: Tensor) -> Tensor:
        logits = self.logits(x)
        pooled = local_attention_pool(x, logits.softmax(1), 3, 2)
        pooled = pooled + global_attention_pool(x, logits.softmax(1), 3, 2)
        return attention_conv(pooled, logits.sigmoid(), self.weight, self.bias, groups=2)


def test_a_compiler_reads_one_graph_without_an_unfolded_tensor() -> None:
    graphs = []
    network = Attending()
    compiled = torch.compile(
        network, backend=lambda graph, _: graphs.append(graph) or graph, fullgraph=True
    )
    x = torch.randn(2, 4, 7, 8)
    torch.testing.assert_close(compiled(x), network(x))
    assert len(graphs) == 1
    targets = [str(node.target) for node in graphs[0].graph.nodes]
    assert not any('unfold' in target for target in targets)
    # That of the logits, and one for each row of taps: graphs tap by tap are slow to export.
    assert sum('conv2d' in target for target in targets) == 1 + 3


@pytest.mark.slow
def test_an_exported_network_runs_in_onnx_runtime_at_other_sizes(tmp_path: Path) -> None:
    pytest.importorskip('onnxscript')
    onnxruntime = pytest.importorskip('onnxruntime')
    network = Attending().eval()
    path = tmp_path / 'attending.onnx'
    sizes = {0: 'batch', 2: 'height', 3: 'width'}
    torch.onnx.export(
        *(network, (torch.randn(2, 4, 7, 8),), path),
        dynamo=True,
        dynamic_shapes=(sizes,),
        verbose=False,
    )
    session = onnxruntime.InferenceSession(path, providers=['CPUExecutionProvider'])
    x = torch.randn(3, 4, 9, 11)
    (out,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    torch.testing.assert_close(torch.from_numpy(out), network(x).detach(), rtol=1e-5, atol=1e-5)


def test_the_default_is_fused_for_all_but_tiny_maps() -> None:
    x, weights, weight = (
        t.float() for t in (draw(1, 8, 64, 64), draw(1, 9, 64, 64), draw(4, 8, 3, 3))
    )
    x.requires_grad_()
    assert 'LocalPool' in local_attention_pool(x, weights, 3).grad_fn.name()
    assert 'GatedConv' in attention_conv(x, weights, weight).grad_fn.name()
    small = x[..., :8], weights[..., :8]
    assert 'LocalPool' not in local_attention_pool(*small, 3).grad_fn.name()
    assert 'GatedConv' not in attention_conv(*small, weight).grad_fn.name()


def test_shapes_are_inferred_on_the_meta_device() -> None:
    inputs = [x.to('meta') for x in make_inputs(WINDOWS['paper'])]
    assert pool(WINDOWS['paper'])(*inputs[:2]).shape == (2, 4, 9, 11)
    assert conv(WINDOWS['paper'])(*inputs).shape == (2, 6, 9, 11)


X, W9 = torch.zeros(2, 4, 6, 6), torch.zeros(2, 9, 6, 6)
CONV = torch.zeros(8, 4, 3, 3)


@pytest.mark.parametrize(
    ('call', 'message'),
    [
        (lambda: local_attention_pool(X, W9, 3, implementation='fast'), "got 'fast'"),
        (lambda: local_attention_pool(X, W9, 5), r'weights must have shape \(2, 25, 6, 6\).*got'),
        (lambda: local_attention_pool(X, W9, 3, stride=2), r'shape \(2, 9, 3, 3\)'),
        (lambda: local_attention_pool(X, W9[:1], 3), r'shape \(2, 9, 6, 6\).*got \(1, 9'),
        (lambda: local_attention_pool(X[0], W9, 3), 'features must be .* 4 dimensions'),
        (lambda: local_attention_pool(X.int(), W9, 3), 'features must be a floating point'),
        (lambda: local_attention_pool(X, W9, (3, 2)), 'No padding centres'),
        (lambda: local_attention_pool(X, W9, 3, 3, padding=0), 'does not fit into features of 6'),
        (lambda: local_attention_pool(X, W9, 0), 'kernel_size must be an int or'),
        (lambda: local_attention_pool(X, W9, 3.0), 'kernel_size must be .*, got 3.0'),
        (lambda: local_attention_pool(X, W9, 3, None), 'dilation must be .*, got None'),
        (lambda: local_attention_pool(X, W9, 3, (1, 2, 3)), r'dilation .* got \(1, 2, 3\)'),
        (lambda: local_attention_pool(X, W9, 3, stride=0), 'stride must be'),
        (lambda: local_attention_pool(X, W9, 3, padding=-1), 'padding must be .* at least 0'),
        (lambda: attention_conv(X, W9[:, :4], CONV), r'gates must have shape \(2, 9, 6, 6\)'),
        (lambda: attention_conv(X, W9, CONV, groups=3), 'groups must divide the 4 channels'),
        (lambda: attention_conv(X, W9, CONV, groups=0), 'groups must divide'),
        (lambda: attention_conv(X, W9, CONV, groups=2), r'weight must have shape \(8, 2, K, K\)'),
        (lambda: attention_conv(X, W9, CONV, torch.zeros(4)), r'bias must have shape \(8,\)'),
        (lambda: attention_conv(X, W9, CONV[0]), 'weight must be .* 4 dimensions'),
        (lambda: global_attention_pool(X, W9, 3, 3), 'row 6, column 6, outside features of 6 x 6'),
        (lambda: global_attention_pool(X, W9, 2, 3), r'weights must have shape \(2, 4, 6, 6\)'),
    ],
)
def test_what_does_not_fit_is_refused_in_one_sentence(
    call: Callable[[], Tensor], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        call()
