from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from sod_plugins.ops import octave_conv, scale_sizes


def naive_conv(x: Tensor, weight: Tensor, padding: int, dilation: int) -> Tensor:
    """Convolve by loops over pixels and taps."""
    batch, _, height, width = x.shape
    c_out, _, k, _ = weight.shape
    out_h = height + 2 * padding - dilation * (k - 1)
    out_w = width + 2 * padding - dilation * (k - 1)
    out = x.new_zeros(batch, c_out, out_h, out_w)
    for i in range(out_h):
        for j in range(out_w):
            for a in range(k):
                for b in range(k):
                    row, column = i + a * dilation - padding, j + b * dilation - padding
                    if 0 <= row < height and 0 <= column < width:
                        out[:, :, i, j] += x[:, :, row, column] @ weight[:, :, a, b].T
    return out


def naive_pool(x: Tensor, factor: int, reduce: str) -> Tensor:
    height, width = x.shape[2] // factor, x.shape[3] // factor
    out = x.new_zeros(*x.shape[:2], height, width)
    for i in range(height):
        for j in range(width):
            cell = x[:, :, i * factor : (i + 1) * factor, j * factor : (j + 1) * factor]
            out[:, :, i, j] = cell.amax((2, 3)) if reduce == 'max' else cell.mean((2, 3))
    return out


