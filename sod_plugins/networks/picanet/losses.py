"""The losses of PiCANet: deep supervision, and supervised attention."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from sod_plugins.layers.picanet import AttentionConv, GlobalAttentionPooling, LocalAttentionPooling
from sod_plugins.networks.losses import check_masks, mean_of_counted
from sod_plugins.networks.picanet.attentive_decoder import AttentiveDecoder, Decoded
from sod_plugins.ops.resize import resize_bilinear
from sod_plugins.ops.window import Window

LEVEL_WEIGHTS = (1.0, 0.8, 0.8, 0.5, 0.5, 0.5)  # of D_1, D_2, ... (Sec. 5.3)
GLOBAL_ATTENTION_WEIGHT = 0.2
EPSILON = 1e-6


def picanet_losses(
    decoders: Sequence[AttentiveDecoder],
    outputs: Sequence[Decoded],
    mask: Tensor,
    *,
    level_weights: Sequence[float] = LEVEL_WEIGHTS,
    global_attention_weight: float = GLOBAL_ATTENTION_WEIGHT,
    local_attention_weight: float = 0.0,
    ignore_value: float | None = None,
) -> dict[str, Tensor]:
    """Return the weighted losses of a training step (Eq. 9), whose sum is to be minimised.

    ``'loss_d6'`` to ``'loss_d1'`` are the binary cross-entropies of the maps (Eq. 6), averaged over
    the pixels. ``'loss_global_attention'`` is present if a decoder has GAP and the weight is not
    zero. It is summed over these decoders; all settings but one of Tab. 1 have a single one.
    ``'loss_local_attention'`` is the same for LAP and AC.

    Args:
        decoders: D_L to D_1.
        outputs: Their training outputs, in the same order.
        mask: The ground truth (N, 1, H, W) in [0, 1]; it is reduced to the size of each map, see
            :func:`reduce_mask`.
        level_weights: Weights of D_1, D_2, ...; those of absent decoders are unused.
        global_attention_weight: Weight of the global attention loss; the paper's is 0.2.
        local_attention_weight: Weight of the local attention loss, which Sec. 5.4 tried.
        ignore_value: Mask pixels with this value are ignored; None ignores none.

    Raises:
        ValueError: The mask is invalid or outside [0, 1], or a weight is missing.
    """
    check_masks(mask, len(outputs[0].logits), ignore_value)
    deepest = max(decoder.level for decoder in decoders)
    if len(level_weights) < deepest:
        raise ValueError(
            f'level_weights needs {deepest} entries, one per decoder from D_1 on, got '
            f'{tuple(level_weights)}.'
        )
    attention_weights = {
        'loss_global_attention': global_attention_weight,
        'loss_local_attention': local_attention_weight,
    }
    losses: dict[str, Tensor] = {}
    attention: dict[str, list[Tensor]] = {name: [] for name in attention_weights}
    for decoder, decoded in zip(decoders, outputs, strict=True):
        size = decoded.logits.shape[-2], decoded.logits.shape[-1]
        target, counted = reduce_mask(mask, size, ignore_value)
        entropy = F.binary_cross_entropy_with_logits(
            decoded.logits.to(target.dtype), target, reduction='none'
        )
        weight = level_weights[decoder.level - 1]
        losses[f'loss_d{decoder.level}'] = weight * mean_of_counted(entropy, counted)
        name = _attention_name(decoder)
        if name is not None and attention_weights[name]:
            loss = _attention_loss(decoder, decoded, target, counted)
            attention[name].append(attention_weights[name] * loss)
    return losses | {name: sum(terms[1:], terms[0]) for name, terms in attention.items() if terms}


def reduce_mask(
    mask: Tensor, size: tuple[int, int], ignore_value: float | None = None
) -> tuple[Tensor, Tensor]:
    """Downsample a mask as released: bilinearly with aligned corners, then binarised.

    Args:
        mask: (N, 1, H, W) in [0, 1]; above 0.5 is foreground.
        size: Height and width of the output.
        ignore_value: Pixels with this value are ignored, and so are output pixels to which they
            contribute. None ignores none.

    Returns:
        The labels 0 and 1, and whether each pixel counts, as 0 and 1; both (N, 1, *size). Ignored
        pixels are labelled background.
    """
    mask = mask if mask.is_floating_point() else mask.float()
    ignored = torch.zeros_like(mask)
    if ignore_value is not None:
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
    """Return the mean divergence of global attention from global contrast (Eq. 7 and 8).

    Foreground pixels should attend evenly to the background of the grid, and background pixels to
    its foreground. The target is t = (1 - g) / (sum(1 - g) + 1e-6) or g / (sum(g) + 1e-6), and the
    loss of a pixel is sum(t log(t / (alpha + 1e-6) + 1e-6)).

    Args:
        attention: alpha, (N, K*K, H, W).
        labels: Label of each pixel, (N, 1, H, W); exactly 1 is foreground.
        grid: g, the labels at the samples, (N, 1, K, K).
        counted: Which pixels count, (N, 1, H, W); by default all.
        present: Which samples count, (N, 1, K, K); no pixel should attend to the others.
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
    """Return the mean divergence of local attention from neighbours of the same label (Sec. 5.4).

    Each pixel should attend evenly to its neighbours with the same label. The paper does not say
    how to compare gates, which do not sum to one: here they are divided by their sum.

    Args:
        attention: Weights or gates of the neighbours, (N, K*K, H, W).
        labels: Label of each pixel, (N, 1, H, W).
        window: The window of the neighbours, with stride 1.
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


def _attention_name(decoder: AttentiveDecoder) -> str | None:
    """Return the name of a decoder's attention loss; None if it has none."""
    if isinstance(decoder.context, GlobalAttentionPooling):
        return 'loss_global_attention'
    if isinstance(decoder.context, (LocalAttentionPooling, AttentionConv)):
        return 'loss_local_attention'
    return None


def _attention_loss(
    decoder: AttentiveDecoder, decoded: Decoded, labels: Tensor, counted: Tensor
) -> Tensor:
    """Compare a decoder's attention with the labels (N, 1, H, W) at its size."""
    context, weights = decoder.context, decoded.attention
    assert weights is not None
    if isinstance(context, GlobalAttentionPooling):
        grid, present = context.sample(labels), context.sample(counted)
        return global_attention_loss(weights, labels, grid, counted, present)
    assert isinstance(context, (LocalAttentionPooling, AttentionConv))
    return local_attention_loss(weights, labels, context.window, counted)


def _divergence(target: Tensor, attention: Tensor, counted: Tensor | None) -> Tensor:
    """Average sum(t log(t / (alpha + e) + e)) over the pixels that count."""
    terms = target * (target / (attention + EPSILON) + EPSILON).log()
    values = terms.sum(1, keepdim=True)
    return values.mean() if counted is None else mean_of_counted(values, counted)
