import io

import numpy as np
import pytest
import torch

from sod_plugins.ops import roi_masking, roi_masks


def naive_mask(box, size, stride, mode, alpha):
    """Mean over a cell of the paper's mask, by the areas of rectangles, in float64."""
    x1, y1, x2, y2 = map(float, box)
    width, height = max(x2 - x1, 0), max(y2 - y1, 0)
    outer = (x1 - alpha * width, y1 - alpha * height, x2 + alpha * width, y2 + alpha * height)

    def area(i, j, box):
        rows = max(min((i + 1) * stride, box[3]) - max(i * stride, box[1]), 0)
        columns = max(min((j + 1) * stride, box[2]) - max(j * stride, box[0]), 0)
        return rows * columns

    mask = np.zeros(size)
    for i in range(size[0]):
        for j in range(size[1]):
            inner = area(i, j, (x1, y1, x2, y2)) if width and height else 0
            around = area(i, j, outer) - inner if width and height else 0
            sign = {'ternary': -1, 'binary': 0, 'expanded': 1}[mode]
            mask[i, j] = (inner + sign * around) / stride**2
    return mask


ROIS = torch.tensor(
    [
        [0, 12.3, 7.9, 61.2, 40.0],
        [1, 0.0, 0.0, 80.0, 56.0],
        [1, -30.0, -20.0, 13.7, 9.1],
        [0, 300.0, 10.0, 340.0, 40.0],  # outside
        [0, 20.0, 20.0, 20.0, 50.0],  # without area
        [1, 50.0, 40.0, 40.0, 20.0],  # without area either
        [1, 33.0, 33.0, 34.5, 34.5],  # inside one cell
    ]
)


@pytest.mark.parametrize('mode', ['ternary', 'binary', 'expanded'])
@pytest.mark.parametrize('alpha', [0.0, 1 / 3, 1.0])
def test_by_area_like_naive_loops(mode: str, alpha: float) -> None:
    generator = torch.Generator().manual_seed(0)
    features = torch.rand(2, 3, 7, 10, generator=generator)
    result = roi_masking(features, ROIS, 1 / 8, mode, alpha)
    assert result.shape == (len(ROIS), 3, 7, 10)
    for roi, maps in zip(ROIS, result, strict=True):
        mask = naive_mask(roi[1:], (7, 10), 8, mode, alpha)
        expected = features[int(roi[0])].double().numpy() * mask
        np.testing.assert_allclose(maps.numpy(), expected, rtol=0, atol=2e-6)


def test_sums_of_the_closed_form() -> None:
    roi = torch.tensor([[0.0, 80, 80, 240, 240]])
    result = roi_masking(torch.ones(1, 1, 40, 40), roi, 1 / 8)
    assert result.clamp(min=0).sum().item() == pytest.approx(400, abs=1e-3)
    assert result.clamp(max=0).sum().item() == pytest.approx(-711.111, abs=2e-3)


@pytest.mark.parametrize(
    ('box', 'slicing', 'inside', 'around', 'columns', 'rows'),
    [
        ((80, 80, 239, 239), False, 400, 624, (10, 30), (10, 30)),
        ((80, 80, 239, 239), True, 400, 624, (10, 30), (10, 30)),
        ((0, 0, 159, 159), True, 400, 0, (0, 20), (0, 20)),
        ((0, 0, 159, 159), False, 400, 26 * 26 - 400, (0, 20), (0, 20)),
        ((17.9, 30.2, 63.99, 64), False, 36, 64, (2, 8), (3, 9)),
    ],
)
def test_quantised_as_measured_on_the_released_code(
    box: tuple[float, ...],
    slicing: bool,
    inside: int,
    around: int,
    columns: tuple[int, int],
    rows: tuple[int, int],
) -> None:
    mask = roi_masks(
        torch.tensor([[0, *box]]), (40, 40), 1 / 8, quantized=True, negative_slicing=slicing
    )[0]
    assert set(mask.unique().tolist()) <= {-1.0, 0.0, 1.0}
    assert ((mask == 1).sum(), (mask == -1).sum()) == (inside, around)
    assert (mask[slice(*rows), slice(*columns)] == 1).all()


