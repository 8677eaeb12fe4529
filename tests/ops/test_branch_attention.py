import itertools
import math

import pytest
import torch
from torch import Tensor

from sod_plugins.ops import branch_attention


def make_inputs(
    branches: int = 3,
    spatial: int = 1,
    size: tuple[int, ...] = (2, 4, 3, 5),
    dtype: torch.dtype = torch.float64,
    scale: float = 1.0,
) -> tuple[list[Tensor], Tensor, Tensor]:
    """Branches, d and s; d has both signs, so the largest logit changes with the sign of s."""
    generator = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)

    n, c, h, w = size
    return (
        [draw(*size) for _ in range(branches)],
        scale * draw(n, branches, c),
        scale * draw(n, spatial, h, w),
    )


def loop_oracle(branches: list[Tensor], d: Tensor, s: Tensor) -> Tensor:
    """Eq. 13 and 14 element by element."""
    out = torch.zeros_like(branches[0])
    for n, c, y, x in itertools.product(*map(range, out.shape)):
        logits = [d[n, i, c] * s[n, i % s.shape[1], y, x] for i in range(len(branches))]
        exponentials = [math.exp(v) for v in logits]
        out[n, c, y, x] = sum(
            e * f[n, c, y, x] for e, f in zip(exponentials, branches, strict=True)
        ) / sum(exponentials)
    return out


def gradients(inputs: tuple[list[Tensor], Tensor, Tensor], implementation: str) -> list[Tensor]:
    """The result, and the gradients of a weighted sum of it by d, s and every branch."""
    branches, d, s = inputs
    leaves = [x.detach().clone().requires_grad_() for x in (d, s, *branches)]
    out = branch_attention(leaves[2:], leaves[0], leaves[1], implementation)
    weights = torch.linspace(-1, 2, out.numel(), dtype=out.dtype).view(out.shape)
    return [out.detach(), *torch.autograd.grad((out * weights).sum(), leaves)]


@pytest.mark.parametrize('implementation', ['fused', 'unrolled', 'reference'])
@pytest.mark.parametrize('spatial', [1, 3])
def test_all_implementations_equal_a_loop_over_every_element(
    implementation: str, spatial: int
) -> None:
    inputs = make_inputs(spatial=spatial)
    torch.testing.assert_close(
        branch_attention(*inputs, implementation), loop_oracle(*inputs), rtol=1e-12, atol=1e-12
    )


@pytest.mark.parametrize('implementation', ['fused', 'unrolled'])
@pytest.mark.parametrize(('branches', 'spatial'), [(3, 1), (3, 3), (1, 1), (4, 1)])
def test_gradients_equal_those_of_the_formula_and_of_finite_differences(
    branches: int, spatial: int, implementation: str
) -> None:
    inputs = make_inputs(branches, spatial)
    for got, reference in zip(
        gradients(inputs, implementation), gradients(inputs, 'reference'), strict=True
    ):
        torch.testing.assert_close(got, reference, rtol=1e-10, atol=1e-10)
    maps, d, s = make_inputs(branches, spatial, size=(2, 2, 2, 3))
    leaves = [x.requires_grad_() for x in (d, s, *maps)]
    assert torch.autograd.gradcheck(
        lambda d, s, *maps: branch_attention(maps, d, s, implementation), leaves
    )


