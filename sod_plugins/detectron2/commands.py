"""Training and testing from a config of detectron2: what ``tools/train.py`` and ``test.py`` do.

Exit status: 0 done; 1 the training diverged or the disk is full; 2 the run could not start and
nothing was done; 130 interrupted; 143 ended by SIGTERM.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from detectron2.config import instantiate
from detectron2.engine import default_setup, launch
from detectron2.utils import comm
from torch.multiprocessing.spawn import ProcessRaisedException

from sod_plugins._common.allocator import keep_freed_memory
from sod_plugins._common.reading import sentence
from sod_plugins._common.signals import interrupt_status, terminable
from sod_plugins._common.user_code import add_import_option, import_user_code
from sod_plugins._common.writing import is_out_of_space, write_text
from sod_plugins.configs import find_config
from sod_plugins.data import DataError
from sod_plugins.detectron2.checkpointer import Checkpointer
from sod_plugins.detectron2.config_files import (
    is_lazy,
    load_config,
    output_dir,
    require_evaluator,
    set_evaluator,
    set_precision,
)
from sod_plugins.detectron2.datasets import register_configured
from sod_plugins.detectron2.starting import Start
from sod_plugins.detectron2.trainer import LazyTrainer, Trainer, evaluate_lazily

# What a process of several may end with -> the exit status.
STATUSES = {
    'FloatingPointError': 1,
    **dict.fromkeys(('DataError', 'FileNotFoundError', 'ImportError', 'OSError', 'ValueError'), 2),
}


def train(
    config: str | Path,
    *,
    work_dir: str | Path | None = None,
    resume: bool = False,
    amp: bool = False,
    channels_last: bool = False,
    options: Sequence[str] = (),
) -> Trainer:
    """Train a model as a config of detectron2 says, in this process.

    Args:
        config: The config file.
        work_dir: Where logs and checkpoints go; by default the config's.
        resume: Whether to resume from the last checkpoint in that folder.
        amp: Whether to train in mixed precision, on a GPU.
        channels_last: Whether to use the memory format channels-last.
        options: Values to set in the config.

    Returns:
        The trainer after the training.

    Raises:
        ValueError: The config, an option, the checkpoint or the machine does not allow it.
        DataError: The data are not usable.
        FloatingPointError: The loss became NaN or infinite.
    """
    cfg = load_config(config, options, work_dir)
    set_precision(cfg, amp, channels_last)
    start = Start(config, output_dir(cfg))
    with start.told():
        _set_up(cfg, config)
        require_evaluator(cfg)
        trainer = LazyTrainer(cfg) if is_lazy(cfg) else Trainer(cfg)
        start.watch(trainer)
        trainer.resume_or_load(resume)
        trainer.train()
    return trainer


def test(
    config: str | Path,
    checkpoint: str | Path,
    *,
    work_dir: str | Path | None = None,
    out_dir: str | Path | None = None,
    show_dir: str | Path | None = None,
    crf: bool = False,
    options: Sequence[str] = (),
) -> Mapping[str, Any]:
    """Test a checkpoint as a config of detectron2 says, in this process.

    Args:
        config: The config file.
        checkpoint: The checkpoint, of any host, or ``zoo:`` and the name of a model.
        work_dir: Where logs go; by default the config's.
        out_dir: Where to save results and measures.
        show_dir: Where to save the images overlaid with their saliency or instances.
        crf: Whether to refine saliency maps by a CRF first.
        options: Values to set in the config.

    Returns:
        The measures, by task and name.

    Raises:
        ValueError: The config, an option, the checkpoint or the machine does not allow it.
        DataError: The data are not usable.
    """
    cfg = load_config(config, options, work_dir)
    asked: dict[str, Any] = {'--out': out_dir, '--show-dir': show_dir, '--crf': {} if crf else None}
    with Start(config, output_dir(cfg)).told():
        _set_up(cfg, config)
        set_evaluator(cfg, {name: value for name, value in asked.items() if value is not None})
        require_evaluator(cfg)
        if is_lazy(cfg):
            model = instantiate(cfg.model).to(cfg.train.device)
        else:
            model = Trainer.build_model(cfg)
        Checkpointer(model).load(str(checkpoint))
    results = (evaluate_lazily if is_lazy(cfg) else Trainer.test)(cfg, model.eval())
    if comm.is_main_process():
        written = json.dumps(results, indent=2) + '\n'
        write_text(output_dir(cfg) / 'test_results.json', written)
    return results


def _set_up(cfg: Any, config: str | Path) -> None:
    """Set up a run like detectron2's scripts, and register the data sets of a yaml file."""
    # What it reads of its own command line; it writes the file into the log.
    file = str(find_config(config))
    default_setup(cfg, argparse.Namespace(config_file=file, eval_only=False))
    if (cfg.train.device if is_lazy(cfg) else cfg.MODEL.DEVICE) == 'cpu':
        keep_freed_memory()
    if not is_lazy(cfg):
        register_configured(cfg.SOD.DATASETS)


def train_command(argv: Sequence[str] | None = None, prog: str = 'train.py') -> int:
    """Train by a command line, and return the exit status."""
    parser = argparse.ArgumentParser(
        prog=prog, description='Train a model from a config of detectron2.'
    )
    parser.add_argument('config', help='config file, yaml or LazyConfig, or a name of sod configs')
    parser.add_argument(
        '--resume', action='store_true', help='resume from the last checkpoint in the work folder'
    )
    parser.add_argument('--amp', action='store_true', help='train in mixed precision, on a GPU')
    parser.add_argument(
        '--channels-last', action='store_true', help='use the channels-last memory format'
    )
    given = _parse(parser, argv)
    named = {name: getattr(given, name) for name in ('resume', 'amp', 'channels_last')}
    return _run(parser, given, train, (given.config,), named)


