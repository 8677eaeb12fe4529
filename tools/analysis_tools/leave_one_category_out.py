r"""Train without each category of objects in turn, and see which categories suffer (Fig. 8).

    python tools/analysis_tools/leave_one_category_out.py \
        configs/csnet/csnet-x1_1xb24-300e_duts-224x224.py train-categories.csv \
        --test-categories test-categories.csv -o leave-one-out --seeds 0 1 2

The config's training and test data must be of type sod_plugins.SaliencyDataset; everything else is
up to it. A file of categories has one `stem,category` a line (or a tab between them). Images that
it does not name are neither trained on nor tested. One network is trained on all images that it
names and one without each category; each is scored on the test images of every category.

DIR then has changes.csv, changes.md and changes.png: the change of a measure relative to the
network that was trained on all, in percent, means over the seeds of the measure being compared;
a row for each category left out, the least harmful first. Finished runs are skipped and begun ones
resumed when the same command is given again.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import re
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from tqdm import tqdm

from sod_plugins._common.writing import write_text, writing_text
from sod_plugins.data import (
    DataError,
    SaliencyPair,
    find_pairs,
    image_extensions,
    list_files,
    read_mask,
    require_writable,
)
from sod_plugins.metrics import (
    LOWER_IS_BETTER,
    MEASURE_NAMES,
    PROTOCOLS,
    SaliencyEvaluator,
    read_prediction,
)
from sod_plugins.visualization.curves import require_matplotlib, save_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ALL = 'all'
LAYOUT = (
    *('image_dir', 'mask_dir', 'list_file', 'image_prefix', 'image_suffix', 'mask_prefix'),
    'mask_suffix',
)
Scores = Mapping[str, Mapping[str, float]]  # a measure by what was left out, and by category


def read_categories(path: Path) -> dict[str, str]:
    """Read the category of every stem.

    Raises:
        DataError: The file cannot be read, a line has no two fields, or a stem two categories.
    """
    try:
        lines = path.read_text(encoding='utf-8').splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"Cannot read the categories '{path}': {error}.") from error
    categories: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or (number == 1 and line.strip().lower() == 'stem,category'):
            continue
        name, _, category = (part.strip() for part in line.partition('\t' if '\t' in line else ','))
        if not (name and category):
            raise DataError(f"Line {number} of '{path}' is no 'stem,category': '{line}'.")
        stem = Path(name).stem if Path(name).suffix.lower() in image_extensions() else name
        if categories.setdefault(stem, category) != category:
            raise DataError(f"'{path}' puts '{stem}' in both {categories[stem]} and {category}.")
    return categories


class Study(NamedTuple):
    """What is trained and tested.

    Attributes:
        config: The config file.
        options: Values to set in it.
        out_dir: Where everything goes.
        training: Category of each training image, by stem.
        test: Category of each test image, by stem.
        pairs: The test images.
        protocol: How they are scored.
    """

    config: Path
    options: dict[str, Any]
    out_dir: Path
    training: dict[str, str]
    test: dict[str, str]
    pairs: list[SaliencyPair]
    protocol: str

    @property
    def categories(self) -> list[str]:
        """Names of the categories, sorted."""
        return sorted(set(self.training.values()))

    def folder(self, seed: int, left_out: str) -> Path:
        """Return the work folder of a run."""
        name = ALL if left_out == ALL else f'without-{_file_name(left_out)}'
        return self.out_dir / f'seed{seed}' / name

    def run(self, seed: int, left_out: str) -> dict[str, float]:
        """Train without a category, test, and return the scores of each, or read them again.

        Returns:
            All measures, as ``category/measure``.
        """
        folder = self.folder(seed, left_out)
        finished = folder / 'scores.json'
        if not finished.is_file():
            scores = self._train_and_score(folder, seed, left_out)
            write_text(finished, json.dumps(scores, indent=1) + '\n')
        found: dict[str, float] = json.loads(finished.read_text(encoding='utf-8'))
        return found

    def _train_and_score(self, folder: Path, seed: int, left_out: str) -> dict[str, float]:
        from mmengine.runner import find_latest_checkpoint

        from sod_plugins.openmmlab.launch import test, train

        kept = [stem for stem, category in self.training.items() if category != left_out]
        options = {
            **self.options,
            'randomness.seed': seed,
            **_list_options('train', _write_list(folder / 'train.txt', kept)),
            **_list_options('test', _write_list(folder / 'test.txt', self.test)),
        }
        train(self.config, work_dir=folder, resume='auto', options=options)
        checkpoint = find_latest_checkpoint(str(folder))
        if checkpoint is None:
            raise DataError(f"'{folder}' has no checkpoint: give the config a CheckpointHook.")
        test(self.config, checkpoint, work_dir=folder, out_dir=folder / 'test', options=options)
        return self._score(folder / 'test' / 'maps')

    def _score(self, maps: Path) -> dict[str, float]:
        evaluators = {name: SaliencyEvaluator(self.protocol) for name in [ALL, *self.categories]}
        for pair in tqdm(self.pairs, 'score', unit='image'):
            assert pair.mask is not None  # find_pairs requires masks
            mask = read_mask(pair.mask)
            path = maps / f'{Path(pair.image).stem}.png'
            # The test wrote it in 8 bits, however dark.
            prediction = read_prediction(path, full_scale=True)
            for name in (ALL, self.test[pair.stem]):
                evaluators[name].step(prediction, mask, pair.stem)
        return {
            f'{name}/{measure}': value
            for name, evaluator in evaluators.items()
            for measure, value in evaluator.evaluation().measures.items()
        }


def relative_changes(scores: Scores, measure: str) -> dict[str, dict[str, float]]:
    """Return the changes in percent relative to the network trained on all (Fig. 8).

    Args:
        scores: A measure by the category left out, ``'all'`` for none, and by the category tested,
            ``'all'`` for all images.
        measure: Which one.

    Returns:
        By the category left out, the least harmful on all images first, and by the one tested.
    """
    base = scores[ALL]
    changes = {
        left_out: {
            name: 100 * (value / base[name] - 1) if base[name] else math.nan
            for name, value in row.items()
        }
        for left_out, row in scores.items()
        if left_out != ALL
    }
    higher_first = measure not in LOWER_IS_BETTER
    return dict(sorted(changes.items(), key=lambda item: item[1][ALL], reverse=higher_first))


def format_markdown(changes: Scores, measure: str, runs: str) -> str:
    """Return the matrix as Markdown; what a network was not trained on is bold."""
    columns = _columns(changes)
    lines = [
        f'Change of {MEASURE_NAMES[measure]} in percent; {runs}.',
        '',
        f'| trained without | {" | ".join(columns)} |',
        f'|---|{"---:|" * len(columns)}',
    ]
    for left_out, row in changes.items():
        cells = [f'{row[name]:+.2f}' for name in columns]
        own = columns.index(left_out)
        cells[own] = f'**{cells[own]}**'
        lines.append(f'| {left_out} | {" | ".join(cells)} |')
    return '\n'.join(lines) + '\n'


def draw_changes(changes: Scores, measure: str) -> Figure:
    """Draw the matrix, red where a network lost, with a frame around what it was not trained on."""
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    columns = _columns(changes)
    values = np.array([[row[name] for name in columns] for row in changes.values()])
    size = (3.2 + 0.8 * len(columns), 2 + 0.5 * len(changes))
    figure = Figure(figsize=size, layout='constrained')
    axes = figure.subplots()
    limit = max(float(np.nanmax(np.abs(values))), 0.01)
    colors = 'RdBu_r' if measure in LOWER_IS_BETTER else 'RdBu'
    image = axes.imshow(values, cmap=colors, vmin=-limit, vmax=limit, aspect='auto')
    for (row, column), value in np.ndenumerate(values):
        color = 'white' if abs(value) > 0.6 * limit else 'black'
        axes.text(column, row, f'{value:+.2f}', ha='center', va='center', fontsize=8, color=color)
    for row, left_out in enumerate(changes):
        corner = (columns.index(left_out) - 0.5, row - 0.5)
        axes.add_patch(Rectangle(corner, 1, 1, fill=False, linewidth=2, clip_on=False))
    axes.set_xticks(range(len(columns)), columns, rotation=40, ha='right')
    axes.set_yticks(range(len(changes)), changes)
    axes.set(xlabel='tested on', ylabel='trained without')
    figure.colorbar(image, label=f'change of {MEASURE_NAMES[measure]} [%]')
    return figure


def main(argv: Sequence[str] | None = None) -> None:
    """Parse the command line, train and test what is not finished yet, and write the matrix."""
    args = _parser().parse_args(argv)
    try:
        require_matplotlib()
        require_writable(args.out_dir)
        study = prepare(args)
        runs = [(seed, name) for seed in args.seeds for name in [ALL, *study.categories]]
        found: dict[str, list[dict[str, float]]] = {name: [] for _, name in runs}
        for number, (seed, name) in enumerate(runs, 1):
            what = 'on all categories' if name == ALL else f'without {name}'
            print(f'[{number}/{len(runs)}] seed {seed}, {what}', flush=True)
            found[name].append(study.run(seed, name))
    except (OSError, ValueError, ImportError) as error:
        sys.exit(f'leave_one_category_out.py: error: {error}')
    columns = [ALL, *study.categories]
    changes = relative_changes(
        {
            left_out: {c: float(np.mean([s[f'{c}/{args.measure}'] for s in each])) for c in columns}
            for left_out, each in found.items()
        },
        args.measure,
    )
    text = format_markdown(
        changes, args.measure, f'{len(study.pairs)} test images, {len(args.seeds)} run(s) each'
    )
    print(f'\n{text}', end='')
    write_text(args.out_dir / 'changes.md', text)
    with writing_text(args.out_dir / 'changes.csv', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(['trained without', *columns])
        writer.writerows([name, *map(repr, row.values())] for name, row in changes.items())
    save_figure(draw_changes(changes, args.measure), args.out_dir / 'changes.png', dpi=110)


def prepare(args: argparse.Namespace) -> Study:
    """Check everything that could fail after hours, and that DIR holds no other study.

    Raises:
        ValueError: If something is wrong.
    """
    from sod_plugins.openmmlab.launch import load_config

    options = dict(args.cfg_options or {})
    cfg = load_config(args.config, options, args.out_dir)
    labels = {split: read_categories(path) for split, path in _category_files(args).items()}
    pairs = {split: _find(cfg[f'{split}_dataloader']['dataset'], split) for split in labels}
    named = {
        split: {p.stem: labels[split][p.stem] for p in pairs[split] if p.stem in labels[split]}
        for split in labels
    }
    counts = {split: Counter(stems.values()) for split, stems in named.items()}
    for split, other in (('train', 'test'), ('test', 'train')):
        absent = sorted(counts[other].keys() - counts[split].keys())
        if absent:
            raise DataError(
                f'No {split} image is of the categories {list_files(absent)}: leave them out of '
                'the file of categories.'
            )
    names = {_file_name(name) for name in counts['train']}
    if len(names) < max(2, len(counts['train'])) or ALL in names:
        raise DataError(
            f"'{args.categories}' must name two categories or more, none of them '{ALL}', that "
            f'differ in letters or digits, but has {list_files(sorted(counts["train"]))}.'
        )
    batch = cfg.train_dataloader.get('batch_size', 1)
    least = counts['train'].total() - max(counts['train'].values())
    if least < batch:
        raise DataError(
            f'Without its largest category the training set has {least} images, fewer than a batch '
            f'of {batch}: set train_dataloader.batch_size.'
        )
    shown = ', '.join(f'{name} {n}/{counts["test"][name]}' for name, n in counts['train'].items())
    print(f'Training/test images by category: {shown}')
    chosen = [pair for pair in pairs['test'] if pair.stem in named['test']]
    _require_same_study(args.out_dir, {'config': cfg.pretty_text, **named, 'with': args.protocol})
    return Study(
        args.config, options, args.out_dir, named['train'], named['test'], chosen, args.protocol
    )


def _category_files(args: argparse.Namespace) -> dict[str, Path]:
    return {'train': args.categories, 'test': args.test_categories or args.categories}


def _find(dataset: Mapping[str, Any], split: str) -> list[SaliencyPair]:
    if dataset.get('type') != 'sod_plugins.SaliencyDataset':
        raise ValueError(
            f"{split}_dataloader.dataset is a '{dataset.get('type')}', but lists of categories are "
            "made for a 'sod_plugins.SaliencyDataset'."
        )
    layout = {name: dataset[name] for name in LAYOUT if dataset.get(name)}
    return find_pairs(dataset.get('data_root'), **layout)


def _require_same_study(out_dir: Path, settings: Mapping[str, Any]) -> None:
    path = out_dir / 'study.json'
    text = json.dumps(settings, indent=1)
    if path.is_file() and path.read_text(encoding='utf-8') != text:
        raise ValueError(
            f"'{out_dir}' holds runs of another config, other options or other categories. Name a "
            'new folder.'
        )
    write_text(path, text)


def _write_list(path: Path, stems: Sequence[str] | Mapping[str, str]) -> Path:
    write_text(path, ''.join(f'{stem}\n' for stem in stems))
    return path.resolve()


def _list_options(split: str, path: Path) -> dict[str, Any]:
    """Set the list of a data set; a preset would insist on its own number of images."""
    dataset = f'{split}_dataloader.dataset'
    return {f'{dataset}.list_file': str(path), f'{dataset}.preset': None}


def _file_name(category: str) -> str:
    return re.sub(r'[^\w.-]+', '-', category)


def _columns(changes: Scores) -> list[str]:
    """Return the columns, those of categories in the order of the rows."""
    return [ALL, *changes]


def _parser() -> argparse.ArgumentParser:
    from mmengine.config import DictAction

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', type=Path, metavar='CONFIG')
    parser.add_argument(
        'categories', type=Path, metavar='CATEGORIES', help='categories of the training images'
    )
    parser.add_argument(
        '--test-categories',
        type=Path,
        metavar='FILE',
        help='those of the test images (default: CATEGORIES)',
    )
    parser.add_argument('-o', '--out-dir', type=Path, metavar='DIR', required=True)
    parser.add_argument('--seeds', type=int, nargs='+', default=[0], metavar='N')
    parser.add_argument('--measure', choices=tuple(MEASURE_NAMES), default='max_f')
    parser.add_argument('--protocol', choices=tuple(PROTOCOLS), default='salmetric')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE', help='as of train.py'
    )
    return parser


if __name__ == '__main__':
    main()
