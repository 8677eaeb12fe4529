r"""Compare detectors of salient instances on the same images, in the same run.

    python tools/analysis_tools/compare_instances.py \
        S4Net=configs/s4net/CONFIG.py,work_dirs/CONFIG/iter_300.pth \
        'Mask R-CNN'=configs/s4net/OTHER.py,work_dirs/OTHER/iter_300.pth --markdown table.md

Each model is NAME=CONFIG,CHECKPOINT. Images and truth are those of the configs' test_dataloader,
which must be the same for all. Every image is predicted by one model after the other, on the CPU
with one thread, and timed from the resized image to boxes and masks at the original size.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from mmengine.config import DictAction
from mmengine.registry import DATASETS, DefaultScope
from torch import nn
from torch.utils.data import Dataset
from tqdm import tqdm

from sod_plugins._common.writing import write_text
from sod_plugins.analysis.complexity import count_parameters
from sod_plugins.data import list_files
from sod_plugins.openmmlab.launch import load_config, load_model
from sod_plugins.openmmlab.metrics import SalientInstanceMetric
from sod_plugins.optim.denormals import flush_denormals

COLUMNS = {
    'mAP': 'mask_map',
    'AP50': 'mask_ap50',
    'AP70': 'mask_ap70',
    'mAP_O': 'mask_map_o',
    'box mAP': 'box_map',
}


@dataclass
class Model:
    """A detector, its own view of the images, and what it did with them.

    Attributes:
        name: What its row is called.
        network: A detector of mmdet.
        dataset: The images as it takes them.
        truth: The file of annotations.
        metric: Collects what it predicts.
        seconds: Processor time of each prediction.
    """

    name: str
    network: nn.Module
    dataset: Dataset[Any]
    truth: str
    metric: SalientInstanceMetric
    seconds: list[float] = field(default_factory=list)

    def predict(self, index: int) -> dict[str, Any]:
        """Predict one image, and note the time that it took from the resized image on."""
        batch = {key: [value] for key, value in self.dataset[index].items()}
        # Processor time, so that other work on the machine counts as little as possible.
        start = time.process_time()
        with torch.inference_mode():
            (sample,) = self.network.test_step(batch)
        self.seconds.append(time.process_time() - start)
        found: dict[str, Any] = sample.to_dict()
        return found


@dataclass(frozen=True)
class Row:
    """A model's measures, its speed, and how many numbers it has learned."""

    name: str
    measures: dict[str, float]
    images_per_second: float
    parameters: int


def load(
    name: str, config: Path, checkpoint: Path, options: Mapping[str, Any] | None = None
) -> Model:
    """Return the model of a config with the weights of a checkpoint.

    Raises:
        LaunchError: One of the files cannot be used.
        DataError: The images cannot be used.
        ValueError: The config tests no salient instances.
    """
    with tempfile.TemporaryDirectory() as unused:
        cfg = load_config(config, options, unused)
    network = load_model(cfg, checkpoint)
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope', 'mmdet')):
        dataset = DATASETS.build(cfg.test_dataloader.dataset)
    truth = dataset.metainfo.get('ann_file')
    if truth is None:
        raise ValueError(
            f"'{config}' tests no salient instances: its test_dataloader needs a "
            "'sod_plugins.SalientInstanceDataset'."
        )
    return Model(name, network, dataset, truth, SalientInstanceMetric(truth))


def compare(models: Sequence[Model]) -> list[Row]:
    """Let every model predict every image.

    Raises:
        ValueError: The models are to predict different images.
    """
    truths = sorted({str(Path(model.truth).resolve()) for model in models})
    if len(truths) > 1:
        raise ValueError(
            f'The configs test on different annotations: {list_files(truths)}. Set '
            'test_dataloader.dataset.ann_file by --cfg-options.'
        )
    for model in models:
        model.predict(0)
        model.seconds.clear()  # the first call of a network is slower than all others
    for index in tqdm(range(len(models[0].dataset)), 'compare', unit='image'):
        for model in models:
            model.metric.process(None, [model.predict(index)])
    return [
        Row(
            model.name,
            model.metric.compute_metrics(model.metric.results),
            1 / statistics.median(model.seconds),
            count_parameters(model.network),
        )
        for model in models
    ]


def format_markdown(rows: Sequence[Row], images: str) -> str:
    """Return the table."""
    columns = {name: key for name, key in COLUMNS.items() if key in rows[0].measures}
    lines = [
        ('model', *columns, 'images/s', 'parameters'),
        ('---', *['---:'] * (len(columns) + 2)),
        *(
            (
                row.name.replace('|', r'\|'),
                *(f'{100 * row.measures[key]:.1f}' for key in columns.values()),
                f'{row.images_per_second:.1f}',
                f'{row.parameters:,}',
            )
            for row in rows
        ),
    ]
    table = ''.join(f'| {" | ".join(line)} |\n' for line in lines)
    return (
        f'{table}\nImages: {images}. AP in percent, of masks unless it says box; of mAP_O on the '
        'images with occlusion. Images/s: by the median processor time of one thread, from the '
        f'resized image to masks at the original size ({platform.machine()}, torch '
        f'{torch.__version__}).\n'
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Parse the command line, compare, print the table and write it."""
    args = _parser().parse_args(argv)
    torch.set_num_threads(1)
    flush_denormals()
    try:
        for path in filter(None, (args.markdown, args.json)):
            path.parent.mkdir(parents=True, exist_ok=True)
        files = _named_files(args.models)
        models = [load(name, *paths, args.cfg_options) for name, paths in files.items()]
        rows = compare(models)
    except (OSError, ValueError, ImportError) as error:
        sys.exit(f'compare_instances.py: error: {error}')
    images = f'{len(models[0].dataset)} of {models[0].truth}'
    markdown = format_markdown(rows, images)
    print(markdown, end='')
    record = json.dumps({'images': images, 'models': [asdict(row) for row in rows]}, indent=1)
    for path, text in ((args.markdown, markdown), (args.json, f'{record}\n')):
        if path is not None:
            write_text(path, text)


def _named_files(texts: Sequence[str]) -> dict[str, tuple[Path, Path]]:
    """Read NAME=CONFIG,CHECKPOINT."""
    files = []
    for text in texts:
        name, _, paths = text.partition('=')
        config, _, checkpoint = paths.partition(',')
        if not (name and config and checkpoint):
            raise ValueError(f"'{text}' is not of the form NAME=CONFIG,CHECKPOINT.")
        files.append((name, (Path(config), Path(checkpoint))))
    twice = [name for name, count in Counter(name for name, _ in files).items() if count > 1]
    if twice:
        raise ValueError(f'Several models are called {list_files(twice)}. Rename all but one.')
    return dict(files)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('models', nargs='+', metavar='NAME=CONFIG,CHECKPOINT', help='see above')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='set values in all configs, such as test_dataloader.dataset.data_root=photos',
    )
    parser.add_argument('--markdown', type=Path, metavar='FILE', help='write the table')
    parser.add_argument('--json', type=Path, metavar='FILE', help='write all numbers')
    return parser


if __name__ == '__main__':
    main()
