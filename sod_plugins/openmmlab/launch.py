"""Train and test from a config, as ``tools/train.py`` and ``tools/test.py`` do."""

from __future__ import annotations

import difflib
import inspect
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.registry import MODELS, OPTIMIZERS, RUNNERS, DefaultScope
from mmengine.runner import Runner
from torch import nn

from sod_plugins._common.choices import require_choice
from sod_plugins._common.reading import read_text
from sod_plugins.checkpoints.description import not_finite, some
from sod_plugins.checkpoints.network_file import state_dict_of
from sod_plugins.configs import config_path
from sod_plugins.data import list_files, require_writable
from sod_plugins.inference.dense_crf import DenseCRF
from sod_plugins.openmmlab.errors import LaunchError
from sod_plugins.openmmlab.hooks.pruning_hook import adopt_pruning
from sod_plugins.openmmlab.loading import (
    read_as_data,
    read_training_checkpoint,
    require_training_state,
    resume_here,
    write_whole,
)
from sod_plugins.openmmlab.starting import Start
from sod_plugins.openmmlab.unwrapping import unwrapped
from sod_plugins.optim.denormals import flush_denormals
from sod_plugins.zoo.resolver import PREFIX, find_model

LONGEST_NOTE = 1 << 16
Launcher = Literal['none', 'pytorch', 'slurm', 'mpi']
LAUNCHERS: tuple[Launcher, ...] = get_args(Launcher)
TRAINING_HOOKS = ('sod_plugins.DescriptionHook', 'sod_plugins.FiniteLossHook')
# The hooks that draw the predictions of each metric.
OVERLAY_HOOKS = {
    'sod_plugins.SaliencyMetric': 'sod_plugins.SaliencyOverlayHook',
    'sod_plugins.SalientInstanceMetric': 'sod_plugins.InstanceOverlayHook',
}


def train(
    config: str | Path,
    *,
    work_dir: str | Path | None = None,
    resume: str | Path | None = None,
    amp: bool = False,
    channels_last: bool = False,
    options: Mapping[str, Any] | None = None,
    launcher: Launcher = 'none',
) -> Runner:
    """Train a model from a config.

    Args:
        config: The config file.
        work_dir: Folder for logs and checkpoints; by default the config's, or
            ``work_dirs/<name of the config>``.
        resume: A checkpoint to resume from, or ``'auto'`` for the newest one in the work folder (if
            there is none, training starts from the beginning or the config's ``load_from``).
        amp: Whether to train in mixed precision; on a CPU this is bfloat16.
        channels_last: Whether to use the channels-last memory format, which is faster on GPUs in
            mixed precision and on CPUs.
        options: Values to set in the config, by dotted key.
        launcher: How the processes were started, one of ``LAUNCHERS``.

    Returns:
        The runner after training.

    Raises:
        LaunchError: The config, an option, the checkpoint or the machine does not allow the run.
        DataError: The data cannot be used.
        DivergenceError: The loss became NaN or infinite.
    """
    cfg = load_config(config, options, work_dir)
    start = Start(config, cfg.work_dir)
    with start.told():
        _require_iterations(cfg)
        _require_optimizer(cfg)
        if amp:
            _use_amp(cfg)
        if resume is not None:
            _resume(cfg, resume)
        _start_processes(cfg, launcher)
        _add_hooks(cfg)
        checkpoint = _prepare_resume(cfg) if cfg.get('resume') else None
        runner = _build(cfg)
        start.watch(runner)
        if checkpoint is not None:
            _require_fit(_weights(checkpoint, cfg.load_from), runner.model, cfg.load_from)
        if channels_last:
            runner.model.to(memory_format=torch.channels_last)
        runner.train()
    return runner


