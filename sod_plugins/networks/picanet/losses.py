"""The losses of PiCANet: deep supervision, and attention that is told where to look."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from sod_plugins.layers.picanet import AttentionConv, GlobalAttentionPooling, LocalAttentionPooling
from sod_plugins.networks.picanet.decoder import Decoded
from sod_plugins.ops.resize import resize_bilinear
from sod_plugins.ops.window import Window

LEVEL_WEIGHTS = (1.0, 0.8, 0.8, 0.5, 0.5, 0.5)  # of D_1, D_2, ... (Sec. 5.3)
GLOBAL_ATTENTION_WEIGHT = 0.2
EPSILON = 1e-6


def picanet_losses(
    outputs: Sequence[Decoded],
    mask: Tensor,
    *,
    level_weights: Sequence[float] = LEVEL_WEIGHTS,
    global_attention_weight: float = GLOBAL_ATTENTION_WEIGHT,
    local_attention_weight: float = 0.0,
    ignore_value: float = 255,
) -> dict[str, Tensor]:
    """Return the weighted losses of a training step (Eq. 9), whose sum is to be minimised.

    ``'d6'`` to ``'d1'`` are the binary cross-entropies of the maps (Eq. 6), averaged over the
    pixels. ``'global_attention'`` is there if a decoder has GAP and the weight is not zero: the
    sum over these decoders, of which all but one of Tab. 1 have a single one.
    ``'local_attention'`` likewise, for LAP and AC.

    Args:
        outputs: What :class:`~sod_plugins.networks.PiCANet` returns in training.
        mask: The ground truth (N, 1, H, W) in [0, 1]; it is reduced to the size of each map, see
            :func:`reduce_mask`.
        level_weights: Weights of D_1, D_2 and on; those of absent decoders are not used.
        global_attention_weight: Weight of the global attention loss; the paper's is 0.2.
        local_attention_weight: Weight of the local attention loss, which Sec. 5.4 tried.
        ignore_value: Pixels of the mask with this value do not count.

    Raises:
        ValueError: If the mask does not fit, or a weight is missing.
    """
    if mask.dim() != 4 or mask.shape[:2] != (len(outputs[0].logits), 1):
        raise ValueError(
            f'The mask must be ({len(outputs[0].logits)}, 1, H, W), got {tuple(mask.shape)}.'
        )
    deepest = max(decoded.level for decoded in outputs)
    if len(level_weights) < deepest:
        raise ValueError(
            f'level_weights needs {deepest} entries, one per decoder from D_1 on, got '
            f'{tuple(level_weights)}.'
        )
    losses: dict[str, Tensor] = {}
    attention: dict[str, list[Tensor]] = {'global_attention': [], 'local_attention': []}
    for decoded in outputs:
        size = decoded.logits.shape[-2], decoded.logits.shape[-1]
        target, counted = reduce_mask(mask, size, ignore_value)
        entropy = F.binary_cross_entropy_with_logits(
            decoded.logits.to(target.dtype), target, reduction='none'
        )
        weight = level_weights[decoded.level - 1]
        losses[f'd{decoded.level}'] = weight * _mean(entropy, counted)
        weights = decoded.attention
        if weights is None:
            continue
        if isinstance(decoded.context, GlobalAttentionPooling):
            if global_attention_weight:
                grid, present = map(decoded.context.sample, (target, counted))
                loss = global_attention_loss(weights, target, grid, counted, present)
                attention['global_attention'].append(global_attention_weight * loss)
        elif isinstance(decoded.context, (LocalAttentionPooling, AttentionConv)) and (
            local_attention_weight
        ):
            loss = local_attention_loss(weights, target, decoded.context.window, counted)
            attention['local_attention'].append(local_attention_weight * loss)
    return losses | {name: sum(terms[1:], terms[0]) for name, terms in attention.items() if terms}


def reduce_mask(
    mask: Tensor, size: tuple[int, int], ignore_value: float = 255
) -> tuple[Tensor, Tensor]:
    """Reduce a mask as released: bilinearly with aligned corners, then binary.

    Args:
        mask: (N, 1, H, W) in [0, 1]; above one half is foreground.
        size: Height and width of the result.
        ignore_value: Pixels with this value do not count, nor what they have a share in.

    Returns:
        The labels 0 and 1, and whether each pixel counts, as 0 and 1: (N, 1, *size) both. What does
        not count is labelled background.
    """
    mask = mask if mask.is_floating_point() else mask.float()
    ignored = (mask == ignore_value).to(mask.dtype)
    label = mask * (1 - ignored)
    if mask.shape[-2:] != size:
        ignored = resize_bilinear(ignored, size, align_corners=True)
        label = resize_bilinear(label, size, align_corners=True)
    counted = (ignored == 0).to(mask.dtype)
    return (label > 0.5).to(mask.dtype) * counted, counted


def global_attention_loss(
    attention: Tensor,
    labels: Tensor,
    grid: Tensor,
    counted: Tensor | None = None,
    present: Tensor | None = None,
) -> Tensor:
    """Divergence of global attention from global contrast (Eq. 7 and 8), the mean over the pixels.

    Foreground pixels shall attend evenly to the background of the grid, background pixels to its
    foreground: target t = (1 - g) / (sum(1 - g) + 1e-6) or g / (sum(g) + 1e-6), and the loss of a
    pixel is sum(t log(t / (alpha + 1e-6) + 1e-6)).

    Args:
        attention: alpha, (N, K*K, H, W).
        labels: Label of each pixel, (N, 1, H, W); exactly 1 is foreground.
        grid: g, the labels at the samples, (N, 1, K, K).
        counted: Which pixels count, (N, 1, H, W); by default all.
        present: Which samples do, (N, 1, K, K); no pixel shall attend to the others.
    """
    attention = attention.to(grid.dtype)
    inside = torch.ones_like(grid) if present is None else present
    sides = ((side * inside).flatten(1) for side in (grid, 1 - grid))
    contrast = [side / (side.sum(1, keepdim=True) + EPSILON) for side in sides]
    background, foreground = (target[:, :, None, None] for target in contrast)
    return _divergence(torch.where(labels == 1, foreground, background), attention, counted)


def local_attention_loss(
    attention: Tensor, labels: Tensor, window: Window, counted: Tensor | None = None
) -> Tensor:
    """Divergence of local attention from the neighbours of the same label (Sec. 5.4), the mean.

    Each pixel shall attend evenly to those of its neighbours that have its own label. The paper
    does not say how gates, which do not add up to one, are compared: they are divided by their sum.

    Args:
        attention: Weights or gates of the neighbours, (N, K*K, H, W).
        labels: Label of each pixel, (N, 1, H, W).
        window: Where the neighbours lie, with stride 1.
        counted: Which pixels count, (N, 1, H, W); by default all.
    """
    inside = labels.new_ones(labels.shape) if counted is None else counted
    neighbours, present = (
        F.unfold(x, window.kernel, window.dilation, window.padding).view(attention.shape)
        for x in (labels, inside)
    )
    same = (neighbours == labels) * present
    attention = attention.to(same.dtype)
    return _divergence(
        same / (same.sum(1, keepdim=True) + EPSILON),
        attention / attention.sum(1, keepdim=True),
        counted,
    )


def _divergence(target: Tensor, attention: Tensor, counted: Tensor | None) -> Tensor:
    """Average sum(t log(t / (alpha + e) + e)) over the pixels that count."""
    terms = target * (target / (attention + EPSILON) + EPSILON).log()
    return _mean(terms.sum(1, keepdim=True), counted)


def _mean(values: Tensor, counted: Tensor | None) -> Tensor:
    """Average (N, 1, H, W) over the pixels that count; zero if there is none."""
    if counted is None:
        return values.mean()
    return (values * counted).sum() / counted.sum().clamp_min(1)
