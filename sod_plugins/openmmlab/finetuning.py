"""Fine-tune a model of :mod:`sod_plugins.zoo` on your own images and masks."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mmengine.config import Config

from sod_plugins._common.limits import (
    MOST_IN_BATCH,
    MOST_WORKERS,
    require_number,
    require_size,
)
from sod_plugins._common.names import ExifRule
from sod_plugins._common.reading import read_text
from sod_plugins._common.writing import write_text
from sod_plugins.checkpoints import extract_network
from sod_plugins.configs import config_path
from sod_plugins.data import find_pairs, hold_back, require_writable
from sod_plugins.openmmlab.errors import LaunchError
from sod_plugins.openmmlab.launch import test, train
from sod_plugins.openmmlab.unwrapping import unwrapped_dataset
from sod_plugins.zoo import ModelCard, default_model, find_model, list_models, model_card

PASSES = 15  # epochs, if no number of iterations is given
FEWEST, MOST = 100, 5000  # limits of the iterations in that case
FEWEST_IMAGES = 4
LARGEST_SEED = (1 << 32) - 1  # of NumPy's generator, which the host seeds
SMALLEST_SIDE = 32  # the stride of the coarsest maps
LARGEST_CONFIG = 1 << 20  # bytes, and of the measures
CONFIG, MEASURES, NETWORK = 'finetune.py', 'measures.json', 'model.pth'
TRAINING = 'training'
PREFIX = 'saliency/'


@dataclass(frozen=True)
class FineTuned:
    """The result of fine-tuning.

    Attributes:
        checkpoint: The network with its description, for predictors and ``sod predict``.
        before: Measures of the model on the held-back images, by key.
        after: Measures of the fine-tuned network on the same images, by key.
    """

    checkpoint: Path
    before: Mapping[str, float]
    after: Mapping[str, float]


def finetune(
    folder: str | Path,
    out_dir: str | Path,
    model: str | None = None,
    *,
    iterations: int | None = None,
    held_back: int | None = None,
    learning_rate: float = 3e-4,
    batch_size: int = 16,
    size: Sequence[int] | None = None,
    workers: int = 2,
    seed: int = 0,
    exif: ExifRule | None = None,
) -> FineTuned:
    """Fine-tune a model with the last stage of its own recipe.

    A random part of the images is held back for evaluation before and after. The output folder
    receives the config (``finetune.py``, for ``tools/train.py``), the two lists, ``measures.json``,
    the network (``model.pth``), and logs and checkpoints in ``training/``. A second call with the
    same arguments continues where the first one was interrupted.

    Args:
        folder: Images and masks in any layout that ``sod_plugins.data.find_pairs`` recognises.
        out_dir: The output folder.
        model: The name of the model; by default the default model for saliency.
        iterations: Number of iterations; by default 15 epochs, but 100 to 5,000 iterations.
        held_back: Number of images to hold back; by default a tenth, up to 500.
        learning_rate: The highest learning rate; the backbone has a quarter of it.
        batch_size: Number of images per iteration.
        size: Height and width of the input; by default the recipe's in training and the model's in
            prediction.
        workers: Number of worker processes that load images.
        seed: Determines which images are held back, their order and their augmentation.
        exif: How images and masks are read, see ``sod_plugins.data.FolderLayout``.

    Raises:
        ValueError: The model is unknown or has no recipe, or an argument is out of range.
        DataError: The folder is not a data set, or has too few images.
        LaunchError: The output folder holds another run, or cannot be used.
    """
    card = _card(model)
    out = Path(out_dir).absolute()
    _require_arguments(iterations, learning_rate, batch_size, workers, folder, out)
    require_number('seed', seed, 0, LARGEST_SEED)
    if size is not None:
        require_size((size[0], size[1]), SMALLEST_SIDE)
    require_writable(out)
    pairs = find_pairs(folder, exif=exif)
    if len(pairs) < FEWEST_IMAGES:
        raise ValueError(
            f"'{folder}' has {len(pairs)} images with masks: give {FEWEST_IMAGES} or more."
        )
    count = max(1, min(500, len(pairs) // 10)) if held_back is None else held_back
    lists = hold_back((pair.stem for pair in pairs), count, seed)
    cfg = recipe_of(card)
    _use_data(cfg, Path(folder).absolute(), out, batch_size, workers, exif)
    _use_sizes(cfg, card, size)
    _use_schedule(cfg, iterations or _iterations(len(lists[0]), batch_size), learning_rate)
    cfg.load_from = f'zoo:{card.name}'
    cfg.randomness = {'seed': seed}
    config = _write_run(out, cfg, lists)
    before = _known_measures(out / MEASURES) or _measure(config, find_model(card.name), out)
    write_text(out / MEASURES, json.dumps({'before': before}, indent=1) + '\n')
    training = out / TRAINING  # mmengine overwrites a config of this name in the work folder
    train(config, work_dir=training, resume='auto', channels_last=True)
    extract_network(training / f'iter_{cfg.train_cfg.max_iters}.pth', out / NETWORK)
    after = _measure(config, out / NETWORK, out)
    write_text(out / MEASURES, json.dumps({'before': before, 'after': after}, indent=1) + '\n')
    return FineTuned(out / NETWORK, before, after)


def recipe_of(card: ModelCard) -> Config:
    """Return the config of the last stage of a model's recipe, without its data.

    Its initial weights are omitted: the model's own weights replace them.
    """
    cfg = Config.fromfile(config_path(Path(card.recipe[-1]).stem))
    cfg.model.backbone.pop('init_cfg', None)
    for name in ('data_root', 'image_size', 'test_size', 'train_pipeline', 'test_pipeline'):
        cfg.pop(name, None)
    # A recipe of several data sets keeps the config of the first, for the data of one folder.
    cfg.train_dataloader.dataset = unwrapped_dataset(cfg.train_dataloader.dataset)
    return cfg


def _card(model: str | None) -> ModelCard:
    card = model_card((model or default_model()).removeprefix('zoo:'))
    if card.task != 'saliency' or not card.recipe or card.file is None:
        able = [c.name for c in map(model_card, list_models('saliency')) if c.recipe and c.file]
        raise ValueError(
            f'{card.name} cannot be fine-tuned here, as it comes without a recipe for saliency, or '
            f'without weights. These can: {", ".join(able)}.'
        )
    return card


def _require_arguments(
    iterations: int | None,
    learning_rate: float,
    batch_size: int,
    workers: int,
    folder: str | Path,
    out: Path,
) -> None:
    if iterations is not None and iterations < 2:
        raise ValueError(f'iterations is {iterations}. Give 2 or more.')
    # One image's coarsest map has no useful statistics.
    require_number('batch_size', batch_size, 2, MOST_IN_BATCH, 'images')
    require_number('workers', workers, 0, MOST_WORKERS)
    if not 0 < learning_rate < math.inf:
        raise ValueError(f'learning_rate is {learning_rate}. Give a number above 0.')
    if Path(folder).resolve() == out.resolve():
        raise ValueError(f"'{folder}' is the data set: name another folder for the results.")


def _iterations(images: int, batch_size: int) -> int:
    return max(FEWEST, min(MOST, math.ceil(PASSES * images / batch_size)))


def _use_data(
    cfg: Config, folder: Path, out: Path, batch_size: int, workers: int, exif: ExifRule | None
) -> None:
    for role, name in (('train', 'train.txt'), ('val', 'val.txt'), ('test', 'val.txt')):
        loader = cfg[f'{role}_dataloader']
        loader.dataset.update(data_root=str(folder), list_file=str(out / name))
        loader.dataset.pop('preset', None)
        if exif is not None:
            loader.dataset.exif = exif
        loader.update(batch_size=batch_size, num_workers=workers, persistent_workers=workers > 0)


def _use_sizes(cfg: Config, card: ModelCard, size: Sequence[int] | None) -> None:
    """Predict at the model's size, or train and predict at the requested size."""
    for role in ('train', 'val', 'test'):
        wanted = size if role == 'train' else size or card.preprocessing['size']
        for step in cfg[f'{role}_dataloader'].dataset.pipeline:
            if wanted and step['type'] == 'sod_plugins.ResizeSaliency':
                step['size'] = tuple(wanted)


