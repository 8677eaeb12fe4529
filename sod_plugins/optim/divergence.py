"""Detect that a training diverges, before more of it is lost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from sod_plugins.data import list_files

REMEDY = 'go on from the last checkpoint with a smaller learning rate'


class DivergenceError(ValueError):
    """The loss or the weights of a training became NaN or infinite.

    The message says when, names the files of the batch and what to do.
    """


def check_losses(
    losses: Mapping[str, Tensor], files: Iterable[str | Path] = (), when: str = ''
) -> None:
    """Stop a training whose loss is NaN or infinite.

    To be called on the losses of a step before anything of the step is saved: from then on all
    weights are NaN, and so is every checkpoint.

    Args:
        losses: Scalars by name; others than losses, such as an accuracy, may be among them.
        files: Names of the files in the batch, for the message.
        when: Such as ``'iteration 12'``, for the message.

    Raises:
        DivergenceError: One is NaN or infinite.
    """
    if not losses:
        return
    values = {name: value.detach().float().sum().cpu() for name, value in losses.items()}
    broken = [name for name, value in values.items() if not value.isfinite()]
    if not broken:
        return
    named = list_files(files)
    batch = f'The files of the batch: {named}. Check them' if named else 'Check the batch'
    raise DivergenceError(
        f'The training diverged{when and f" in {when}"}: {list_files(broken)} became '
        f'{values[broken[0]].item()}. {batch}, or {REMEDY}.'
    )


@torch.no_grad()
def check_weights(network: nn.Module, when: str = '') -> None:
    """Stop a training whose weights or statistics are NaN or infinite, before they are saved.

    Raises:
        DivergenceError: Some are.
    """
    values = [
        value for value in (*network.parameters(), *network.buffers()) if value.is_floating_point()
    ]
    if all(bool(value.isfinite().all()) for value in values):
        return
    names = [
        name
        for name, value in network.state_dict().items()
        if value.is_floating_point() and not value.isfinite().all()
    ]
    raise DivergenceError(
        f'The training diverged{when and f" in {when}"}: {list_files(names)} became NaN or '
        f'infinite, so no checkpoint is written. Rather {REMEDY}.'
    )