def test(
    config: str | Path,
    checkpoint: str | Path,
    *,
    work_dir: str | Path | None = None,
    out_dir: str | Path | None = None,
    show_dir: str | Path | None = None,
    crf: bool = False,
    options: Mapping[str, Any] | None = None,
    launcher: Launcher = 'none',
) -> dict[str, float]:
    """Test a checkpoint by a config.

    Args:
        config: The config file.
        checkpoint: The checkpoint file, or ``zoo:`` and the name of a model.
        work_dir: Folder for logs, as in ``train``.
        out_dir: Folder for the saliency maps, measures and curves (see ``SaliencyMetric``), or for
            the instances and measures (see ``SalientInstanceMetric``).
        show_dir: Folder for the images overlaid with their saliency or instances.
        crf: Whether the segmentor refines its maps by a CRF, so that measures, maps and images are
            those of refined maps.
        options: Values to set in the config, by dotted key.
        launcher: How the processes were started, one of ``LAUNCHERS``.

    Returns:
        The measures.

    Raises:
        LaunchError: The config, an option, the checkpoint or the machine does not allow the run.
        DataError: The data cannot be used.
    """
    cfg = load_config(config, options, work_dir)
    cfg.load_from = _existing_checkpoint(checkpoint)
    cfg.resume = False
    if out_dir is not None:
        _require_writable(out_dir)
        _own_metric(cfg, '--out saves')['out_dir'] = str(out_dir)
    if show_dir is not None:
        _require_writable(show_dir)
        drawn = OVERLAY_HOOKS[_own_metric(cfg, '--show-dir draws')['type']]
        overlays = {'type': drawn, 'out_dir': str(show_dir)}
        cfg.custom_hooks = [*cfg.get('custom_hooks', ()), overlays]
    if crf:
        _refine_maps(cfg)
    start = Start(config, cfg.work_dir)
    with start.told():
        _start_processes(cfg, launcher)
        contents = _read_checkpoint(cfg.load_from)
        adopt_pruning(cfg, contents)
        runner = _build(cfg)
        start.watch(runner)
        _require_fit(_weights(contents, cfg.load_from), runner.model, cfg.load_from)
        measures = runner.test()
    return measures


def load_model(cfg: Config, checkpoint: str | Path) -> nn.Module:
    """Build the model of a config with the weights of a checkpoint, for prediction on the CPU.

    Raises:
        LaunchError: The checkpoint is missing, cannot be read, or does not match.
    """
    path = _existing_checkpoint(checkpoint)
    content = _read_checkpoint(path)
    adopt_pruning(cfg, content)
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope', 'mmengine')):
        model = MODELS.build(cfg.model)
    _require_fit(_weights(content, path), model, path)
    return model.eval()


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
    path = _existing_config(path)
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
    _require_writable(cfg.work_dir)
    return cfg


def _drop_options_of_workers(cfg: Config) -> None:
    """Let ``num_workers=0`` be enough: torch refuses options of workers where there are none."""
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        loader = cfg.get(name)
        if isinstance(loader, dict) and loader.get('num_workers') == 0:
            loader.pop('persistent_workers', None)
            loader.pop('prefetch_factor', None)


def _existing_config(path: str | Path) -> Path:
    if Path(path).is_file():
        return Path(path)
    if Path(path).name == str(path):  # otherwise it also names a folder
        try:
            return Path(config_path(str(path)))
        except FileNotFoundError as error:
            raise LaunchError(str(error)) from error
    raise LaunchError(f"There is no config '{path}': correct the path.")


def _require_writable(folder: str | Path) -> None:
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


def _require_iterations(cfg: Config) -> None:
    """Refuse a training of no iteration, which mmengine takes for done."""
    for key in ('max_iters', 'max_epochs'):
        value = (cfg.get('train_cfg') or {}).get(key)
        if isinstance(value, int) and value < 1:
            raise LaunchError(f'train_cfg.{key} is {value}, which trains nothing: give 1 or more.')


def _require_optimizer(cfg: Config) -> None:
    """Refuse an optimizer that nobody knows; mmengine ends on "None is not a callable object"."""
    kind = ((cfg.get('optim_wrapper') or {}).get('optimizer') or {}).get('type')
    if isinstance(kind, str) and OPTIMIZERS.get(kind) is None:
        near = difflib.get_close_matches(kind, OPTIMIZERS.module_dict, n=1)
        hint = f": did you mean '{near[0]}'?" if near else '.'
        raise LaunchError(f"There is no optimizer '{kind}' for optim_wrapper.optimizer.type{hint}")


def _use_amp(cfg: Config) -> None:
    kind = cfg.optim_wrapper.get('type', 'OptimWrapper')
    if kind not in ('OptimWrapper', 'AmpOptimWrapper', 'sod_plugins.BFloat16OptimWrapper'):
        raise LaunchError(f"--amp replaces an 'OptimWrapper', but the config has a '{kind}'.")
    if get_device() == 'cpu':
        cfg.optim_wrapper.type = 'sod_plugins.BFloat16OptimWrapper'
        return
    cfg.optim_wrapper.type = 'AmpOptimWrapper'
    cfg.optim_wrapper.setdefault('loss_scale', 'dynamic')