def _use_schedule(cfg: Config, iterations: int, learning_rate: float) -> None:
    """Warm up, then anneal to zero."""
    warm_up = max(1, iterations // 10)
    cfg.param_scheduler = [
        {'type': 'LinearLR', 'start_factor': 0.1, 'by_epoch': False, 'begin': 0, 'end': warm_up},
        {
            'type': 'CosineAnnealingLR',
            'by_epoch': False,
            'begin': warm_up,
            'end': iterations,
            'T_max': iterations - warm_up,
        },
    ]
    cfg.optim_wrapper.optimizer.lr = learning_rate
    cfg.train_cfg.update(max_iters=iterations, val_interval=math.ceil(iterations / 4))
    cfg.default_hooks.logger.interval = 10
    cfg.default_hooks.checkpoint.update(interval=math.ceil(iterations / 10), max_keep_ckpts=1)


def _write_run(out: Path, cfg: Config, lists: tuple[list[str], list[str]]) -> Path:
    """Write the config and its lists, or check those of an earlier call.

    Raises:
        LaunchError: They belong to a run with other data or arguments.
    """
    contents = {
        'train.txt': '\n'.join(lists[0]) + '\n',
        'val.txt': '\n'.join(lists[1]) + '\n',
        CONFIG: cfg.pretty_text,
    }
    for name, content in contents.items():
        path = out / name
        if path.exists() and read_text(path, LARGEST_CONFIG) != content:
            raise LaunchError(
                f"'{path}' is of a fine-tuning with other data or arguments: name another folder "
                'for the results, or repeat those arguments.'
            )
    for name, content in contents.items():
        write_text(out / name, content)
    return out / CONFIG


def _known_measures(path: Path) -> dict[str, float]:
    """Return the initial measures of an earlier call; empty without one."""
    if not path.is_file():
        return {}
    try:
        before: dict[str, float] = json.loads(read_text(path, LARGEST_CONFIG))['before']
    except (ValueError, LookupError, TypeError) as error:
        raise LaunchError(f"'{path}' cannot be read: remove it, and run again.") from error
    return before


def _measure(config: Path, checkpoint: Path, out: Path) -> dict[str, float]:
    """Measure a checkpoint on the held-back images."""
    measures = test(config, checkpoint, work_dir=out / TRAINING)
    return {
        name.removeprefix(PREFIX): float(value)
        for name, value in measures.items()
        if name.startswith(PREFIX)
    }
