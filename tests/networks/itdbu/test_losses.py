from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from sod_plugins.networks import SideOutput, deeper_supervision_loss
from sod_plugins.networks.itdbu import losses


def outputs(steps: int = 2) -> list[SideOutput]:
    torch.manual_seed(0)
    return [
        SideOutput(level, direction, 1, step, torch.randn(2, 1, size, size, dtype=torch.float64))
        for direction in ('top_down', 'bottom_up')
        for level, size in ((1, 8), (2, 4), (3, 2))
        for step in range(1, steps + 1)
    ]


def naive_loss(sides: list[SideOutput], mask: Tensor, ignore: float = 255) -> float:
    """Eq. 6 pixel by pixel; a pixel of a level is a square of pixels of the mask."""
    total = 0.0
    for *_, logits in sides:
        side, loss, weights = mask.shape[-1] // logits.shape[-1], 0.0, 0.0
        for b in range(len(logits)):
            for i in range(logits.shape[2]):
                for j in range(logits.shape[3]):
                    cell = mask[b, 0, i * side : (i + 1) * side, j * side : (j + 1) * side]
                    values = [v for v in cell.flatten().tolist() if v != ignore]
                    if not values:
                        continue
                    weight, g = len(values) / side**2, sum(values) / len(values)
                    s = 1 / (1 + math.exp(-logits[b, 0, i, j].item()))
                    loss -= weight * (g * math.log(s) + (1 - g) * math.log(1 - s))
                    weights += weight
        total += loss / weights
    return total


@pytest.mark.parametrize('ignored', [False, True])
def test_equals_a_naive_sum(ignored):
    sides = outputs()
    mask = torch.rand(2, 1, 16, 16, dtype=torch.float64)
    if ignored:
        mask[0, :, 5:] = 255
        mask[1, :, :, :3] = 255
    expected = naive_loss(sides, mask)
    got = deeper_supervision_loss(sides, mask, ignore_value=255)
    assert got.item() == pytest.approx(expected, rel=1e-12)
    last = naive_loss([side for side in sides if side.step == 2], mask)
    got = deeper_supervision_loss(sides, mask, last_step_only=True, ignore_value=255)
    assert got.item() == pytest.approx(last, rel=1e-12)


def test_reduced_masks():
    mask = torch.zeros(1, 1, 4, 4)
    mask[..., 0, 0] = 1  # one salient pixel, in the first quarter, off the centre of its cell
    side = [SideOutput(1, 'top_down', 1, 1, torch.tensor([[[[2.0, 0.0], [0.0, 0.0]]]]))]
    negative, rest = math.log1p(math.exp(2.0)), 3 * math.log(2)  # a logit z less where salient
    for mode, share in {'area': 0.25, 'bilinear': 0.25, 'max': 1.0, 'nearest': 0.0}.items():
        got = deeper_supervision_loss(side, mask, mask_resize=mode).item()
        assert got == pytest.approx((negative - 2 * share + rest) / 4, rel=1e-6), mode


def test_reduces_the_mask_once_per_level(monkeypatch):
    sizes = []
    reduce = losses._reduce_mask
    monkeypatch.setattr(
        losses,
        '_reduce_mask',
        lambda mask, size, *rest: (sizes.append(size), reduce(mask, size, *rest))[1],
    )
    deeper_supervision_loss(outputs(), torch.rand(2, 1, 16, 16))
    assert sizes == [(8, 8), (4, 4), (2, 2)]


def test_a_mask_without_counted_pixels_gives_no_loss_and_no_gradient():
    logits = torch.randn(1, 1, 4, 4, requires_grad=True)
    side = SideOutput(1, 'top_down', 1, 1, logits)
    loss = deeper_supervision_loss([side], torch.full((1, 1, 8, 8), 255.0), ignore_value=255)
    loss.backward()
    assert loss.item() == 0
    assert not logits.grad.any()


def test_low_precision_and_whole_numbers():
    sides = outputs()
    mask = (torch.rand(2, 1, 16, 16) > 0.5).long()
    expected = deeper_supervision_loss(sides, mask.double()).item()
    half = [side._replace(logits=side.logits.bfloat16()) for side in sides]
    loss = deeper_supervision_loss(half, mask)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(expected, rel=0.01)  # logits of 8 bits


def test_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match='at least one side output'):
        deeper_supervision_loss([], torch.zeros(2, 1, 8, 8))
    with pytest.raises(ValueError, match=r'must be \(2, 1, H, W\), got \(2, 8, 8\)'):
        deeper_supervision_loss(outputs(), torch.zeros(2, 8, 8))
    with pytest.raises(ValueError, match=r'must lie in \[0, 1\], got values from 255 to 255'):
        deeper_supervision_loss(outputs(), torch.full((2, 1, 8, 8), 255))
    with pytest.raises(ValueError, match=r"mask_resize must be one of .* got 'cubic'"):
        deeper_supervision_loss(outputs(), torch.zeros(2, 1, 8, 8), mask_resize='cubic')
