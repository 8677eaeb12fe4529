"""Read the checkpoints of runs as data, with this package's own reader.

mmengine selects a reader by the prefix of a file's name. Names that begin with ``SCHEME`` are read
here. How others are loaded is unchanged, except that files which torch refuses to load for mmengine
are read here too.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.fileio import LocalBackend, register_backend
from mmengine.hooks import CheckpointHook
from mmengine.logging import HistoryBuffer
from mmengine.runner import CheckpointLoader, Runner
from mmengine.runner import checkpoint as host
from torch import nn

from sod_plugins._common.writing import write_bytes, write_text
from sod_plugins.checkpoints.backbone_weights import find_weights
from sod_plugins.checkpoints.network_file import state_dict_of
from sod_plugins.checkpoints.pickled_values import StandIn
from sod_plugins.checkpoints.reading import read_checkpoint
from sod_plugins.openmmlab.errors import LaunchError
from sod_plugins.zoo.resolver import PREFIX, find_model

SCHEME = 'sod_plugins:'
BACKEND = 'sod_plugins'
# Errors of mmengine and torch for a state of another form.
FAILURES = (AttributeError, AssertionError, LookupError, RuntimeError, TypeError, ValueError)
HUB = ('log_scalars', 'runtime_info', 'resumed_keys')  # of mmengine's MessageHub
HISTORY = f'{HistoryBuffer.__module__}.{HistoryBuffer.__name__}'
# The lists by which mmengine resolves the short names of checkpoints.
ADDRESSES = {
    'torchvision://': 'get_torchvision_models',
    'modelzoo://': 'get_torchvision_models',
    'open-mmlab://': 'get_external_models',
    'openmmlab://': 'get_external_models',
    'mmcls://': 'get_mmcls_models',
}


@CheckpointLoader.register_scheme(prefixes=(SCHEME, PREFIX), force=True)
def load_from_sod_plugins(filename: str, map_location: Any = None) -> dict[str, Any]:
    """Read a checkpoint onto the CPU, with the interface of mmengine's loaders.

    Args:
        filename: ``SCHEME`` followed by a file, an address or a short name of a checkpoint; or by
            ``zoo:`` and the name of a model of this package.
        map_location: Ignored: whoever loads weights moves them.

    Raises:
        LaunchError: The file does not exist or is not a checkpoint.
    """
    source = filename.removeprefix(SCHEME)
    checkpoint = read_training_checkpoint(source)
    try:
        state_dict_of(checkpoint)
    except ValueError as error:
        raise LaunchError(f"The checkpoint '{source}' {error}.") from error
    return checkpoint


@CheckpointLoader.register_scheme(prefixes='', force=True)
def load_file(filename: str, map_location: Any = None) -> Any:
    """Load a file as mmengine does, or read it here if torch refuses.

    mmengine 0.10.7 (``mmengine/runner/checkpoint.py``) leaves ``weights_only`` to torch, which
    since 2.6 rejects the log history that every training checkpoint holds, so neither scripts nor
    functions of the hosts could load one.
    """
    try:
        return host.load_from_local(filename, map_location)
    except pickle.UnpicklingError:
        return read_training_checkpoint(filename)


class WholeFileBackend(LocalBackend):
    """Writes the files of a run completely or not at all."""

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write bytes."""
        write_bytes(filepath, obj)

    def put_text(self, obj: str, filepath: str | Path, encoding: str = 'utf-8') -> None:
        """Write text in UTF-8, the only encoding that hosts ask for."""
        write_text(filepath, obj)


register_backend(BACKEND, WholeFileBackend, force=True)


def write_whole(runner: Runner) -> None:
    """Let a run write checkpoints by this backend, unless its config names another one."""
    for hook in runner.hooks:
        if isinstance(hook, CheckpointHook) and hook.backend_args is None:
            hook.backend_args = {'backend': BACKEND}


