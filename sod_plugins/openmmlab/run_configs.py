"""Read and check the config of a run, and set the command's options in it."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.registry import OPTIMIZERS
from mmengine.runner import Runner

from sod_plugins.configs import find_config
from sod_plugins.data import require_writable
from sod_plugins.inference.dense_crf import DenseCRF
from sod_plugins.openmmlab.errors import LaunchError

TRAINING_HOOKS = ('sod_plugins.DescriptionHook', 'sod_plugins.FiniteLossHook')
# The hooks that draw the predictions of each metric.
OVERLAY_HOOKS = {
    'sod_plugins.SaliencyMetric': 'sod_plugins.SaliencyOverlayHook',
    'sod_plugins.SalientInstanceMetric': 'sod_plugins.InstanceOverlayHook',
}


def load_config(
    path: str | Path,
    options: Mapping[str, Any] | None = None,
    work_dir: str | Path | None = None,
) -> Config:
    """Read a config, set options in it and determine its work folder.

    Args:
        path: The file, or the name of a config of this package (``sod_plugins.configs``).
        options: Values to set, by dotted key.
        work_dir: The work folder; by default the config's own, or
            ``work_dirs/<name of the config>``.

    Raises:
        LaunchError: The file is missing or invalid, an option does not match the config, or the
            work folder cannot be written to.
    """
    try:
        path = find_config(path)
    except OSError as error:
        raise LaunchError(str(error)) from error
    try:
        cfg = Config.fromfile(path)
    except Exception as error:  # a config is Python code, which may raise anything
        raise LaunchError(f"The config '{path}' cannot be read: {error}") from error
    if options:
        _check_options(cfg, options)
        try:
            cfg.merge_from_dict(dict(options))
        except (KeyError, TypeError, IndexError, AttributeError) as error:
            raise LaunchError(
                f"The options {dict(options)} do not fit '{path}': {error}"
            ) from error
    _drop_options_of_workers(cfg)
    cfg.work_dir = str(work_dir or cfg.get('work_dir') or Path('work_dirs', path.stem))
    require_writable_folder(cfg.work_dir)
    return cfg


def _drop_options_of_workers(cfg: Config) -> None:
    """Let ``num_workers=0`` suffice: without workers, torch refuses their options."""
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        loader = cfg.get(name)
        if isinstance(loader, dict) and loader.get('num_workers') == 0:
            loader.pop('persistent_workers', None)
            loader.pop('prefetch_factor', None)


def require_writable_folder(folder: str | Path) -> None:
    """Refuse a folder that cannot be written to."""
    try:
        require_writable(folder)
    except OSError as error:
        raise LaunchError(str(error)) from error


def _check_options(cfg: Config, options: Mapping[str, Any]) -> None:
    """Reject options that nothing would read; mmengine accepts any."""
    known = {*cfg.keys(), *inspect.signature(Runner).parameters}
    for key in options:
        top = key.split('.')[0]
        if top not in known:
            near = difflib.get_close_matches(top, known, n=1)
            hint = f": did you mean '{near[0]}'?" if near else '.'
            raise LaunchError(f"The config has no '{top}' for the option '{key}'{hint}")


def require_iterations(cfg: Config) -> None:
    """Refuse a training without iterations, which mmengine treats as finished."""
    for key in ('max_iters', 'max_epochs'):
        value = (cfg.get('train_cfg') or {}).get(key)
        if isinstance(value, int) and value < 1:
            raise LaunchError(f'train_cfg.{key} is {value}, which trains nothing: give 1 or more.')


def require_optimizer(cfg: Config) -> None:
    """Refuse an unknown optimizer; mmengine says only "None is not a callable object"."""
    kind = ((cfg.get('optim_wrapper') or {}).get('optimizer') or {}).get('type')
    if isinstance(kind, str) and OPTIMIZERS.get(kind) is None:
        near = difflib.get_close_matches(kind, OPTIMIZERS.module_dict, n=1)
        hint = f": did you mean '{near[0]}'?" if near else '.'
        raise LaunchError(f"There is no optimizer '{kind}' for optim_wrapper.optimizer.type{hint}")


def add_training_hooks(cfg: Config) -> None:
    """Add the hooks of every training, even if the config does not list them."""
    hooks = [*cfg.get('default_hooks', {}).values(), *(cfg.get('custom_hooks') or ())]
    present = {hook.get('type') for hook in hooks if hook}
    added = [{'type': hook} for hook in TRAINING_HOOKS if hook not in present]
    if added:
        cfg.custom_hooks = [*(cfg.get('custom_hooks') or ()), *added]


def own_metric(cfg: Config, option: str) -> dict[str, Any]:
    """Return the config of the single metric of this package in the test, for an option."""
    evaluators = cfg.get('test_evaluator') or ()
    evaluators = evaluators if isinstance(evaluators, (list, tuple)) else [evaluators]
    metrics = [e for e in evaluators if e.get('type') in OVERLAY_HOOKS]
    if len(metrics) != 1:
        names = ' or '.join(f"'{name}'" for name in OVERLAY_HOOKS)
        raise LaunchError(
            f"{option} what one {names} measures, but the config's test_evaluator has "
            f'{len(metrics)} of them.'
        )
    return metrics[0]


def refine_maps(cfg: Config) -> None:
    """Make the segmentor refine its maps, with the parameters in the config, if any."""
    if cfg.model.get('type') != 'sod_plugins.SaliencySegmentor':
        raise LaunchError(
            "--crf refines the maps of a 'sod_plugins.SaliencySegmentor', but the config's model "
            f"is a '{cfg.model.get('type')}'."
        )
    if cfg.model.get('test_cfg') is None:
        cfg.model.test_cfg = {'mode': 'whole'}
    cfg.model.test_cfg.setdefault('crf', {})
    DenseCRF(**cfg.model.test_cfg.crf)  # a missing library is reported here, before data are read
