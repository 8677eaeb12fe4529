"""Train and test from a config, as ``tools/train.py`` and ``tools/test.py`` do."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.registry import MODELS, RUNNERS, DefaultScope
from mmengine.runner import Runner
from torch import nn

from sod_plugins._common.allocator import keep_freed_memory
from sod_plugins._common.choices import require_choice
from sod_plugins._common.names import LAUNCHERS, Launcher
from sod_plugins.openmmlab.errors import LaunchError
from sod_plugins.openmmlab.hooks.pruning_hook import adopt_pruning
from sod_plugins.openmmlab.loading import read_as_data, resume_here, write_whole
from sod_plugins.openmmlab.run_checkpoints import (
    existing_checkpoint,
    newest_checkpoint,
    prepare_resume,
    read_checkpoint,
    require_fit,
    weights_of,
)
from sod_plugins.openmmlab.run_configs import (
    OVERLAY_HOOKS,
    add_training_hooks,
    load_config,
    own_metric,
    refine_maps,
    require_iterations,
    require_optimizer,
    require_writable_folder,
)
from sod_plugins.openmmlab.starting import Start
from sod_plugins.optim.denormals import flush_denormals

__all__ = ['LAUNCHERS', 'Launcher', 'load_config', 'load_model', 'test', 'train']


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
        require_iterations(cfg)
        require_optimizer(cfg)
        if amp:
            _use_amp(cfg)
        if resume is not None:
            _resume(cfg, resume)
        _start_processes(cfg, launcher)
        add_training_hooks(cfg)
        checkpoint = prepare_resume(cfg) if cfg.get('resume') else None
        runner = _build(cfg)
        start.watch(runner)
        if checkpoint is not None:
            require_fit(weights_of(checkpoint, cfg.load_from), runner.model, cfg.load_from)
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
    cfg.load_from = existing_checkpoint(checkpoint)
    cfg.resume = False
    if out_dir is not None:
        require_writable_folder(out_dir)
        own_metric(cfg, '--out saves')['out_dir'] = str(out_dir)
    if show_dir is not None:
        require_writable_folder(show_dir)
        drawn = OVERLAY_HOOKS[own_metric(cfg, '--show-dir draws')['type']]
        overlays = {'type': drawn, 'out_dir': str(show_dir)}
        cfg.custom_hooks = [*cfg.get('custom_hooks', ()), overlays]
    if crf:
        refine_maps(cfg)
    start = Start(config, cfg.work_dir)
    with start.told():
        _start_processes(cfg, launcher)
        contents = read_checkpoint(cfg.load_from)
        adopt_pruning(cfg, contents)
        runner = _build(cfg)
        start.watch(runner)
        require_fit(weights_of(contents, cfg.load_from), runner.model, cfg.load_from)
        measures = runner.test()
    return measures


def load_model(cfg: Config, checkpoint: str | Path) -> nn.Module:
    """Build the model of a config with the weights of a checkpoint, for prediction on the CPU.

    Raises:
        LaunchError: The checkpoint is missing, cannot be read, or does not match.
    """
    path = existing_checkpoint(checkpoint)
    content = read_checkpoint(path)
    adopt_pruning(cfg, content)
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope', 'mmengine')):
        model = MODELS.build(cfg.model)
    require_fit(weights_of(content, path), model, path)
    return model.eval()


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
        cfg.resume, cfg.load_from = True, existing_checkpoint(resume)
    elif (newest := newest_checkpoint(cfg.work_dir)) is not None:
        cfg.resume, cfg.load_from = True, newest
    else:  # a first start, with weights that the config may name
        cfg.resume = False


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
    if get_device() == 'cpu':
        keep_freed_memory()
    if isinstance(cfg.get('visualizer'), dict):
        # With the same name, all runs of a process would write to the folder of the first.
        cfg.visualizer.pop('name', None)
    runner = RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)
    read_as_data(runner.model)
    resume_here(runner)
    write_whole(runner)
    return runner
