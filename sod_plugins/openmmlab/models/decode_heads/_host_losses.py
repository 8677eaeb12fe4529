"""Losses of the host instead of a decoder's own."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn


def apply_losses(
    terms: nn.Module, logits: Tensor, labels: Tensor, ignore_index: int
) -> dict[str, Tensor]:
    """Apply one or several losses of the host; losses of the same name are summed.

    Args:
        terms: A loss, or an ``nn.ModuleList`` of them.
        logits: (N, C, H, W).
        labels: (N, H, W).
        ignore_index: Pixels with this label are ignored.
    """
    losses: dict[str, Tensor] = {}
    chosen: Any = terms if isinstance(terms, nn.ModuleList) else [terms]
    for term in chosen:
        loss = term(logits, labels, ignore_index=ignore_index)
        losses[term.loss_name] = losses.get(term.loss_name, 0) + loss
    return losses
