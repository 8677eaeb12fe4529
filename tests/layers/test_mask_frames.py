import numpy as np
import pytest
import torch

from sod_plugins.layers import RoIAlign, RoIMasking, RoIPool, mask_frame, mask_loss
from sod_plugins.ops import roi_align, roi_masking, roi_pool

BOXES = torch.tensor([[4.0, 6, 33, 38], [20, 0, 44, 20]])


def disks() -> torch.Tensor:
    """Two filled ellipses (2, 40, 48) inside their boxes."""
    y, x = torch.meshgrid(torch.arange(40) + 0.5, torch.arange(48) + 0.5, indexing='ij')
    return torch.stack(
        [
            ((x - (x1 + x2) / 2) / (x2 - x1) * 2) ** 2 + ((y - (y1 + y2) / 2) / (y2 - y1) * 2) ** 2
            < 1
            for x1, y1, x2, y2 in BOXES.tolist()
        ]
    )


def test_targets_in_the_image_are_shares_of_cells() -> None:
    targets, weights = mask_frame('image', 8).targets(disks(), BOXES, (5, 6))
    pixels = disks().numpy().reshape(2, 5, 8, 6, 8).mean((2, 4))
    np.testing.assert_allclose(targets.numpy(), pixels, rtol=0, atol=1e-6)
    inside = np.zeros((2, 40, 48))
    for index, (x1, y1, x2, y2) in enumerate(BOXES.int().tolist()):
        inside[index, y1:y2, x1:x2] = 1
    inside = inside.reshape(2, 5, 8, 6, 8).mean((2, 4))
    np.testing.assert_allclose(weights.numpy(), inside, rtol=0, atol=1e-6)


def test_targets_of_an_image_that_ends_within_a_cell() -> None:
    masks = torch.ones(1, 37, 48)
    targets, _ = mask_frame('image', 8).targets(masks, BOXES[:1], (5, 6))
    assert targets[0, 4].tolist() == pytest.approx([5 / 8] * 6)
    targets, _ = mask_frame('image', 8).targets(masks, BOXES[:1], (4, 6))  # cells rounded down
    assert targets.shape == (1, 4, 6)


def test_targets_in_the_box_are_its_cut_out() -> None:
    boxes = torch.tensor([[8.0, 4, 40, 20]])
    masks = torch.rand(1, 40, 48) > 0.5
    targets, weights = mask_frame('box', 8).targets(masks, boxes, (16, 32))
    assert torch.equal(targets[0], masks[0, 4:20, 8:40].float())  # a cell is a pixel
    assert weights.eq(1).all()


@pytest.mark.parametrize(
    ('frame', 'map_size', 'least'), [('image', (5, 6), 0.84), ('box', (28, 28), 0.95)]
)
@pytest.mark.parametrize('scale', [(1.0, 1.0), (2.5, 1.5)])
def test_masks_return_from_their_targets(
    frame: str, map_size: tuple[int, int], least: float, scale: tuple[float, float]
) -> None:
    size = (round(40 * scale[1]), round(48 * scale[0]))
    frame = mask_frame(frame, 8)
    targets, _ = frame.targets(disks(), BOXES, map_size)
    masks = frame.paste(targets, BOXES, size, scale)
    rows = ((torch.arange(size[0]) + 0.5) / scale[1]).long()
    columns = ((torch.arange(size[1]) + 0.5) / scale[0]).long()
    expected = disks()[:, rows][:, :, columns]
    overlap = (masks & expected).sum((1, 2)) / (masks | expected).sum((1, 2))
    assert masks.dtype == torch.bool and masks.shape == (2, *size)
    assert overlap.min() > least


def test_masks_end_at_their_box() -> None:
    ones = torch.ones(2, 5, 6)
    for frame in ('image', 'box'):
        masks = mask_frame(frame, 8).paste(ones, BOXES, (40, 48))
        for mask, (x1, y1, x2, y2) in zip(masks, BOXES.int().tolist(), strict=True):
            assert mask.sum() == (x2 - x1) * (y2 - y1) == mask[y1:y2, x1:x2].sum()
        assert mask_frame(frame, 8).paste(ones[:0], BOXES[:0], (40, 48)).shape == (0, 40, 48)


def test_loss_is_the_mean_cross_entropy_by_weights() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 1, 5, 6, generator=generator)
    targets, weights = (torch.rand(2, 5, 6, generator=generator) for _ in range(2))
    p, t, w = (v.double().numpy() for v in (logits[:, 0].sigmoid(), targets, weights))
    expected = -(w * (t * np.log(p) + (1 - t) * np.log(1 - p))).sum() / w.sum()
    assert mask_loss(logits, targets, weights).item() == pytest.approx(expected, rel=1e-5)


def test_loss_of_no_instances_is_zero_with_a_gradient() -> None:
    logits = torch.zeros(0, 1, 5, 6, requires_grad=True)
    for frame in ('image', 'box'):
        targets = mask_frame(frame, 8).targets(torch.zeros(0, 40, 48), BOXES[:0], (5, 6))
        loss = mask_loss(logits, *targets)
        loss.backward()
        assert loss.item() == 0


def test_there_is_no_third_frame() -> None:
    with pytest.raises(ValueError, match='frame must be one of'):
        mask_frame('cell', 8)


def test_extractors_convolve_rectify_and_extract() -> None:
    features = torch.randn(1, 3, 5, 6)
    rois = torch.cat([torch.zeros(2, 1), BOXES], 1)
    extractors = {
        RoIMasking(3, 4, 8, 3, mode='expanded', alpha=0.5): lambda x: roi_masking(
            x, rois, 1 / 8, 'expanded', 0.5
        ),
        RoIAlign(3, 4, 8, output_size=7): lambda x: roi_align(x, rois, (7, 7), 1 / 8),
        RoIPool(3, 4, 8, output_size=7): lambda x: roi_pool(x, rois, (7, 7), 1 / 8),
    }
    for extractor, extract in extractors.items():
        expected = extract(extractor.conv[0](features).relu())
        torch.testing.assert_close(extractor(features, rois), expected)
    bare = RoIMasking(3, None, 8)
    assert bare.out_channels == 3 and not list(bare.parameters())
    torch.testing.assert_close(bare(features, rois), roi_masking(features, rois, 1 / 8))
    with pytest.raises(ValueError, match='mode must be one of'):
        RoIMasking(3, mode='other')