def naive_bilinear(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Half-pixel centres, clamped at the border, no antialiasing."""
    out = x.new_zeros(*x.shape[:2], *size)
    for i in range(size[0]):
        for j in range(size[1]):
            value = 0
            row = max((i + 0.5) * x.shape[2] / size[0] - 0.5, 0)
            column = max((j + 0.5) * x.shape[3] / size[1] - 0.5, 0)
            for a, wa in ((int(row), 1 - row % 1), (int(row) + 1, row % 1)):
                for b, wb in ((int(column), 1 - column % 1), (int(column) + 1, column % 1)):
                    pixel = x[:, :, min(a, x.shape[2] - 1), min(b, x.shape[3] - 1)]
                    value = value + wa * wb * pixel
            out[:, :, i, j] = value
    return out


def naive_octave_conv(inputs, weight, in_channels, out_channels, stride, padding, dilation):
    """Every path by itself, straight from the definition."""
    if stride == 2:
        inputs = [None if x is None else naive_pool(x, 2, 'mean') for x in inputs]
    outputs = []
    row = 0
    for j, c_out in enumerate(out_channels):
        total, column = None, 0
        for i, c_in in enumerate(in_channels):
            path = weight[row : row + c_out, column : column + c_in]
            column += c_in
            if c_in == 0 or c_out == 0:
                continue
            x = inputs[i]
            if j > i:
                y = naive_conv(naive_pool(x, 2 ** (j - i), 'max'), path, padding, dilation)
            else:
                y = naive_conv(x, path, padding, dilation)
            if j < i:
                finer = inputs[j] if j < len(inputs) else None
                scale = 2 ** (i - j)
                size = (
                    (x.shape[2] * scale, x.shape[3] * scale)
                    if finer is None
                    else tuple(finer.shape[2:])
                )
                y = naive_bilinear(y, size)
            total = y if total is None else total + y
        row += c_out
        outputs.append(total)
    return outputs


def make(in_channels, out_channels, size, kernel, seed=0):
    generator = torch.Generator().manual_seed(seed)
    inputs = [
        torch.randn(2, c, size[0] // 2**s, size[1] // 2**s, generator=generator).double()
        if c
        else None
        for s, c in enumerate(in_channels)
    ]
    shape = (sum(out_channels), sum(in_channels), kernel, kernel)
    return inputs, torch.randn(shape, generator=generator).double()


CASES = {
    'vanilla': ((2, 3), (3, 1), (8, 12), 3, 1, 1),
    'opening': ((3,), (2, 2), (9, 7), 3, 1, 1),
    'stride': ((2, 2), (2, 3), (16, 12), 3, 2, 1),
    'stride from one scale': ((3,), (2, 2), (13, 10), 3, 2, 1),
    'cross-stage': ((2, 3, 2), (1, 2, 2), (12, 17), 1, 1, 1),
    'merging': ((1, 2, 2), (3,), (12, 9), 1, 1, 1),
    'four scales, dilated': ((1, 1, 2, 1), (2, 1, 1, 1), (16, 24), 3, 1, 2),
    'empty high input': ((0, 2), (2, 1), (8, 8), 3, 1, 1),
    'empty outputs': ((2, 2, 1), (0, 2, 0), (8, 12), 1, 1, 1),
}


@pytest.mark.parametrize('case', CASES.values(), ids=CASES)
def test_equals_loops(case):
    in_channels, out_channels, size, kernel, stride, dilation = case
    inputs, weight = make(in_channels, out_channels, size, kernel)
    padding = dilation * (kernel // 2)
    ours = octave_conv(
        inputs,
        weight,
        in_channels,
        out_channels,
        stride=stride,
        padding=padding,
        dilation=dilation,
    )
    expected = naive_octave_conv(
        inputs, weight, in_channels, out_channels, stride, padding, dilation
    )
    assert [y is None for y in ours] == [c == 0 for c in out_channels]
    for y, reference in zip(ours, expected, strict=True):
        if reference is not None:
            # Sums of at most some hundred float64 products.
            torch.testing.assert_close(y, reference, rtol=1e-11, atol=1e-11)


def test_simplified_is_depthwise_in_each_scale():
    inputs, _ = make((2, 3), (2, 3), (8, 6), 3)
    weight = torch.randn(5, 1, 3, 3, dtype=torch.float64)
    ours = octave_conv(inputs, weight, (2, 3), (2, 3), padding=1, cross_scale=False)
    channel = 0
    for x, y in zip(inputs, ours, strict=True):
        for c in range(x.shape[1]):
            expected = naive_conv(x[:, c : c + 1], weight[channel : channel + 1], 1, 1)
            torch.testing.assert_close(y[:, c : c + 1], expected, rtol=1e-12, atol=1e-12)
            channel += 1


def test_bilinear_coarsening_resizes_to_the_coarser_map():
    inputs, weight = make((2, 2), (2, 2), (9, 12), 1)
    inputs[1] = torch.randn(2, 2, 5, 6, dtype=torch.float64)  # a backbone that rounds up
    _, coarse = octave_conv(inputs, weight, (2, 2), (2, 2), coarsening='bilinear')
    down = naive_bilinear(inputs[0], (5, 6))
    expected = naive_conv(down, weight[2:, :2], 0, 1) + naive_conv(inputs[1], weight[2:, 2:], 0, 1)
    torch.testing.assert_close(coarse, expected)


def test_max_pool_reaches_maps_that_were_rounded_up():
    inputs, weight = make((1, 1), (1, 1), (9, 12), 1)
    inputs[1] = torch.randn(2, 1, 5, 6, dtype=torch.float64)
    _, coarse = octave_conv(inputs, weight, (1, 1), (1, 1))
    pooled = F.adaptive_max_pool2d(inputs[0], (5, 6))
    torch.testing.assert_close(coarse, weight[1, 0] * pooled + weight[1, 1] * inputs[1])


def test_gradients():
    inputs, weight = make((1, 2), (2, 1), (4, 6), 3)
    arguments = [x.requires_grad_() for x in inputs] + [weight.requires_grad_()]

    def function(high, low, weight):
        return tuple(octave_conv([high, low], weight, (1, 2), (2, 1), stride=1, padding=1))

    assert torch.autograd.gradcheck(function, arguments)


def test_memory_layout_and_empty_batch():
    inputs, weight = make((2, 3), (3, 1), (8, 12), 3)
    expected = octave_conv(inputs, weight, (2, 3), (3, 1), padding=1)
    transposed = [x.transpose(2, 3).contiguous().transpose(2, 3) for x in inputs]
    channels_last = [x.to(memory_format=torch.channels_last) for x in inputs]
    for layout in (transposed, channels_last):
        for y, reference in zip(
            octave_conv(layout, weight, (2, 3), (3, 1), padding=1), expected, strict=True
        ):
            torch.testing.assert_close(y, reference)
    empty = octave_conv([x[:0] for x in inputs], weight, (2, 3), (3, 1), padding=1)
    assert [tuple(y.shape) for y in empty] == [(0, 3, 8, 12), (0, 1, 4, 6)]


def test_half_precision():
    inputs, weight = make((2, 3), (3, 1), (8, 12), 3)
    expected = octave_conv(inputs, weight, (2, 3), (3, 1), padding=1)
    halves = octave_conv(
        [x.bfloat16() for x in inputs], weight.bfloat16(), (2, 3), (3, 1), padding=1
    )
    for y, reference in zip(halves, expected, strict=True):
        assert y.dtype == torch.bfloat16
        # bfloat16 keeps 8 bits: inputs, weights and results are each rounded by up to 2**-9, and
        # the values summed here reach about 10.
        torch.testing.assert_close(y.double(), reference, rtol=0.02, atol=0.15)


def test_scale_sizes():
    x = torch.zeros(1, 1, 9, 7)
    assert scale_sizes([x, None], 3) == [(9, 7), (4, 3), (2, 1)]
    assert scale_sizes([None, x], 3) == [(18, 14), (9, 7), (4, 3)]
    with pytest.raises(ValueError, match='at least one input scale'):
        scale_sizes([None, None], 2)
