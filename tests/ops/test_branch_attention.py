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


@pytest.mark.parametrize('implementation', ['fused', 'reference'])
@pytest.mark.parametrize('spatial', [1, 3])
def test_both_implementations_equal_a_loop_over_every_element(
    implementation: str, spatial: int
) -> None:
    inputs = make_inputs(spatial=spatial)
    torch.testing.assert_close(
        branch_attention(*inputs, implementation), loop_oracle(*inputs), rtol=1e-12, atol=1e-12
    )


@pytest.mark.parametrize(('branches', 'spatial'), [(3, 1), (3, 3), (1, 1), (4, 1)])
def test_fused_gradients_equal_those_of_the_formula_and_of_finite_differences(
    branches: int, spatial: int
) -> None:
    inputs = make_inputs(branches, spatial)
    for fused, reference in zip(
        gradients(inputs, 'fused'), gradients(inputs, 'reference'), strict=True
    ):
        torch.testing.assert_close(fused, reference, rtol=1e-10, atol=1e-10)
    maps, d, s = make_inputs(branches, spatial, size=(2, 2, 2, 3))
    leaves = [x.requires_grad_() for x in (d, s, *maps)]
    assert torch.autograd.gradcheck(
        lambda d, s, *maps: branch_attention(maps, d, s, 'fused'), leaves
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
    for got, wanted in zip(gradients(strided, 'fused'), expected, strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-12, atol=1e-12)


def test_logits_far_beyond_the_range_of_exp_choose_one_branch() -> None:
    maps, d, s = make_inputs(dtype=torch.float32, scale=100.0)  # |d * s| reaches 1e4
    out, *of_inputs = gradients((maps, d, s), 'fused')
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


def test_the_default_is_fused_for_large_maps_and_the_formula_when_compiled() -> None:
    maps, d, s = make_inputs(size=(1, 8, 182, 182), dtype=torch.float32)  # just over 2**18
    d.requires_grad_()
    assert 'Stereoscopic' in branch_attention(maps, d, s).grad_fn.name()
    small = [f[..., :2] for f in maps]
    assert 'Stereoscopic' not in branch_attention(small, d, s[..., :2]).grad_fn.name()
    seen = []
    compiled = torch.compile(branch_attention, backend=lambda graph, _: seen.append(graph) or graph)
    torch.testing.assert_close(compiled(maps, d, s), branch_attention(maps, d, s, 'reference'))
    assert 'softmax' in seen[0].code and len(seen) == 1


def test_unknown_implementations_are_refused() -> None:
    with pytest.raises(ValueError, match=r"implementation must be one of .*, got 'fast'"):
        branch_attention(*make_inputs(), 'fast')