def test_quantised_slicing_wraps_to_the_far_side_as_python_does() -> None:
    generator = np.random.default_rng(0)
    for _ in range(50):
        x1, y1 = generator.uniform(0, 200, 2)
        x2, y2 = x1 + generator.uniform(5, 120), y1 + generator.uniform(5, 120)
        cells = [int(v // 8) for v in (x1, y1, x2, y2)]
        left, top, right, bottom = cells[0], cells[1], cells[2] + 1, cells[3] + 1
        dx, dy = (right - left) // 3, (bottom - top) // 3
        expected = np.zeros((40, 40))
        expected[top - dy : bottom + dy, left - dx : right + dx] = -1
        expected[top:bottom, left:right] = 1
        roi = torch.tensor([[0, x1, y1, x2, y2]])
        mask = roi_masks(roi, (40, 40), 1 / 8, quantized=True, negative_slicing=True)[0]
        np.testing.assert_array_equal(mask.numpy(), expected)


def test_gradient_is_the_mask_summed_over_the_regions_of_an_image() -> None:
    features = torch.rand(2, 2, 7, 10, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda f: roi_masking(f, ROIS, 1 / 8), features)
    scale = torch.arange(1, 12, dtype=torch.float64)[:, None, None]  # more than are taken at once
    features = torch.rand(2, 11, 7, 10, dtype=torch.float64, requires_grad=True)
    loss = (scale * roi_masking(features, ROIS, 1 / 8)).sum()
    gradient = torch.autograd.grad(loss, features)[0]
    for image in range(2):
        masks = roi_masks(ROIS[ROIS[:, 0] == image], (7, 10), 1 / 8)
        torch.testing.assert_close(gradient[image], scale * masks.sum(0).double())


def test_keeps_for_the_gradient_the_masks_alone() -> None:
    features = torch.rand(1, 16, 7, 10, requires_grad=True)
    saved = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t) or t, lambda t: t):
        roi_masking(features, ROIS.clone().index_fill_(1, torch.tensor([0]), 0), 1 / 8)
    floats = sum(t.numel() for t in saved if t.is_floating_point())
    assert floats == len(ROIS) * 7 * 10


def test_half_precision_is_rounded_once() -> None:
    features = torch.rand(2, 3, 7, 10)
    expected = roi_masking(features.half().float(), ROIS, 1 / 8)
    result = roi_masking(features.half(), ROIS, 1 / 8)
    assert result.dtype == torch.float16
    # Of values up to 1, masks and products lose at most half a unit in the last place each.
    torch.testing.assert_close(result.float(), expected, rtol=0, atol=1e-3)


def test_no_regions_and_other_memory_formats() -> None:
    features = torch.rand(2, 3, 7, 10)
    empty = roi_masking(features, torch.zeros(0, 5), 1 / 8)
    assert empty.shape == (0, 3, 7, 10)
    expected = roi_masking(features, ROIS, 1 / 8)
    channels_last = features.to(memory_format=torch.channels_last)
    torch.testing.assert_close(roi_masking(channels_last, ROIS, 1 / 8), expected)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'mode': 'quaternary'}, 'mode must be one of'),
        ({'alpha': -0.1}, 'alpha must be at least 0'),
        ({'spatial_scale': 0.0}, 'spatial_scale must be positive'),
        ({'negative_slicing': True}, 'set quantized too'),
        ({'rois': torch.zeros(3, 4)}, r'rois must be \(K, 5\)'),
        ({'features': torch.zeros(3, 7, 10)}, r'features must be \(N, C, H, W\)'),
    ],
)
def test_refuses_what_does_not_fit(arguments: dict, message: str) -> None:
    defaults = {'features': torch.zeros(2, 3, 7, 10), 'rois': ROIS, 'spatial_scale': 1 / 8}
    with pytest.raises(ValueError, match=message):
        roi_masking(**{**defaults, **arguments})


def test_runs_in_onnx_runtime() -> None:
    onnxruntime = pytest.importorskip('onnxruntime')
    pytest.importorskip('onnxscript')

    class Masking(torch.nn.Module):
        def forward(self, features: torch.Tensor, rois: torch.Tensor) -> torch.Tensor:
            return roi_masking(features, rois, 1 / 8)

    features = torch.rand(2, 3, 7, 10)
    file = io.BytesIO()
    program = torch.onnx.export(Masking().eval(), (features, ROIS), dynamo=True, verbose=False)
    program.save(file)
    session = onnxruntime.InferenceSession(file.getvalue(), providers=['CPUExecutionProvider'])
    names = [node.name for node in session.get_inputs()]
    feeds = dict(zip(names, (features.numpy(), ROIS.numpy()), strict=True))
    result = torch.from_numpy(session.run(None, feeds)[0])
    torch.testing.assert_close(result, roi_masking(features, ROIS, 1 / 8), rtol=0, atol=1e-6)