def read_training_checkpoint(source: str | Path) -> dict[str, Any]:
    """Read a checkpoint, including its log history.

    Raises:
        LaunchError: The file does not exist or is not a checkpoint.
    """
    try:
        checkpoint = read_checkpoint(find_weights(_address_of(str(source))))
    except (OSError, ValueError) as error:
        raise LaunchError(str(error)) from error
    meta = checkpoint.get('meta')
    if isinstance(meta, dict):
        meta.pop('config', None)  # a resume would execute it as a config
    hub = checkpoint.get('message_hub')
    if isinstance(hub, dict) and isinstance(hub.get('log_scalars'), dict):
        scalars = {name: _history_of(entry) for name, entry in hub['log_scalars'].items()}
        hub['log_scalars'] = scalars
    return checkpoint


def read_as_data(model: nn.Module) -> None:
    """Make the initialisation of a model read its checkpoints here.

    Args:
        model: A model whose modules may have ``init_cfg=dict(type='Pretrained', checkpoint=...)``.
    """
    for module in model.modules():
        configs = getattr(module, 'init_cfg', None)
        for config in configs if isinstance(configs, list) else [configs]:
            if not isinstance(config, dict):
                continue
            kind = config.get('type')
            if kind == 'Pretrained' or getattr(kind, '__name__', None) == 'PretrainedInit':
                config['checkpoint'] = with_scheme(config['checkpoint'])


def with_scheme(source: str | Path) -> str:
    """Return the name under which mmengine reads a checkpoint through this module."""
    return SCHEME + str(source).removeprefix(SCHEME)


def resume_here(runner: Runner) -> None:
    """Make a runner load and resume with this reader, and report what a checkpoint lacks."""
    if runner._load_from is not None:
        runner._load_from = with_scheme(runner._load_from)
    resume = runner.resume

    def resume_or_say(filename: str, *args: Any, **kwargs: Any) -> None:
        try:
            resume(filename, *args, **kwargs)
        except LaunchError:
            raise
        except FAILURES as error:
            raise LaunchError(
                f"The training cannot resume from '{filename.removeprefix(SCHEME)}': its state "
                f'does not fit this config ({" ".join(str(error).split())[:200]}). Name the config '
                'that it was trained with.'
            ) from error

    runner.resume = resume_or_say


def require_training_state(checkpoint: Mapping[str, Any], path: str) -> None:
    """Reject a checkpoint without the state of a training.

    Raises:
        LaunchError: The checkpoint has none.
    """
    meta, hub = checkpoint.get('meta'), checkpoint.get('message_hub')
    counts = [meta.get(name) for name in ('epoch', 'iter')] if isinstance(meta, dict) else [None]
    complete = (
        all(type(count) is int and count >= 0 for count in counts)
        and isinstance(hub, dict)
        and all(isinstance(hub.get(name), dict) for name in HUB)
        and isinstance(checkpoint.get('optimizer', {}), dict)
    )
    if not complete:
        raise LaunchError(
            f"'{path}' holds a network without the state of its training, so no training can "
            'resume from it. Start one from its weights by the option load_from, or resume from a '
            'checkpoint of tools/train.py.'
        )


def _history_of(entry: Any) -> Any:
    """Convert the stand-in of a log history to a history."""
    if not isinstance(entry, StandIn) or entry.name != HISTORY or not isinstance(entry.state, dict):
        return entry
    values, counts = (entry.state.get(name) for name in ('_log_history', '_count_history'))
    longest = entry.state.get('max_length')
    if not (isinstance(values, np.ndarray) and isinstance(counts, np.ndarray)):
        return entry
    if values.ndim != 1 or values.shape != counts.shape or type(longest) is not int or longest < 1:
        return entry
    return HistoryBuffer(values, counts, max_length=longest)


def _address_of(source: str) -> str:
    """Resolve a short name to its address; return any other source unchanged."""
    if source.startswith(PREFIX):
        return str(find_model(source))
    for prefix, function in ADDRESSES.items():
        if source.startswith(prefix):
            name, addresses = source.removeprefix(prefix), getattr(host, function)()
            if name not in addresses:
                raise LaunchError(f"There is no checkpoint '{source}'. Correct its name.")
            return str(addresses[name])
    if '://' in source and not source.startswith(('http://', 'https://')):
        raise LaunchError(f"'{source}' cannot be read as data only. Download it and name the file.")
    return source
