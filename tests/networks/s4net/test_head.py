import math

import numpy as np
import pytest
import torch
from naive_boxes import naive_iou

from sod_plugins.networks import HeadOutputs, S4NetHead, count_parameters
from sod_plugins.ops import encode_boxes

ANCHORS = torch.tensor(
    [[0.0, 0, 32, 32], [4, 0, 36, 32], [64, 64, 128, 128], [70, 66, 134, 130], [200, 0, 264, 64]]
)
BOXES = [torch.tensor([[0.0, 0, 32, 30], [64, 60, 130, 128]]), torch.zeros(0, 4)]
# Positive anchors of both images: IoUs with the boxes are 0.94, 0.72, 0.91, 0.82 and 0.
POSITIVE = [[0, 1, 2, 3], []]


def draw_outputs(seed: int = 0) -> HeadOutputs:
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(2, 5, generator=generator)
    return HeadOutputs(logits, torch.randn(2, 5, 4, generator=generator), ANCHORS, (2, 3))


def test_parameters_and_maps_become_anchors_in_order() -> None:
    head = S4NetHead()
    assert count_parameters(head) == 1_263_122
    head = S4NetHead(4, 6, (8, 16))
    levels = [torch.rand(2, 4, 3, 5), torch.rand(2, 4, 2, 3)]
    outputs = head(levels)
    assert outputs.level_sizes == (45, 18)
    x = head.conv(levels[1]).relu()
    classes, deltas = head.classify(x), head.regress(x)
    # Row 1, column 2, the last shape: two and four channels each.
    index = 45 + (1 * 3 + 2) * 3 + 2
    expected = classes[:, 5, 1, 2] - classes[:, 4, 1, 2]
    torch.testing.assert_close(outputs.logits[:, index], expected)
    torch.testing.assert_close(outputs.deltas[:, index], deltas[:, 8:12, 1, 2])
    x, y = outputs.anchors[index, :2] + outputs.anchors[index, 2:]
    assert (x.item() / 2, y.item() / 2) == pytest.approx((2 * 16 + 8, 1 * 16 + 8))


def test_balanced_objectness_in_closed_form() -> None:
    outputs = draw_outputs()
    p = 1 / (1 + np.exp(-outputs.logits.double().numpy()))
    positive = [-math.log(p[0, i]) for i in POSITIVE[0]]
    negative = [-math.log(1 - p[0, 4]), *(-np.log(1 - p[1]))]
    loss = S4NetHead(4, 4, (8, 16)).loss(outputs, BOXES)['loss_obj']
    assert loss.item() == pytest.approx(np.mean(positive) + np.mean(negative), rel=1e-5)
    head = S4NetHead(4, 4, (8, 16), objectness='ohem', num_hard=3, weights=(0.3, 0.2))
    hard = np.sort(negative)[-3:].mean()
    loss = head.loss(outputs, BOXES)['loss_obj'].item()
    assert loss == pytest.approx(0.3 * np.mean(positive) + 0.2 * hard, rel=1e-5)


@pytest.mark.parametrize(('beta', 'std'), [(1.0, (0.1, 0.1, 0.2, 0.2)), (1 / 9, (1, 1, 1, 1))])
def test_box_loss_in_closed_form(beta: float, std: tuple[float, ...]) -> None:
    outputs = draw_outputs()
    errors = []
    for anchor, box in zip(POSITIVE[0], (0, 0, 1, 1), strict=True):
        target = encode_boxes(BOXES[0][box], ANCHORS[anchor]) / torch.tensor(std)
        d = (outputs.deltas[0, anchor] - target).abs().double().numpy()
        errors.append(np.where(d < beta, d**2 / 2 / beta, d - beta / 2).sum())
    head = S4NetHead(4, 4, (8, 16), beta=beta, delta_std=std)
    assert head.loss(outputs, BOXES)['loss_box'].item() == pytest.approx(np.mean(errors), rel=1e-5)
    head = S4NetHead(4, 4, (8, 16), beta=beta, delta_std=std, box_reduction='level')
    by_level = (np.mean(errors[:2]) + np.mean(errors[2:])) / 4
    assert head.loss(outputs, BOXES)['loss_box'].item() == pytest.approx(by_level, rel=1e-5)


