"""Read detectron2's configs of either kind, and set the values that a command line gives."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from detectron2.config import LazyConfig, get_cfg
from detectron2.utils.registry import locate

from sod_plugins._common.choices import suggestion
from sod_plugins._common.reading import read_text
from sod_plugins.configs import YAML, find_config
from sod_plugins.detectron2.adapters import arguments
from sod_plugins.detectron2.config import ARGUMENTS, add_sod_plugins_config
from sod_plugins.detectron2.trainer import kind_of

SECTIONS = ('model', 'dataloader', 'train', 'optimizer', 'lr_multiplier')  # of a LazyConfig
# The options of a test -> the argument of an evaluator by which it follows them.
EVALUATOR_OPTIONS = {'--out': 'output_dir', '--show-dir': 'show_dir', '--crf': 'crf'}


def load_config(
    path: str | Path, options: Sequence[str] = (), work_dir: str | Path | None = None
) -> Any:
    """Read a config of detectron2, a yaml file or a LazyConfig.

    Args:
        path: The config file, or the name of one of this package, such as
            ``detectron2/csnet-x1_1xb24-300e_duts-224x224``. A yaml file may be a LazyConfig too,
            as detectron2 saves it in the work folder.
        options: Values to set in it, such as ``SOLVER.MAX_ITER=20`` or ``train.max_iter=20``.
        work_dir: Where logs and checkpoints go; by default the config's.

    Raises:
        OSError: There is no such config, or it is a folder.
        ValueError: The file is wrong, or an option does not fit it.
    """
    path = find_config(path)
    for option in options:
        if '=' not in option:
            raise ValueError(f'--cfg-options takes pairs of the form KEY=VALUE, got {option!r}.')
    try:
        if path.suffix in YAML and '_target_:' not in read_text(path):
            cfg = get_cfg()
            add_sod_plugins_config(cfg)
            cfg.MODEL.DEVICE = 'cuda' if torch.cuda.is_available() else 'cpu'
            cfg.merge_from_file(str(path))
            _admit_arguments(cfg, options)
            cfg.merge_from_list([word for option in options for word in option.split('=', 1)])
            cfg.OUTPUT_DIR = str(work_dir or cfg.OUTPUT_DIR)
        else:
            cfg = LazyConfig.load(str(path))
            _require_sections(cfg, path)
            _require_keys(cfg, options)
            cfg = LazyConfig.apply_overrides(cfg, list(options))
            cfg.train.output_dir = str(work_dir or cfg.train.output_dir)
    except Exception as error:  # a LazyConfig is Python code, which may fail in any way
        raise ValueError(f"The config '{path}' cannot be used: {error}") from error
    return cfg


def _require_sections(cfg: Any, path: Path) -> None:
    if absent := [name for name in SECTIONS if name not in cfg]:
        raise ValueError(f'it has no {", ".join(absent)}, each a dict at its top level.')
    # From a Python file, detectron2 keeps the dicts and silently drops the rest.
    dropped = 'hooks' not in cfg and path.suffix not in YAML and _binds_hooks(path)
    if dropped or not isinstance(cfg.get('hooks', {}), Mapping):
        raise ValueError(
            'hooks must be a dict of names and hooks, such as '
            'dict(exact_resume=L(ExactResumeHook)()), as LazyConfig keeps no list.'
        )


def _binds_hooks(path: Path) -> bool:
    """Return whether a LazyConfig assigns ``hooks``, or imports them from another one."""
    for statement in ast.parse(read_text(path)).body:
        if isinstance(statement, ast.ImportFrom) and statement.level:
            names = [alias.asname or alias.name for alias in statement.names]
        else:
            targets = getattr(statement, 'targets', [getattr(statement, 'target', None)])
            names = [target.id for target in targets if isinstance(target, ast.Name)]
        if 'hooks' in names:
            return True
    return False


def _admit_arguments(cfg: Any, options: Sequence[str]) -> None:
    """Let options give arguments that a yaml file leaves out; yacs sets only what is there."""
    for option in options:
        parts = option.partition('=')[0].split('.')
        if len(parts) == 3 and parts[0] == 'SOD' and parts[1] in ARGUMENTS:
            cfg.SOD[parts[1]].setdefault(parts[2], None)


def _require_keys(cfg: Any, options: Sequence[str]) -> None:
    """Refuse options that nothing in a LazyConfig would read; detectron2 sets any.

    Arguments of what the config calls are checked when it is called.
    """
    for option in options:
        key, node = option.partition('=')[0], cfg
        for name in key.split('.'):
            if key.startswith('+') or not isinstance(node, Mapping) or '_target_' in node:
                break
            if name not in node:
                hint = suggestion(name, node)
                raise ValueError(f'it has no {key}.{hint} +{key}=VALUE adds what is not there.')
            node = node[name]


def is_lazy(cfg: Any) -> bool:
    """Return whether a config is a LazyConfig."""
    return 'dataloader' in cfg


def output_dir(cfg: Any) -> Path:
    """Return where logs and checkpoints go."""
    return Path(cfg.train.output_dir if is_lazy(cfg) else cfg.OUTPUT_DIR)


def set_precision(cfg: Any, amp: bool, channels_last: bool) -> None:
    """Turn on mixed precision and the memory format channels-last, if requested."""
    if amp:
        node, name = (cfg.train.amp, 'enabled') if is_lazy(cfg) else (cfg.SOLVER.AMP, 'ENABLED')
        node[name] = True
    if channels_last:
        node, name = (cfg.train, 'channels_last') if is_lazy(cfg) else (cfg.SOD, 'CHANNELS_LAST')
        node[name] = True


def set_evaluator(cfg: Any, options: Mapping[str, Any]) -> None:
    """Pass the options of a test to the evaluator.

    Args:
        cfg: The config.
        options: Options of ``EVALUATOR_OPTIONS`` and their values.

    Raises:
        ValueError: The config's evaluator has no such argument.
    """
    evaluators, node = _evaluators(cfg)
    if options and not evaluators:
        raise ValueError(
            f'{", ".join(options)} needs one evaluator, and the config has none or several.'
        )
    for option, value in options.items():
        argument = EVALUATOR_OPTIONS[option]
        for evaluator in evaluators:
            if argument not in inspect.signature(evaluator).parameters:
                raise ValueError(
                    f"{option} is not for the config's evaluator, {evaluator.__name__}: leave the "
                    'option out.'
                )
        node[argument] = value


def require_evaluator(cfg: Any) -> None:
    """Refuse arguments of the evaluator that it does not take, before a training of days ends.

    Raises:
        TypeError: It has no such argument.
    """
    evaluators, node = _evaluators(cfg)
    given = {name: value for name, value in arguments(node).items() if name != '_target_'}
    for evaluator in evaluators:
        try:
            inspect.signature(evaluator).bind_partial(**given)
        except TypeError as error:
            raise TypeError(f'{evaluator.__name__}: {error}') from None


def _evaluators(cfg: Any) -> tuple[list[Any], Any]:
    """Return the classes of the evaluators, and the node with their arguments."""
    if is_lazy(cfg):
        node = cfg.dataloader.get('evaluator')
        if not isinstance(node, Mapping) or '_target_' not in node:
            return [], {}  # none, or several
        target = node['_target_']
        return [locate(target) if isinstance(target, str) else target], node
    return [kind_of(name)[1] for name in cfg.DATASETS.TEST], cfg.SOD.EVALUATOR