def test_fused_attention_takes_channels_last_and_other_strides() -> None:
    inputs = make_inputs()
    expected = gradients(inputs, 'reference')
    maps, d, s = inputs
    strided = (
        [f.to(memory_format=torch.channels_last) for f in maps[:2]]
        + [maps[2].transpose(2, 3).contiguous().transpose(2, 3)],
        d.transpose(1, 2).contiguous().transpose(1, 2),
        s,
    )
    assert branch_attention(*strided, 'fused').is_contiguous(memory_format=torch.channels_last)
    for got, wanted in zip(gradients(strided, 'fused'), expected, strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize('implementation', ['fused', 'unrolled'])
@pytest.mark.parametrize('scale', [1e2, 1e6])  # |d * s| reaches 1e4; 1e12, of which one ulp is 1e5
def test_logits_far_beyond_the_range_of_exp_choose_one_branch(
    implementation: str, scale: float
) -> None:
    maps, d, s = make_inputs(dtype=torch.float32, scale=scale)
    out, *of_inputs = gradients((maps, d, s), implementation)
    logits = d[..., None, None] * s[:, :, None]
    chosen = torch.stack(maps, 1).gather(1, logits.argmax(1, keepdim=True))[:, 0]
    certain = logits.topk(2, 1).values.diff(dim=1).abs()[:, 0] > 20
    assert certain.float().mean() > 0.8
    torch.testing.assert_close(out[certain], chosen[certain])
    assert all(gradient.isfinite().all() for gradient in of_inputs)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_is_rounded_once_at_the_end(dtype: torch.dtype) -> None:
    maps, d, s = make_inputs(dtype=dtype)
    exact = branch_attention([f.double() for f in maps], d.double(), s.double(), 'reference')
    out, *of_inputs = gradients((maps, d, s), 'fused')
    assert out.dtype == dtype and all(gradient.dtype == dtype for gradient in of_inputs)
    # Half a unit in the last place, and float32's own error.
    torch.testing.assert_close(
        out.double(), exact, rtol=0.5 * torch.finfo(dtype).eps + 1e-6, atol=1e-6
    )


def test_autocast_leaves_the_fused_sums_in_float32() -> None:
    maps, d, s = make_inputs(dtype=torch.bfloat16)
    exact = branch_attention([f.double() for f in maps], d.double(), s.double())
    with torch.autocast('cpu', torch.bfloat16):
        out, *of_inputs = gradients((maps, d, s), 'fused')
    torch.testing.assert_close(out.double(), exact, rtol=2**-8, atol=1e-6)
    assert all(gradient.isfinite().all() for gradient in of_inputs)


@pytest.mark.parametrize('size', [(0, 4, 3, 5), (2, 4, 0, 5)])
def test_an_empty_input_gives_an_empty_result_and_zero_gradients(size: tuple[int, ...]) -> None:
    out, *of_inputs = gradients(make_inputs(size=size), 'fused')
    assert out.shape == size
    assert all(not gradient.any() for gradient in of_inputs)


def test_fused_attention_keeps_one_map_beside_branches_and_result() -> None:
    maps, d, s = make_inputs(branches=4, size=(1, 8, 32, 32))
    leaves = [x.requires_grad_() for x in (d, s, *maps)]

    def kept_maps(implementation: str) -> float:
        storages: dict[int, int] = {}

        def pack(tensor: Tensor) -> Tensor:
            storage = tensor.untyped_storage()
            storages[storage.data_ptr()] = storage.nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
            out = branch_attention(leaves[2:], leaves[0], leaves[1], implementation)
        given = {x.untyped_storage().data_ptr() for x in (out, *leaves)}
        size = sum(nbytes for pointer, nbytes in storages.items() if pointer not in given)
        return size / maps[0].untyped_storage().nbytes()

    assert kept_maps('fused') == 1
    assert kept_maps('reference') >= 8  # the stacked branches and their weights, at least


def test_the_default_is_fused() -> None:
    maps, d, s = make_inputs()
    assert 'Stereoscopic' in branch_attention(maps, d.requires_grad_(), s).grad_fn.name()


def test_compilers_and_exporters_read_the_unrolled_form_without_stacked_maps() -> None:
    class Attention(torch.nn.Module):
        def forward(self, f: Tensor, d: Tensor, s: Tensor) -> Tensor:
            return branch_attention(f.unbind(1), d, s)

    maps, d, s = make_inputs(branches=4, dtype=torch.float32)
    inputs = (torch.stack(maps, 1), d, s)
    exported = torch.export.export(Attention(), inputs)
    shapes = [
        node.meta['val'].shape
        for node in exported.graph.nodes
        if node.op == 'call_function' and isinstance(node.meta['val'], Tensor)
    ]
    assert len(shapes) > 10
    assert all(len(shape) <= 4 or shape[2:] == (4, 1, 1) for shape in shapes)
    torch.testing.assert_close(
        exported.module()(*inputs), branch_attention(maps, d, s, 'reference')
    )


def test_unknown_implementations_are_refused() -> None:
    with pytest.raises(ValueError, match=r"implementation must be one of .*, got 'fast'"):
        branch_attention(*make_inputs(), 'fast')


@pytest.mark.parametrize('implementation', ['fused', 'unrolled', 'reference'])
def test_equal_branches_are_returned_whatever_the_logits(implementation: str) -> None:
    (first, *_), d, s = make_inputs(spatial=3)
    out = branch_attention([first] * 3, d, s, implementation)
    torch.testing.assert_close(out, first, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize('kind', ['channel', 'spatial'])
def test_equal_logits_give_the_mean_of_the_branches(kind: str) -> None:
    maps, d, s = make_inputs(spatial=3)
    logits = {'channel': (torch.full_like(d, 0.7), None), 'spatial': (None, torch.zeros_like(s))}
    out = branch_attention(maps, *logits[kind])
    torch.testing.assert_close(out, sum(maps) / 3, rtol=1e-12, atol=1e-12)


def test_without_logits_the_branches_are_summed() -> None:
    maps, *_ = make_inputs()
    torch.testing.assert_close(branch_attention(maps), maps[0] + maps[1] + maps[2])


@pytest.mark.parametrize('implementation', ['fused', 'unrolled', 'reference'])
def test_two_branches_are_mixed_by_a_sigmoid(implementation: str) -> None:
    """softmax([a, b])_1 = sigmoid(a - b), by hand for one channel and two pixels."""
    maps = [torch.full((1, 1, 1, 2), value, dtype=torch.float64) for value in (2, -1)]
    d = torch.tensor([[[1.0], [-0.5]]]).double()
    s = torch.tensor([[[[math.log(3), -math.log(3)]]]], dtype=torch.float64)
    s /= 1.5  # d_1 s - d_2 s = log 3 and -log 3, whose sigmoids are 3/4 and 1/4
    out = branch_attention(maps, d, s, implementation)
    expected = torch.tensor([[[[0.75 * 2 - 0.25, 0.25 * 2 - 0.75]]]]).double()
    torch.testing.assert_close(out, expected, rtol=1e-12, atol=0)
    channel_alone = branch_attention(maps, d, implementation=implementation)
    weight = 1 / (1 + math.exp(-1.5))
    expected = torch.full_like(channel_alone, 2 * weight - (1 - weight))
    torch.testing.assert_close(channel_alone, expected, rtol=1e-12, atol=0)


def test_one_kind_of_logits_weighs_per_channel_or_per_pixel() -> None:
    maps, d, s = make_inputs(spatial=3)
    ones = torch.ones_like(d), torch.ones_like(s)
    torch.testing.assert_close(branch_attention(maps, d), loop_oracle(maps, d, ones[1]))
    torch.testing.assert_close(branch_attention(maps, None, s), loop_oracle(maps, ones[0], s))
    leaves = [x.requires_grad_() for x in (d, s, *maps)]
    assert torch.autograd.gradcheck(lambda d, _, *maps: branch_attention(maps, d), leaves)
    assert torch.autograd.gradcheck(lambda _, s, *maps: branch_attention(maps, None, s), leaves)


@pytest.mark.parametrize(
    ('channel', 'spatial', 'message'),
    [
        ((2, 2, 4), None, r'channel_logits must have shape \(2, 3, 4\) for 3 branches'),
        ((2, 3, 4), (2, 2, 3, 5), r'spatial_logits must have shape \(2, 3, 3, 5\), or \(2, 1,'),
        (None, (2, 1, 3, 5), 'weighs them alike: give one map per branch'),
    ],
)
def test_logits_that_do_not_fit_are_refused(
    channel: tuple[int, ...] | None, spatial: tuple[int, ...] | None, message: str
) -> None:
    maps, *_ = make_inputs()
    logits = [None if shape is None else torch.zeros(shape) for shape in (channel, spatial)]
    with pytest.raises(ValueError, match=message):
        branch_attention(maps, *logits)


def test_shapes_alone_can_be_computed():
    branches = [torch.empty(1, 8, 64, 64, device='meta') for _ in range(3)]
    d, s = torch.empty(1, 3, 8, device='meta'), torch.empty(1, 1, 64, 64, device='meta')
    assert branch_attention(branches, d, s, implementation='fused').shape == (1, 8, 64, 64)