def _resume(cfg: Config, resume: str | Path) -> None:
    if str(resume) != 'auto':
        cfg.resume, cfg.load_from = True, _existing_checkpoint(resume)
    elif (newest := _newest_checkpoint(cfg.work_dir)) is not None:
        cfg.resume, cfg.load_from = True, newest
    else:  # a first start, with weights that the config may name
        cfg.resume = False


def _existing_checkpoint(path: str | Path) -> str:
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


def _newest_checkpoint(work_dir: str) -> str | None:
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
            'the checkpoint to go on from, or remove that file to begin anew.'
        )
    return str(found[0])


def _prepare_resume(cfg: Config) -> dict[str, Any] | None:
    """Read the checkpoint to resume from; if its run was pruned, prune the config's model too."""
    path = cfg.get('load_from') or _newest_checkpoint(cfg.work_dir)
    if path is None:
        return None
    checkpoint = _read_checkpoint(path)
    require_training_state(checkpoint, path)
    adopt_pruning(cfg, checkpoint)
    cfg.load_from = path
    return checkpoint


def _read_checkpoint(path: str) -> dict[str, Any]:
    """Read a checkpoint file that holds weights.

    Raises:
        LaunchError: It holds none, or NaN or infinite weights.
    """
    checkpoint = read_training_checkpoint(path)
    if broken := not_finite(_weights(checkpoint, path)):
        raise LaunchError(
            f"The checkpoint '{path}' holds NaN or infinite weights, in {some(broken)}: its "
            'training diverged. Use an earlier one.'
        )
    return checkpoint


def _weights(checkpoint: Mapping[str, Any], path: str) -> dict[str, torch.Tensor]:
    """Return the weights in a checkpoint."""
    try:
        return state_dict_of(checkpoint)
    except ValueError as error:
        raise LaunchError(f"The checkpoint '{path}' {error}.") from error


def _require_fit(weights: Mapping[str, Any], model: nn.Module, path: str) -> None:
    """Load weights; reject missing weights, for which mmengine only warns."""
    try:
        absent = unwrapped(model).load_state_dict(weights, strict=False).missing_keys
    except RuntimeError as error:  # torch lists weights of another shape
        reason = str(error).splitlines()[-1].strip()
    else:
        if not absent:
            return
        reason = f'it has no weights for {list_files(absent)}'
    raise LaunchError(
        f"The checkpoint '{path}' does not fit the config's model: {reason}. "
        'Name the config that it was trained with.'
    )


def _own_metric(cfg: Config, option: str) -> dict[str, Any]:
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


def _refine_maps(cfg: Config) -> None:
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


def _start_processes(cfg: Config, launcher: Launcher) -> None:
    """Set the launcher of the runner; without an accelerator, start the process group here.

    mmengine would choose a CUDA device for each process even if there is none.
    """
    cfg.launcher = require_choice('launcher', launcher, LAUNCHERS, LaunchError)
    if launcher == 'none' or get_device() != 'cpu':
        return
    if launcher != 'pytorch':
        raise LaunchError(
            f'--launcher {launcher} needs an accelerator, and there is none here: start the '
            'processes with torchrun and give --launcher pytorch.'
        )
    if 'RANK' not in os.environ:
        raise LaunchError('--launcher pytorch needs torchrun: torchrun --nproc-per-node=N FILE ...')
    if not torch.distributed.is_initialized():
        torch.distributed.init_process_group('gloo')
    wrapper = {'type': 'MMDistributedDataParallel', 'device_ids': None}
    cfg.model_wrapper_cfg = {**wrapper, **cfg.get('model_wrapper_cfg', {})}


def _build(cfg: Config) -> Runner:
    flush_denormals()
    if isinstance(cfg.get('visualizer'), dict):
        # With the same name, all runs of a process would write to the folder of the first.
        cfg.visualizer.pop('name', None)
    runner = RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)
    read_as_data(runner.model)
    resume_here(runner)
    write_whole(runner)
    return runner


def _add_hooks(cfg: Config) -> None:
    """Add the hooks of every training, even if the config does not list them."""
    hooks = [*cfg.get('default_hooks', {}).values(), *(cfg.get('custom_hooks') or ())]
    present = {hook.get('type') for hook in hooks if hook}
    added = [{'type': hook} for hook in TRAINING_HOOKS if hook not in present]
    if added:
        cfg.custom_hooks = [*(cfg.get('custom_hooks') or ()), *added]
