import math

import numpy as np
import pytest
import torch
from naive_boxes import naive_iou

from sod_plugins.ops import box_iou, clip_boxes, decode_boxes, encode_boxes, nms


def draw_boxes(count: int, seed: int = 0, side: float = 100) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    starts = torch.rand(count, 2, generator=generator) * side
    return torch.cat([starts, starts + 1 + torch.rand(count, 2, generator=generator) * side / 2], 1)


def naive_nms(boxes, scores, threshold, max_keep, offset):
    kept = []
    for index in np.argsort(-scores, kind='stable'):
        if all(naive_iou(boxes[index], boxes[k], offset) <= threshold for k in kept):
            kept.append(int(index))
    return kept[:max_keep]


@pytest.mark.parametrize('offset', [0, 1])
def test_iou_like_naive_loops(offset: int) -> None:
    boxes, others = draw_boxes(5).double(), draw_boxes(7, 1).double()
    expected = [[naive_iou(a, b, offset) for b in others.tolist()] for a in boxes.tolist()]
    torch.testing.assert_close(
        box_iou(boxes, others, offset), torch.tensor(expected, dtype=torch.float64)
    )


def test_iou_of_boxes_without_area_is_zero() -> None:
    point = torch.tensor([[3.0, 3, 3, 3]])
    assert box_iou(point, point).item() == 0
    assert box_iou(point, point, offset=1).item() == 1


@pytest.mark.parametrize('offset', [0, 1])
def test_coding_is_undone_by_decoding(offset: int) -> None:
    boxes, anchors = draw_boxes(50).double(), draw_boxes(50, 1).double()
    deltas = encode_boxes(boxes, anchors, offset)
    torch.testing.assert_close(decode_boxes(deltas, anchors, offset), boxes)


def test_coding_of_a_box_by_hand() -> None:
    anchor, box = torch.tensor([0.0, 0, 10, 20]), torch.tensor([5.0, 5, 25, 15])
    expected = [(15 - 5) / 10, (10 - 10) / 20, math.log(2), math.log(0.5)]
    torch.testing.assert_close(encode_boxes(box, anchor), torch.tensor(expected))
    # With 1 the same numbers stand for boxes of 21 x 11 and 11 x 21 pixels.
    expected = [(5 + 10.5 - 5.5) / 11, (5 + 5.5 - 10.5) / 21, math.log(21 / 11), math.log(11 / 21)]
    torch.testing.assert_close(encode_boxes(box, anchor, 1), torch.tensor(expected))


def test_decoded_boxes_stay_finite() -> None:
    deltas = torch.tensor([0.0, 0, 1000, 1000])
    assert decode_boxes(deltas, torch.tensor([0.0, 0, 16, 16])).isfinite().all()


def test_boxes_are_clipped_to_their_own_image() -> None:
    boxes = torch.tensor([[[-5.0, 3, 500, 600]], [[2, -3, 500, 600]]])
    sizes = torch.tensor([[60, 90], [120, 80]])
    expected = [[[0.0, 3, 90, 60]], [[2, 0, 80, 120]]]
    assert clip_boxes(boxes, sizes).tolist() == expected
    assert clip_boxes(boxes, sizes, offset=1)[0, 0].tolist() == [0, 3, 89, 59]


@pytest.mark.parametrize('offset', [0, 1])
@pytest.mark.parametrize('max_keep', [5, 200])
def test_nms_like_naive_loops(offset: int, max_keep: int) -> None:
    boxes = torch.stack([draw_boxes(120, seed).double() for seed in range(3)])
    scores = torch.rand(3, 120, generator=torch.Generator().manual_seed(5)).double()
    scores[1] = scores[1].mul(4).round()  # ties
    index, found = nms(boxes, scores, 0.4, max_keep, offset)
    assert index.shape == (3, min(max_keep, 120))
    for image in range(3):
        kept = index[image][found[image]].tolist()
        assert kept == naive_nms(boxes[image].numpy(), scores[image].numpy(), 0.4, max_keep, offset)
        assert found[image][: len(kept)].all()


def test_nms_keeps_a_box_at_the_threshold_and_none_of_score_minus_infinity() -> None:
    boxes = torch.tensor([[[0.0, 0, 10, 10], [0, 0, 10, 5], [50, 50, 60, 60]]])
    scores = torch.tensor([[0.9, 0.8, -torch.inf]])
    index, found = nms(boxes, scores, 0.5, 3)
    assert index[found].tolist() == [0, 1]
    index, found = nms(boxes, scores, 0.49, 3)
    assert index[found].tolist() == [0]


def test_nms_of_no_boxes() -> None:
    index, found = nms(torch.zeros(2, 0, 4), torch.zeros(2, 0), 0.5, 20)
    assert index.shape == found.shape == (2, 0)
