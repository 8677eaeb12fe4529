"""From nothing to a trained, measured network: ``python3 tools/quickstart.py``.

Makes ``.venv``, generates synthetic scenes, trains CSNet with dynamic weight decay on them, tests
it and writes the saliency maps, the visualizations, the curves and a report. Needs Python 3.10+
with ``venv`` and no compiler; the network is used for installing only. Standard library only at the
start. Running it again reuses what is there, and continues what was interrupted.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from environment import ROOT, RUN, Environment, Steps, add_venv_option, run_or_exit

CONFIG = 'configs/csnet/csnet-x1_1xb16-450i_synthetic-64x64.py'
DEFAULT_COUNT = 1000
SOD = ('-m', 'sod_plugins.cli')  # the `sod` command, whatever the environment calls it
SHOWN_MEASURES = {'max_f': 'max F', 'weighted_f': 'weighted F', 's_measure': 'S', 'mae': 'MAE'}


def parse_args() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n\n')[1])
    add_venv_option(parser)
    parser.add_argument(
        '--work-dir',
        type=Path,
        metavar='DIR',
        help='checkpoints and results; remove it to start again (default: work_dirs/quickstart)',
    )
    parser.add_argument(
        '--count',
        type=int,
        default=DEFAULT_COUNT,
        metavar='N',
        help='scenes to train on, a fifth of it to test on (default: %(default)s)',
    )
    args = parser.parse_args()
    if args.count < 20:
        parser.error(f'--count is {args.count}: ask for 20 scenes or more')
    suffix = '' if args.count == DEFAULT_COUNT else f'-{args.count}'
    args.data = ROOT / 'data' / f'synthetic{suffix}'
    args.work_dir = (args.work_dir or ROOT / 'work_dirs' / f'quickstart{suffix}').absolute()
    return args


class Quickstart:
    """The steps after the installation, each a command of this package.

    Args:
        environment: Where the commands run.
        steps: Announces and logs them.
        data: Folder of the scenes, ``train``, ``val`` and ``test`` in it.
        work_dir: Folder of everything else that is written.
    """

    def __init__(self, environment: Environment, steps: Steps, data: Path, work_dir: Path) -> None:
        self.environment = environment
        self.steps = steps
        self.data = data
        self.work_dir = work_dir
        self.results = work_dir / 'results'
        self.network = self.results / 'csnet.pth'

    def predict(self) -> None:
        """Find what is salient in the first scenes by the model that comes with the package."""
        folder = self.work_dir / 'first'
        scenes = folder / 'scenes'
        self._run(
            'first-data',
            'Draw two scenes',
            'tools/dataset_converters/synthetic_scenes.py',
            scenes,
            *('--split', 'test', '--count', 2),
        )
        self._run(
            'first-maps',
            f'Find what is salient in them, by the model of this package: {folder / "maps"}',
            *(*SOD, 'predict', scenes / 'images', '-o', folder / 'maps', '--overlay'),
        )

    def generate(self, count: int) -> None:
        """Generate the scenes; those of an earlier run are kept."""
        for split, number in (('train', count), ('val', count // 10), ('test', count // 5)):
            self._run(
                f'data-{split}',
                f'Generate {number} scenes in {self.data / split}',
                'tools/dataset_converters/synthetic_scenes.py',
                self.data / split,
                *('--split', split, '--count', number),
            )

    def train(self) -> None:
        """Train, or go on from the newest checkpoint of an earlier run."""
        self._run(
            'train',
            f'Train {CONFIG} in {self.work_dir}',
            'tools/train.py',
            CONFIG,
            *('--work-dir', self.work_dir, '--resume'),
            *('--cfg-options', self._data_root('train'), self._data_root('val')),
        )

    def test(self) -> None:
        """Test the last checkpoint: saliency maps, overlays, measures and curves."""
        self._run(
            'test',
            f'Test it on {self.data / "test"}',
            'tools/test.py',
            CONFIG,
            self._last_checkpoint(),
            *('--work-dir', self.work_dir, '--cfg-options', self._data_root('test')),
            *('--out', self.results, '--show-dir', self.results / 'overlays'),
        )

    def report(self) -> None:
        """Take the network out of the checkpoint, draw the curves and write the report."""
        self._run(
            'extract',
            f'Take the network out of the checkpoint, into {self.network}',
            *(*SOD, 'extract', self._last_checkpoint(), self.network),
        )
        self._run(
            'report',
            'Draw the curves and write the report',
            *(*SOD, 'report', self.results / 'maps', '--data', self.data / 'test'),
            *('--out', self.results / 'report.html', '--curves', self.results / 'curves.png'),
            *('--method', 'CSNet', '--title', 'CSNet on generated scenes'),
            *('--checkpoint', self.network, '--config', CONFIG),
        )

    def conclude(self) -> None:
        """Print the measures reached and where everything is."""
        measures = json.loads((self.results / 'measures.json').read_text('utf-8'))
        numbers = ', '.join(f'{name} {measures[key]:.3f}' for key, name in SHOWN_MEASURES.items())
        print(f'\n{numbers}  ({measures["count"]} images, protocol {measures["protocol"]})\n')
        for what, path in (
            ('report', self.results / 'report.html'),
            ('saliency maps', self.results / 'maps'),
            ('overlays', self.results / 'overlays'),
            ('curves', self.results / 'curves.png'),
            ('measures', self.results / 'measures.json'),
            ('network', self.network),
        ):
            print(f'{what:>14}: {path}')
        print(f'\nYour photos: {self.environment.python.with_name("sod")} predict PHOTOS -o maps')

    def _last_checkpoint(self) -> Path:
        return Path((self.work_dir / 'last_checkpoint').read_text('utf-8').strip())

    def _data_root(self, split: str) -> str:
        return f'{split}_dataloader.dataset.data_root={self.data / split}'

    def _run(self, name: str, title: str, *command: object) -> None:
        words = [self.environment.python, *map(str, command)]
        self.steps.run(name, title, words, self.environment.environ)


def main() -> int:
    """Run all steps; a failing one ends the command with its log file named."""
    args = parse_args()
    environment = Environment(args.venv)
    environment.ensure(RUN)
    run = Quickstart(environment, Steps(args.work_dir / 'logs'), args.data, args.work_dir)
    run.predict()
    run.generate(args.count)
    run.train()
    run.test()
    run.report()
    run.conclude()
    return 0


if __name__ == '__main__':
    run_or_exit(main)