def test_command(argv: Sequence[str] | None = None, prog: str = 'test.py') -> int:
    """Test by a command line, and return the exit status."""
    parser = argparse.ArgumentParser(
        prog=prog, description='Test a checkpoint by a config of detectron2.'
    )
    parser.add_argument('config', help='config file, yaml or LazyConfig, or a name of sod configs')
    parser.add_argument('checkpoint', help='the checkpoint file, of any host')
    parser.add_argument('--out', metavar='DIR', help='save results and measures in this folder')
    parser.add_argument(
        '--show-dir',
        metavar='DIR',
        help='save the images overlaid with their saliency or instances',
    )
    parser.add_argument(
        '--crf', action='store_true', help='refine the maps with a fully connected CRF first'
    )
    given = _parse(parser, argv)
    named = {'out_dir': given.out, 'show_dir': given.show_dir, 'crf': given.crf}
    return _run(parser, given, test, (given.config, given.checkpoint), named)


def _parse(parser: argparse.ArgumentParser, argv: Sequence[str] | None) -> argparse.Namespace:
    """Add the arguments of both commands, and read the command line."""
    parser.add_argument('--work-dir', metavar='DIR', help='where logs and checkpoints go')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        default=[],
        metavar='KEY=VALUE',
        help='set values in the config, such as SOLVER.MAX_ITER=20 or train.max_iter=20',
    )
    parser.add_argument(
        '--num-processes',
        '--num-gpus',
        type=int,
        default=1,
        metavar='N',
        help='number of processes on this machine, each with its own GPU if there are any',
    )
    parser.add_argument(
        '--num-machines', type=int, default=1, metavar='N', help='number of machines'
    )
    parser.add_argument(
        '--machine-rank', type=int, default=0, metavar='N', help='rank of this machine, from 0'
    )
    parser.add_argument(
        '--dist-url',
        default='auto',
        metavar='URL',
        help='address at which machines meet, such as tcp://HOST:PORT; needed for several',
    )
    parser.add_argument('--launcher', help=argparse.SUPPRESS)
    add_import_option(parser)
    given = parser.parse_args(argv)
    if given.launcher not in (None, 'none'):
        parser.error(
            '--launcher is for configs of OpenMMLab: detectron2 starts its processes itself, '
            'see --num-processes.'
        )
    _require_machines(parser, given)
    return given


def _require_machines(parser: argparse.ArgumentParser, given: argparse.Namespace) -> None:
    """Refuse impossible numbers of processes and machines."""
    if given.num_processes < 1 or not 0 <= given.machine_rank < given.num_machines:
        parser.error('--num-processes is 1 or more, and --machine-rank below --num-machines.')
    if given.num_machines > 1 and given.dist_url == 'auto':
        parser.error('--num-machines needs the same --dist-url=tcp://HOST:PORT on all of them.')
    if torch.cuda.is_available() and given.num_processes > torch.cuda.device_count():
        parser.error(
            f'--num-processes is {given.num_processes}, but there are '
            f'{torch.cuda.device_count()} GPUs.'
        )


def _run(
    parser: argparse.ArgumentParser,
    given: argparse.Namespace,
    function: Callable[..., Any],
    words: tuple[Any, ...],
    named: dict[str, Any],
) -> int:
    """Call a function in the requested processes, and return the exit status."""
    named |= {'work_dir': given.work_dir, 'options': given.cfg_options}
    logging.raiseExceptions = False  # no traceback for each line that a full disk lacks in the log
    try:
        with terminable():
            if given.num_processes > 1:  # one sentence, in place of one of each process
                load_config(given.config, given.cfg_options)
            launch(
                _import_and_call,
                given.num_processes,
                given.num_machines,
                given.machine_rank,
                given.dist_url,
                args=(given.imports, function, words, named),
            )
    except ProcessRaisedException as error:
        status, message = _last_error(str(error))
        if status is None:
            raise
        print(f'{parser.prog}: {_word(status)}: {message}', file=sys.stderr)
        return status
    except KeyboardInterrupt as error:
        print(f'{parser.prog}: interrupted; --resume goes on with a training', file=sys.stderr)
        return interrupt_status(error)
    except (DataError, FloatingPointError, ImportError, OSError, ValueError) as error:
        status = 1 if is_out_of_space(error) or isinstance(error, FloatingPointError) else 2
        # Of a loss that is not finite detectron2 prints all parts, on lines of their own.
        message = str(error).partition('\nloss_dict')[0]
        if isinstance(error, OSError):
            message = sentence(error)
        print(f'{parser.prog}: {_word(status)}: {message}', file=sys.stderr)
        return status
    return 0


def _last_error(trace: str) -> tuple[int | None, str]:
    """Return the exit status of what ended a process, if it is known, and its message."""
    for line in reversed(trace.splitlines()):
        kind, colon, message = line.partition(': ')
        status = STATUSES.get(kind.rpartition('.')[2])
        if colon and status is not None:
            return status, message
    return None, ''


def _word(status: int) -> str:
    return 'error' if status == 2 else 'stopped'


def _import_and_call(
    imports: Sequence[str],
    function: Callable[..., Any],
    words: tuple[Any, ...],
    named: Mapping[str, Any],
) -> None:
    for source in imports:
        import_user_code(source)
    function(*words, **named)
