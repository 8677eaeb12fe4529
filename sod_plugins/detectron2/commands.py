"""Training and testing from a config of detectron2: what ``tools/train.py`` and ``test.py`` do.

Exit status: 0 done, 2 the run could not start and nothing was done, 130 interrupted, 143 ended by
SIGTERM.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from detectron2.config import LazyConfig, get_cfg, instantiate
from detectron2.engine import default_setup, launch
from detectron2.utils import comm
from torch.multiprocessing.spawn import ProcessRaisedException

from sod_plugins._common.signals import interrupt_status, terminable
from sod_plugins._common.user_code import import_user_code
from sod_plugins._common.writing import write_text
from sod_plugins.configs import config_path
from sod_plugins.data import DataError
from sod_plugins.detectron2.checkpointer import Checkpointer
from sod_plugins.detectron2.config import add_sod_plugins_config
from sod_plugins.detectron2.datasets import register_configured
from sod_plugins.detectron2.trainer import LazyTrainer, Trainer, evaluate_lazily

YAML = ('.yaml', '.yml')


def load_config(
    path: str | Path, options: Sequence[str] = (), work_dir: str | Path | None = None
) -> Any:
    """Read a config of detectron2, a yaml file or a LazyConfig.

    Args:
        path: The config file, or the name of one of this package, such as
            ``detectron2/csnet-x1_1xb24-300e_duts-224x224``.
        options: Values to set in it, such as ``SOLVER.MAX_ITER=20`` or ``train.max_iter=20``.
        work_dir: Where logs and checkpoints go; by default the config's.

    Raises:
        FileNotFoundError: There is no such config.
        ValueError: The file is wrong, or an option does not fit it.
    """
    path = Path(path if Path(path).is_file() else config_path(str(path)))
    for option in options:
        if '=' not in option:
            raise ValueError(f'--cfg-options takes pairs of the form KEY=VALUE, got {option!r}.')
    try:
        if path.suffix in YAML:
            cfg = get_cfg()
            add_sod_plugins_config(cfg)
            cfg.MODEL.DEVICE = 'cuda' if torch.cuda.is_available() else 'cpu'
            cfg.merge_from_file(str(path))
            cfg.merge_from_list([word for option in options for word in option.split('=', 1)])
            cfg.OUTPUT_DIR = str(work_dir or cfg.OUTPUT_DIR)
        else:
            cfg = LazyConfig.apply_overrides(LazyConfig.load(str(path)), list(options))
            cfg.train.output_dir = str(work_dir or cfg.train.output_dir)
    except Exception as error:  # a LazyConfig is Python code, which may fail in any way
        raise ValueError(f"The config '{path}' cannot be used: {error}") from error
    return cfg


def train(
    config: str | Path,
    *,
    work_dir: str | Path | None = None,
    resume: bool = False,
    options: Sequence[str] = (),
) -> Any:
    """Train a model as a config of detectron2 says, in this process.

    Args:
        config: The config file.
        work_dir: Where logs and checkpoints go; by default the config's.
        resume: Whether to go on with the last checkpoint of that folder.
        options: Values to set in the config.

    Returns:
        The trainer after the training.

    Raises:
        ValueError: The config, an option, the checkpoint or the machine does not allow it.
        DataError: The data are not usable.
    """
    cfg = load_config(config, options, work_dir)
    default_setup(cfg, _arguments_of_setup(config))
    if _is_lazy(cfg):
        trainer: Trainer = LazyTrainer(cfg)
    else:
        register_configured(cfg.SOD.DATASETS)
        trainer = Trainer(cfg)
    trainer.resume_or_load(resume)
    trainer.train()
    return trainer


def test(
    config: str | Path,
    checkpoint: str | Path,
    *,
    work_dir: str | Path | None = None,
    out_dir: str | Path | None = None,
    options: Sequence[str] = (),
) -> Mapping[str, Any]:
    """Test a checkpoint as a config of detectron2 says, in this process.

    Args:
        config: The config file.
        checkpoint: The checkpoint, of any host.
        work_dir: Where logs go; by default the config's.
        out_dir: Where to save results and measures.
        options: Values to set in the config.

    Returns:
        The measures, by task and name.

    Raises:
        ValueError: The config, an option, the checkpoint or the machine does not allow it.
        DataError: The data are not usable.
    """
    cfg = load_config(config, options, work_dir)
    default_setup(cfg, _arguments_of_setup(config))
    if _is_lazy(cfg):
        if out_dir is not None:
            cfg.dataloader.evaluator.output_dir = str(out_dir)
        model = instantiate(cfg.model).to(cfg.train.device)
        Checkpointer(model).load(str(checkpoint))
        results = evaluate_lazily(cfg, model.eval())
    else:
        register_configured(cfg.SOD.DATASETS)
        if out_dir is not None:
            cfg.defrost()
            cfg.SOD.EVALUATOR.output_dir = str(out_dir)
        model = Trainer.build_model(cfg)
        Checkpointer(model).load(str(checkpoint))
        results = Trainer.test(cfg, model.eval())
    if comm.is_main_process():
        target = Path(cfg.train.output_dir if _is_lazy(cfg) else cfg.OUTPUT_DIR)
        write_text(target / 'test_results.json', json.dumps(results, indent=2) + '\n')
    return results


def train_command(argv: Sequence[str] | None = None, prog: str = 'train.py') -> int:
    """Train as the words of a command line say, and return the exit status."""
    parser = argparse.ArgumentParser(
        prog=prog, description='Train a model from a config of detectron2.'
    )
    parser.add_argument('config', help='the config file, a yaml file or a LazyConfig')
    parser.add_argument(
        '--resume', action='store_true', help='go on with the last checkpoint of the work folder'
    )
    given = _parse(parser, argv)
    return _run(
        parser,
        given,
        train,
        (given.config,),
        {'work_dir': given.work_dir, 'resume': given.resume, 'options': given.cfg_options},
    )


def test_command(argv: Sequence[str] | None = None, prog: str = 'test.py') -> int:
    """Test as the words of a command line say, and return the exit status."""
    parser = argparse.ArgumentParser(
        prog=prog, description='Test a checkpoint by a config of detectron2.'
    )
    parser.add_argument('config', help='the config file, a yaml file or a LazyConfig')
    parser.add_argument('checkpoint', help='the checkpoint file, of any host')
    parser.add_argument('--out', metavar='DIR', help='save results and measures in this folder')
    given = _parse(parser, argv)
    return _run(
        parser,
        given,
        test,
        (given.config, given.checkpoint),
        {'work_dir': given.work_dir, 'out_dir': given.out, 'options': given.cfg_options},
    )


def _parse(parser: argparse.ArgumentParser, argv: Sequence[str] | None) -> argparse.Namespace:
    """Add the arguments that both commands have, and read the command line."""
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
        type=int,
        default=1,
        metavar='N',
        help='processes to run in, each with a GPU of its own if there are any',
    )
    parser.add_argument(
        '--import',
        dest='imports',
        action='append',
        default=[],
        metavar='MODULE',
        help='import your own code first, a module or a file *.py; repeatable',
    )
    return parser.parse_args(argv)


def _run(
    parser: argparse.ArgumentParser,
    given: argparse.Namespace,
    function: Callable[..., Any],
    words: tuple[Any, ...],
    named: dict[str, Any],
) -> int:
    try:
        with terminable():
            load_config(given.config, given.cfg_options)  # before processes start
            launch(
                _import_and_call,
                given.num_processes,
                dist_url='auto',
                args=(given.imports, function, words, named),
            )
    except (DataError, ImportError, OSError, ValueError) as error:
        print(f'{parser.prog}: error: {error}', file=sys.stderr)
        return 2
    except ProcessRaisedException as error:
        kind, _, message = str(error).strip().splitlines()[-1].partition(': ')
        if kind.rpartition('.')[2] not in ('DataError', 'ImportError', 'OSError', 'ValueError'):
            raise
        print(f'{parser.prog}: error: {message}', file=sys.stderr)
        return 2
    except KeyboardInterrupt as error:
        print(f'{parser.prog}: interrupted; --resume goes on with a training', file=sys.stderr)
        return interrupt_status(error)
    return 0


def _import_and_call(
    imports: Sequence[str],
    function: Callable[..., Any],
    words: tuple[Any, ...],
    named: Mapping[str, Any],
) -> None:
    for source in imports:
        import_user_code(source)
    function(*words, **named)


def _is_lazy(cfg: Any) -> bool:
    return 'dataloader' in cfg


def _arguments_of_setup(config: str | Path) -> argparse.Namespace:
    """Return what detectron2's ``default_setup`` reads of its own command line."""
    return argparse.Namespace(config_file=str(config), eval_only=False)
