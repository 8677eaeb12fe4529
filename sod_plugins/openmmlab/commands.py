"""The command lines of ``tools/train.py`` and ``tools/test.py``, ``sod train`` and ``sod test``.

Exit status: 0 done; 1 the training diverged or a file could not be written; 2 the run could not
start and nothing was done; 130 interrupted; 143 ended by SIGTERM.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

import torch.distributed
from mmengine.config import DictAction

from sod_plugins._common.reading import sentence
from sod_plugins._common.signals import interrupt_status, terminable
from sod_plugins._common.user_code import add_import_option, import_user_code
from sod_plugins.data import DataError
from sod_plugins.openmmlab.errors import LaunchError
from sod_plugins.openmmlab.launch import LAUNCHERS, test, train
from sod_plugins.optim.divergence import DivergenceError


def train_command(argv: Sequence[str] | None = None, prog: str = 'train.py') -> int:
    """Run the training command, and return the exit status."""
    parser = argparse.ArgumentParser(prog=prog, description='Train a model from a config.')
    parser.add_argument('config', help='config file, or a name listed by sod configs')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CHECKPOINT',
        help='continue from a checkpoint, or from the newest one in the work folder',
    )
    parser.add_argument(
        '--amp', action='store_true', help='train in mixed precision; on a CPU in bfloat16'
    )
    parser.add_argument(
        '--channels-last',
        action='store_true',
        help='use the channels-last memory format, which is faster',
    )
    arguments = _parse(parser, argv)
    return _run(
        parser,
        arguments.imports,
        train,
        arguments.config,
        resume=arguments.resume,
        amp=arguments.amp,
        channels_last=arguments.channels_last,
        **_common(arguments),
    )


def test_command(argv: Sequence[str] | None = None, prog: str = 'test.py') -> int:
    """Run the test command, and return the exit status."""
    parser = argparse.ArgumentParser(prog=prog, description='Test a trained checkpoint.')
    parser.add_argument('config', help='config file, or a name listed by sod configs')
    parser.add_argument('checkpoint', help='the checkpoint file')
    parser.add_argument(
        '--out',
        metavar='DIR',
        help='save saliency maps, measures and curves, or instances and measures, in this folder',
    )
    parser.add_argument(
        '--show-dir',
        metavar='DIR',
        help='save the images overlaid with their saliency or instances',
    )
    parser.add_argument(
        '--crf',
        action='store_true',
        help='refine the maps with a fully connected CRF first',
    )
    arguments = _parse(parser, argv)
    return _run(
        parser,
        arguments.imports,
        test,
        arguments.config,
        arguments.checkpoint,
        out_dir=arguments.out,
        show_dir=arguments.show_dir,
        crf=arguments.crf,
        **_common(arguments),
    )


def _parse(parser: argparse.ArgumentParser, argv: Sequence[str] | None) -> argparse.Namespace:
    """Add the arguments that both commands share, and parse the command line."""
    parser.add_argument('--work-dir', metavar='DIR', help='folder for logs and checkpoints')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='set values in the config, such as optim_wrapper.optimizer.lr=0.001',
    )
    parser.add_argument('--launcher', choices=LAUNCHERS, default='none')
    add_import_option(parser)
    # torch.distributed.launch passes it; torchrun sets the environment instead.
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)
    try:
        arguments = parser.parse_args(argv)
    except (ValueError, AssertionError):  # DictAction raises these on other forms
        parser.error('--cfg-options takes pairs of the form KEY=VALUE, with balanced brackets.')
    os.environ.setdefault('LOCAL_RANK', str(arguments.local_rank))
    return arguments


def _common(arguments: argparse.Namespace) -> dict[str, Any]:
    return {
        'work_dir': arguments.work_dir,
        'options': arguments.cfg_options,
        'launcher': arguments.launcher,
    }


def _run(
    parser: argparse.ArgumentParser,
    imports: Sequence[str],
    function: Callable[..., Any],
    *args: Any,
    **kwargs: Any,
) -> int:
    logging.raiseExceptions = False  # no traceback for each line that a full disk lacks in the log
    try:
        with terminable():
            for source in imports:
                import_user_code(source)
            function(*args, **kwargs)
        _leave_group()
    except (LaunchError, DataError, ImportError) as error:
        print(f'{parser.prog}: error: {error}', file=sys.stderr)
        return 2
    except OSError as error:  # a full disk; what was written before is there
        named = error.filename is not None or 'cannot write' in str(error)
        where = '' if named else ', while it wrote to the work folder'
        print(f'{parser.prog}: stopped: {sentence(error)}{where}', file=sys.stderr)
        return 1
    except DivergenceError as error:
        print(f'{parser.prog}: stopped: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt as error:
        print(f'{parser.prog}: interrupted; --resume goes on with a training', file=sys.stderr)
        return interrupt_status(error)
    return 0


def _leave_group() -> None:
    """End the process group: its threads could abort the interpreter at exit."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
