"""The detection head of S4Net: objectness and boxes on every level of a pyramid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sod_plugins._common.arguments import records_arguments
from sod_plugins._common.choices import require_choice
from sod_plugins.networks.s4net.anchors import assign_anchors, base_anchors, shift_anchors
from sod_plugins.networks.s4net.fpn import init_convs
from sod_plugins.ops.boxes import clip_boxes, decode_boxes, encode_boxes, nms

PREDICTOR_STD = 0.01
Anchors = Literal['centred', 'released']
Objectness = Literal['balanced', 'ohem']
BoxReduction = Literal['mean', 'level']


class HeadOutputs(NamedTuple):
    """The outputs of the head for all M anchors of all levels, finest level first.

    Attributes:
        logits: Objectness logits, (N, M).
        deltas: (N, M, 4), see :func:`~sod_plugins.ops.encode_boxes`, divided by ``delta_std``.
        anchors: (M, 4) in pixels of the input.
        level_sizes: Number of anchors of each level.
    """

    logits: Tensor
    deltas: Tensor
    anchors: Tensor
    level_sizes: tuple[int, ...]


class Proposals(NamedTuple):
    """The best boxes of each image, best first.

    Attributes:
        boxes: (N, P, 4) x1, y1, x2, y2 in pixels of the input.
        scores: (N, P) in [0, 1].
        found: (N, P), bool: False for padding, if an image has fewer than P boxes.
    """

    boxes: Tensor
    scores: Tensor
    found: Tensor


@records_arguments
class S4NetHead(nn.Module):
    """Detection head of S4Net (Sec. 3.2, 3.6 and 4.1), shared by all levels.

    It consists of a 3x3 convolution with ReLU and two more 3x3 convolutions: logits of background
    and foreground, and four deltas, for each anchor shape. With 256 input and 512 hidden channels
    and three shapes it has 1,263,122 parameters.

    The defaults are the paper's: one anchor scale per level (4 strides), positives from an IoU of
    0.5, the balanced loss of Eq. 2 with weights of 1, and the box loss of Fast R-CNN, whose deltas
    are normalised by the standard deviations 0.1 and 0.2. The released code differs in
    ``anchors``, ``positive_iou`` (0.4), ``objectness`` (the 256 hardest negatives), ``weights``
    (0.3), ``delta_std`` (1), ``beta`` (1/9), ``box_reduction`` and ``offset``, see
    ``sod_plugins.networks.s4net.network.LAYOUTS``.

    Args:
        in_channels: Channels of the levels.
        channels: Channels of the first convolution.
        strides: Stride of each level in pixels of the input.
        ratios: Height / width of the anchors.
        anchor_scale: Side of a square anchor in strides.
        anchors: ``'centred'`` on the cells, or ``'released'``: see
            :func:`~sod_plugins.networks.s4net.anchors.base_anchors`.
        positive_iou: An anchor is positive if its IoU with an object is at least this.
        match_best: Whether the best anchors of an object are always positive. Otherwise, thin
            objects between two scales have no positive anchor; the paper does not say.
        delta_std: Standard deviations by which the deltas are divided.
        beta: Where the smooth L1 loss changes from quadratic to linear.
        objectness: ``'balanced'``, the means over all positive and all negative anchors, or
            ``'ohem'``, with only the ``num_hard`` negatives of highest loss.
        num_hard: Number of hard negatives for ``'ohem'``.
        weights: Weights of the positive and the negative term.
        box_reduction: ``'mean'`` over the positive anchors of the sum over the four deltas, or
            ``'level'``: a quarter of the sum of such means, each over the anchors of a level.
        offset: 1 for boxes whose x2 and y2 are the last pixels inside, as in the released code.
        max_candidates: Number of best boxes of an image before non-maximum suppression.
        nms_iou: Boxes that overlap a better one by more than this are dropped.
        num_proposals: Largest number of boxes of an image.
        init_std: Standard deviation of the first convolution's initial weights; None means He's
            initialisation. The other two convolutions have 0.01.

    Raises:
        ValueError: An argument is not one of those above.
    """

    def __init__(
        self,
        in_channels: int = 256,
        channels: int = 512,
        strides: Sequence[int] = (8, 16, 32, 64),
        *,
        ratios: Sequence[float] = (0.5, 1.0, 2.0),
        anchor_scale: float = 4.0,
        anchors: Anchors = 'centred',
        positive_iou: float = 0.5,
        match_best: bool = False,
        delta_std: Sequence[float] = (0.1, 0.1, 0.2, 0.2),
        beta: float = 1.0,
        objectness: Objectness = 'balanced',
        num_hard: int = 256,
        weights: Sequence[float] = (1.0, 1.0),
        box_reduction: BoxReduction = 'mean',
        offset: int = 0,
        max_candidates: int = 5000,
        nms_iou: float = 0.4,
        num_proposals: int = 20,
        init_std: float | None = None,
    ) -> None:
        super().__init__()
        require_choice('anchors', anchors, get_args(Anchors))
        require_choice('objectness', objectness, get_args(Objectness))
        require_choice('box_reduction', box_reduction, get_args(BoxReduction))
        require_choice('offset', offset, (0, 1))
        if num_proposals < 1:
            raise ValueError(f'num_proposals must be at least 1, got {num_proposals}.')
        self.strides = tuple(strides)
        self.positive_iou, self.match_best, self.offset = positive_iou, match_best, offset
        self.beta, self.box_reduction = beta, box_reduction
        self.objectness, self.num_hard, self.weights = objectness, num_hard, tuple(weights)
        self.max_candidates, self.nms_iou = max_candidates, nms_iou
        self.num_proposals = num_proposals
        base = [base_anchors(s, ratios, anchor_scale, anchors == 'released') for s in strides]
        self.register_buffer('base_anchors', torch.stack(base), persistent=False)
        self.register_buffer('delta_std', torch.tensor(delta_std), persistent=False)
        self.base_anchors: Tensor
        self.delta_std: Tensor
        self.conv = nn.Conv2d(in_channels, channels, 3, padding=1)
        self.classify = nn.Conv2d(channels, 2 * len(ratios), 3, padding=1)
        self.regress = nn.Conv2d(channels, 4 * len(ratios), 3, padding=1)
        init_convs(self.conv, init_std)
        init_convs(self.classify, PREDICTOR_STD)
        init_convs(self.regress, PREDICTOR_STD)

    def forward(self, levels: Sequence[Tensor]) -> HeadOutputs:
        """Map levels (N, in_channels, H_i, W_i), finest first, to logits and deltas."""
        logits, deltas, anchors = [], [], []
        for level, stride, base in zip(levels, self.strides, self.base_anchors, strict=True):
            x = F.relu(self.conv(level), inplace=True)
            classes = self.classify(x).unflatten(1, (len(base), 2))
            logits.append((classes[:, :, 1] - classes[:, :, 0]).permute(0, 2, 3, 1).flatten(1))
            boxes = self.regress(x).unflatten(1, (len(base), 4))
            deltas.append(boxes.permute(0, 3, 4, 1, 2).flatten(1, 3))
            # Half precision would shift the anchors of large images by a quarter of a pixel.
            anchors.append(shift_anchors(base.float(), (level.shape[2], level.shape[3]), stride))
        return HeadOutputs(
            torch.cat(logits, 1),
            torch.cat(deltas, 1),
            torch.cat(anchors),
            tuple(len(a) for a in anchors),
        )

    def loss(self, outputs: HeadOutputs, boxes: Sequence[Tensor]) -> dict[str, Tensor]:
        """Compare the outputs of the head with the objects.

        Args:
            outputs: Outputs of :meth:`forward`.
            boxes: Objects of each image, (G, 4) in pixels of the input.

        Returns:
            ``loss_obj`` and ``loss_box``: means over all images at once; a differentiable 0 if
            there is nothing to average.
        """
        anchors = outputs.anchors
        assigned = torch.stack(
            [
                assign_anchors(anchors, b, self.positive_iou, self.match_best, self.offset)
                for b in boxes
            ]
        )
        positive = assigned >= 0
        image, anchor = positive.nonzero(as_tuple=True)
        targets = torch.cat(
            [b[a[a >= 0]] for b, a in zip(boxes, assigned, strict=True)]
        )  # in the order of `image` and `anchor`
        deltas = encode_boxes(targets, anchors[anchor], self.offset) / self.delta_std
        errors = F.smooth_l1_loss(
            outputs.deltas[image, anchor].float(), deltas, reduction='none', beta=self.beta
        ).sum(1)
        return {
            'loss_obj': self._objectness_loss(outputs.logits.float(), positive),
            'loss_box': self._box_loss(errors, anchor, outputs.level_sizes),
        }

    @torch.no_grad()
    def propose(self, outputs: HeadOutputs, sizes: Sequence[tuple[int, int]]) -> Proposals:
        """Return the best boxes of each image.

        Boxes are clipped to the image; boxes without area are dropped.

        Args:
            outputs: Outputs of :meth:`forward`.
            sizes: Height and width of each image in pixels of the input, without padding.
        """
        scores, order = outputs.logits.float().sigmoid().sort(dim=1, descending=True, stable=True)
        scores, order = scores[:, : self.max_candidates], order[:, : self.max_candidates]
        deltas = outputs.deltas.float().gather(1, order[:, :, None].expand(-1, -1, 4))
        boxes = decode_boxes(deltas * self.delta_std, outputs.anchors[order], self.offset)
        limits = boxes.new_empty(len(sizes), 2)
        for image, (height, width) in enumerate(sizes):  # no host copy: can be captured
            limits[image, 0], limits[image, 1] = height, width
        boxes = clip_boxes(boxes, limits, self.offset)
        empty = (boxes[..., 2:] - boxes[..., :2] + self.offset <= 0).any(-1)
        index, found = nms(
            boxes,
            scores.masked_fill(empty, -torch.inf),
            self.nms_iou,
            self.num_proposals,
            self.offset,
        )
        boxes = boxes.gather(1, index[:, :, None].expand(-1, -1, 4))
        return Proposals(boxes, scores.gather(1, index), found)

    def _objectness_loss(self, logits: Tensor, positive: Tensor) -> Tensor:
        """Return Eq. 2 for logits and positive anchors (N, M)."""
        on_positive = F.softplus(-logits[positive])
        on_negative = F.softplus(logits[~positive])
        if self.objectness == 'ohem':
            on_negative = on_negative.topk(min(self.num_hard, len(on_negative))).values
        return self.weights[0] * _mean(on_positive) + self.weights[1] * _mean(on_negative)

    def _box_loss(self, errors: Tensor, anchor: Tensor, level_sizes: Sequence[int]) -> Tensor:
        """Average the errors (P,) of positive anchors, whose indices (P,) determine their level."""
        if self.box_reduction == 'mean':
            return _mean(errors)
        ends = torch.tensor(level_sizes, device=anchor.device).cumsum(0)
        level = torch.bucketize(anchor, ends, right=True)
        means = [_mean(errors[level == i]) for i in range(len(level_sizes))]
        return torch.stack(means).sum() / 4


def _mean(values: Tensor) -> Tensor:
    """Return the mean; 0 for no values."""
    return values.sum() / max(len(values), 1)
