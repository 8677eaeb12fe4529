"""The checkpoint that a run begins with: find it, read it and check that it fits the model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from torch import nn

from sod_plugins._common.reading import read_text
from sod_plugins.checkpoints.description import not_finite, some
from sod_plugins.checkpoints.network_file import state_dict_of
from sod_plugins.data import list_files
from sod_plugins.openmmlab.errors import LaunchError
from sod_plugins.openmmlab.hooks.pruning_hook import adopt_pruning
from sod_plugins.openmmlab.loading import read_training_checkpoint, require_training_state
from sod_plugins.openmmlab.unwrapping import unwrapped
from sod_plugins.zoo.resolver import PREFIX, find_model

LONGEST_NOTE = 1 << 16


def existing_checkpoint(path: str | Path) -> str:
    """Return the path of a checkpoint, given by its file or as ``zoo:NAME``.

    Raises:
        LaunchError: There is no such checkpoint.
    """
    if str(path).startswith(PREFIX):
        return _zoo_file(str(path))
    if not Path(path).is_file():
        raise LaunchError(f"There is no checkpoint '{path}': correct the path.")
    return str(path)


def _zoo_file(name: str) -> str:
    try:
        return str(find_model(name))
    except (OSError, ValueError) as error:
        raise LaunchError(str(error)) from error


def newest_checkpoint(work_dir: str) -> str | None:
    """Return the newest checkpoint of a run; None if there is none yet."""
    note = Path(work_dir, 'last_checkpoint')
    if not note.exists():
        return None
    try:
        name = read_text(note, LONGEST_NOTE).strip()
        # The folder may have been moved since then.
        found = [path for path in (Path(name), Path(work_dir, Path(name).name)) if path.is_file()]
    except (OSError, ValueError):
        found, name = [], ''
    if not found:
        raise LaunchError(
            f"'{note}' names no checkpoint{f', but {name[:200]!r}' if name else ''}: give --resume "
            'the checkpoint to resume from, or remove that file to start again.'
        )
    return str(found[0])


def prepare_resume(cfg: Config) -> dict[str, Any] | None:
    """Read the checkpoint to resume from; if its run was pruned, prune the config's model too."""
    path = cfg.get('load_from') or newest_checkpoint(cfg.work_dir)
    if path is None:
        return None
    checkpoint = read_checkpoint(path)
    require_training_state(checkpoint, path)
    adopt_pruning(cfg, checkpoint)
    cfg.load_from = path
    return checkpoint


def read_checkpoint(path: str) -> dict[str, Any]:
    """Read a checkpoint file that holds weights.

    Raises:
        LaunchError: It holds none, or NaN or infinite weights.
    """
    checkpoint = read_training_checkpoint(path)
    if broken := not_finite(weights_of(checkpoint, path)):
        raise LaunchError(
            f"The checkpoint '{path}' holds NaN or infinite weights, in {some(broken)}: its "
            'training diverged. Use an earlier one.'
        )
    return checkpoint


def weights_of(checkpoint: Mapping[str, Any], path: str) -> dict[str, torch.Tensor]:
    """Return the weights in a checkpoint."""
    try:
        return state_dict_of(checkpoint)
    except ValueError as error:
        raise LaunchError(f"The checkpoint '{path}' {error}.") from error


def require_fit(weights: Mapping[str, Any], model: nn.Module, path: str) -> None:
    """Load weights; reject missing weights, for which mmengine only warns."""
    try:
        absent = unwrapped(model).load_state_dict(weights, strict=False).missing_keys
    except RuntimeError as error:  # torch lists weights of another shape
        reason = str(error).splitlines()[-1].strip().rstrip('.')
    else:
        if not absent:
            return
        reason = f'it has no weights for {list_files(absent)}'
    raise LaunchError(
        f"The checkpoint '{path}' does not fit the config's model: {reason}. "
        'Name the config that it was trained with.'
    )
