import numpy as np
import pytest
import torch

from sod_plugins.networks.s4net.anchors import assign_anchors, base_anchors, shift_anchors

RELEASED = {
    4: [(-3.5, 2, 18.5, 13), (0, 0, 15, 15), (2.5, -3, 12.5, 18)],
    8: [(-15, -4, 30, 19), (-8, -8, 23, 23), (-3, -14, 18, 29)],
    16: [(-38, -16, 53, 31), (-24, -24, 39, 39), (-14, -36, 29, 51)],
    32: [(-84, -40, 99, 55), (-56, -56, 71, 71), (-36, -80, 51, 95)],
    64: [(-176, -88, 191, 103), (-120, -120, 135, 135), (-80, -168, 95, 183)],
}


@pytest.mark.parametrize('stride', RELEASED)
def test_released_anchors_as_measured(stride: int) -> None:
    anchors = base_anchors(stride, (0.5, 1, 2), 4, released=True)
    assert anchors.tolist() == [list(box) for box in RELEASED[stride]]


def test_centred_anchors_have_the_area_and_ratio_that_they_should() -> None:
    anchors = base_anchors(16, (0.5, 1, 2), 4)
    width, height = anchors[:, 2] - anchors[:, 0], anchors[:, 3] - anchors[:, 1]
    torch.testing.assert_close(width * height, torch.full((3,), 64.0**2))
    torch.testing.assert_close(height / width, torch.tensor([0.5, 1, 2]))
    torch.testing.assert_close((anchors[:, :2] + anchors[:, 2:]) / 2, torch.full((3, 2), 8.0))


def test_anchors_go_by_rows_columns_and_shapes() -> None:
    base = torch.tensor([[0.0, 0, 1, 1], [0, 0, 2, 2]])
    anchors = shift_anchors(base, (2, 3), 8)
    expected = [
        [8 * j, 8 * i, 8 * j + side, 8 * i + side]
        for i in range(2)
        for j in range(3)
        for side in (1, 2)
    ]
    assert anchors.tolist() == expected


def naive_assignment(anchors, boxes, positive_iou, match_best):
    def iou(a, b):
        width = max(min(a[2], b[2]) - max(a[0], b[0]), 0)
        height = max(min(a[3], b[3]) - max(a[1], b[1]), 0)
        union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - width * height
        return width * height / union

    table = np.array([[iou(a, b) for b in boxes] for a in anchors])
    assigned = [int(row.argmax()) if row.max() >= positive_iou else -1 for row in table]
    if match_best:
        for index in range(len(boxes)):
            column = table[:, index]
            for anchor in np.flatnonzero((column == column.max()) & (column > 0)):
                assigned[anchor] = index
    return assigned


@pytest.mark.parametrize('match_best', [False, True])
def test_assignment_like_naive_loops(match_best: bool) -> None:
    anchors = shift_anchors(base_anchors(16, (0.5, 1, 2), 4), (8, 8), 16).double()
    boxes = torch.tensor(
        [[10, 10, 80, 70], [50, 20, 66, 120], [90, 90, 128, 128]], dtype=torch.float64
    )
    assigned = assign_anchors(anchors, boxes, 0.5, match_best)
    assert assigned.tolist() == naive_assignment(anchors.tolist(), boxes.tolist(), 0.5, match_best)
    # The thin box overlaps no anchor by a half: only `match_best` finds it one.
    assert (assigned == 1).any().item() == match_best


def test_without_objects_all_anchors_are_negative() -> None:
    assigned = assign_anchors(torch.rand(5, 4), torch.zeros(0, 4), 0.5, True)
    assert assigned.tolist() == [-1] * 5