@pytest.mark.parametrize('reduction', ['mean', 'level'])
def test_without_objects_only_the_negatives_count(reduction: str) -> None:
    head = S4NetHead(4, 4, (8, 16), box_reduction=reduction)
    outputs = head([torch.rand(2, 4, 4, 4), torch.rand(2, 4, 2, 2)])
    losses = head.loss(outputs, [torch.zeros(0, 4)] * 2)
    expected = torch.nn.functional.softplus(outputs.logits).mean()
    torch.testing.assert_close(losses['loss_obj'], expected)
    assert losses['loss_box'].item() == 0
    sum(losses.values()).backward()
    assert all(p.grad.isfinite().all() for p in head.parameters())
    # Without a box there is nothing to regress.
    untouched = {name for name, p in head.named_parameters() if not p.grad.any()}
    assert untouched == {'regress.weight', 'regress.bias'}


@pytest.mark.parametrize('offset', [0, 1])
def test_proposals_like_naive_suppression(offset: int) -> None:
    head = S4NetHead(
        4, 4, (8, 16), delta_std=(1, 1, 1, 1), offset=offset, max_candidates=90, num_proposals=9
    )
    generator = torch.Generator().manual_seed(0)
    count = 3 * (64 + 16)
    anchors = head([torch.zeros(1, 4, 8, 8), torch.zeros(1, 4, 4, 4)]).anchors
    logits = torch.randn(2, count, generator=generator)
    deltas = 0.3 * torch.randn(2, count, 4, generator=generator)
    deltas[0, logits[0].argmax(), 0] = -50.0  # the best box is outside and is left out
    sizes = [(64, 64), (50, 40)]
    proposals = head.propose(HeadOutputs(logits, deltas, anchors, (192, 48)), sizes)
    for image in range(2):
        expected = naive_proposals(
            logits[image].double().numpy(),
            deltas[image].double().numpy(),
            anchors.double().numpy(),
            sizes[image],
            offset,
        )[:9]
        found = proposals.found[image]
        assert found.sum() == len(expected) > 3
        result = torch.cat([proposals.boxes[image], proposals.scores[image][:, None]], 1)[found]
        np.testing.assert_allclose(result.numpy(), expected, rtol=0, atol=1e-4)


def naive_proposals(logits, deltas, anchors, size, offset):
    kept = []
    for index in np.argsort(-logits)[:90]:
        x1, y1, x2, y2 = anchors[index]
        width, height = x2 - x1 + offset, y2 - y1 + offset
        dx, dy, dw, dh = deltas[index]
        x, y = x1 + width / 2 + dx * width, y1 + height / 2 + dy * height
        width, height = width * math.exp(dw), height * math.exp(dh)
        box = [x - width / 2, y - height / 2, x + width / 2 - offset, y + height / 2 - offset]
        box = [min(max(v, 0), size[1 - i % 2] - offset) for i, v in enumerate(box)]
        if box[2] - box[0] + offset <= 0 or box[3] - box[1] + offset <= 0:
            continue
        if all(naive_iou(box, other, offset) <= 0.4 for other in kept):
            kept.append([*box, 1 / (1 + math.exp(-logits[index]))])
    return kept


def test_refuses_forms_that_do_not_exist() -> None:
    for argument in ('anchors', 'objectness', 'box_reduction', 'offset'):
        with pytest.raises(ValueError, match=f'{argument} must be one of'):
            S4NetHead(**{argument: 'other'})


def test_anchors_stay_exact_in_half_precision() -> None:
    head, levels = S4NetHead(4, 4, (8,)), [torch.zeros(1, 4, 3, 90)]
    expected = head(levels).anchors
    anchors = head.half()([levels[0].half()]).anchors
    # Only the shapes are rounded, by 0.02 at most; half precision has steps of 0.5 at 700 pixels.
    torch.testing.assert_close(anchors, expected, rtol=0, atol=0.02)
