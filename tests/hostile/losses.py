"""Full disks, kills and threads: nothing may be lost, half written or silently wrong.

    python tests/hostile/losses.py                          all trials, with a table; as root
    python tests/hostile/losses.py --trials extract threads  some alone

Each command writes to a file system that is full: at once, or after half of what it writes. Then
there is room, and the same command has to do its work. Counted are, for each trial: runs
(``tried``), processes that died (``crash``), errors that are no sentence (``traceback``), runs that
did not end (``hang``), files half written, gone, forgotten or made twice (``lost``), and results or
exit statuses that are not those of the work done (``wrong``).

An older version is measured by its folder in front: ``PYTHONPATH=/older``.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import checkpoint_files
import torch

sys.path.append(str(Path(__file__).parents[1] / 'helpers'))
from reference_values import crc_filled, released_samnet_shapes, settle_statistics

KINDS = ('tried', 'crash', 'traceback', 'hang', 'lost', 'wrong')
DISK = 64 << 20  # bytes
Words = list[Any]  # of a command line, the first one chooses the command
OLDER = b'older'
IMAGES = 24
LOG_SUFFIXES = ('.log', '.jsonl', '.py', '.txt')  # of a host, which appends to them


@dataclass
class Trials:
    """Counts and findings of trials.

    Attributes:
        good: Folder of networks, images and configs.
        patience: Seconds for one run.
    """

    good: Path
    table: dict[str, dict[str, int]] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)
    trial: str = ''
    patience: float = 300.0

    def begin(self, trial: str) -> None:
        """Count from here on for a trial."""
        self.trial = trial
        self.table[trial] = dict.fromkeys(KINDS, 0)

    def note(self, kind: str, what: str, count: int = 1) -> None:
        """Count something found."""
        self.table[self.trial][kind] += count
        self.findings.append(f'{kind}: {self.trial}: {what}')

    def run(self, words: Words, kill: Callable[[int], None] | None = None) -> tuple[int, str]:
        """Run a command in a process, killed by ``kill`` in between; return status and errors."""
        (done,) = self.run_all([words], kill)
        return done

    def run_all(
        self, commands: list[Words], kill: Callable[[int], None] | None = None
    ) -> list[tuple[int, str]]:
        """Run commands at once; a negative status is the signal that ended a process."""
        self.table[self.trial]['tried'] += len(commands)
        logs = [self.good / f'errors{k}.txt' for k in range(len(commands))]
        processes = [start(*one, self.good) for one in zip(commands, logs, strict=True)]
        if kill is not None:
            kill(processes[0])
        done = []
        for words, log, process in zip(commands, logs, processes, strict=True):
            status = status_of(process, self.patience)
            errors = log.read_text(errors='replace')
            if status is None:
                self.note('hang', str(words))
            elif status < 0 and kill is None:
                self.note('crash', f'signal {-status}')
            if 'Traceback (most recent' in errors:
                self.note('traceback', errors.strip().splitlines()[-1][:300])
            done.append((-1 if status is None else status, errors))
        return done


def start(words: Words, log: Path, folder: Path) -> int:
    """Start a command in a fork of this process, which has imported everything."""
    process = os.fork()
    if process:
        return process
    status: Any = 1
    try:
        torch.set_num_threads(1)  # before there are threads, of which the first two could collide
        os.chdir(folder)
        os.dup2(os.open(os.devnull, os.O_RDWR), 1)
        os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
        verb, *rest = (str(word) for word in words)
        if verb == 'convert':
            status = checkpoint_files.convert(*rest)
        else:
            module, function = COMMANDS[verb]
            status = getattr(importlib.import_module(module), function)(rest)
    except SystemExit as stop:
        status = stop.code
    except BaseException:  # what a user would see as a traceback
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status if isinstance(status, int) else int(status is not None))


def status_of(process: int, patience: float) -> int | None:
    """Wait for a process; None if it had to be killed."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        ended, status = os.waitpid(process, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    return None


COMMANDS = {
    'sod': ('sod_plugins.cli', 'main'),
    'test': ('sod_plugins.openmmlab.commands', 'test_command'),
    'train': ('sod_plugins.openmmlab.commands', 'train_command'),
    'broken': ('__main__', 'write_in_place'),
}


def write_in_place(words: list[str]) -> int:
    """Write as no command may, to show that it is found."""
    Path(words[0]).write_bytes(b'content' * 10_000)
    return 0


# --- full disks ----------------------------------------------------------------------------------


def full_disk_commands(good: Path, out: Path) -> dict[str, Words]:
    """Return the commands that write; those of one file name it as ``out / 'a...'``."""
    data, net = good / 'data', good / 'net.pth'
    scores = ['sod', 'eval', good / 'maps', data / 'masks']
    predict = ['sod', 'predict', data / 'images', '-o', out, '--checkpoint']
    labels = ['--coding', 'masks', '-o', out / 'a.json']
    return {
        'eval-json': [*scores, '--json', out / 'a.json'],
        'eval-per-image': [*scores, '--per-image', out / 'a.csv'],
        'eval-markdown': [*scores, '--markdown', out / 'a.md'],
        'eval-curves': [*scores, '--curves', out / 'a'],
        'report': ['sod', 'report', good / 'maps', '--data', data, '-o', out / 'a.html'],
        'data-instances': ['sod', 'data', 'instances', data, *labels],
        'data-synth': ['sod', 'data', 'synth', out / 'scenes', '--count', '6'],
        'extract': ['sod', 'extract', net, out / 'a.pth'],
        'prune': ['sod', 'prune', net, '-o', out / 'a.pth', '--ratio', '0.3'],
        'convert-samnet': ['convert', 'samnet', good / 'released.pth', out / 'a.pth'],
        'export-onnx': ['sod', 'export', net, '-o', out / 'a.onnx'],
        'export-xml': ['sod', 'export', net, '-o', out / 'a.xml'],
        'predict-maps': [*predict, net, '--cutout'],
        'predict-instances': [*predict, good / 's4net.pth'],
        'attention': [
            *('sod', 'attention', data / 'images/000000.jpg', '--pixel', '5,5'),
            *('-o', out / 'a.png', '--checkpoint', good / 'picanet.pth'),
        ],
        'test': [
            *('test', good / 'config.py', good / 'trained.pth'),
            '--work-dir',
            good / 'test',
            '--out',
            out,
        ],
        'train': ['train', good / 'config.py', '--work-dir', out],
        'broken': ['broken', out / 'a.bin'],
    }


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """Mount a small file system; needs root."""
    folder.mkdir(exist_ok=True)
    subprocess.run(['mount', '-t', 'tmpfs', '-o', f'size={DISK}', 'none', folder], check=True)
    try:
        (folder / 'out').mkdir()
        yield folder / 'out'
    finally:
        subprocess.run(['umount', folder], check=True)


def fill(disk: Path, room: int) -> None:
    """Leave room for so many bytes."""
    space = os.statvfs(disk)
    with (disk / 'filler').open('wb') as file:
        os.posix_fallocate(file.fileno(), 0, max(1, space.f_bavail * space.f_frsize - room))


def files_of(out: Path) -> dict[str, Path]:
    """Return the files of results below a folder, by relative name."""
    return {
        str(path.relative_to(out)): path
        for path in sorted(out.rglob('*'))
        if path.is_file() and path.suffix not in LOG_SUFFIXES and 'vis_data' not in path.parts
    }


def is_whole(path: Path, whole: Path) -> bool:
    """Tell whether a file is complete, given that of an undisturbed run."""
    if path.suffix == '.pth':  # whose times make their size differ
        return zipfile.is_zipfile(path) and zipfile.ZipFile(path).testzip() is None
    if path.name == 'sod-predict.json' or path.parent.name != 'out':
        return path.stat().st_size > 0
    return abs(path.stat().st_size - whole.stat().st_size) <= 64  # of paths and times


def is_done(out: Path, whole: dict[str, Path]) -> bool:
    """Tell whether all files of an undisturbed run are there and complete."""
    found = files_of(out)
    return all(
        name in found and found[name].read_bytes() != OLDER and is_whole(found[name], path)
        for name, path in whole.items()
    )


def check_files(trials: Trials, out: Path, whole: dict[str, Path], older: bool) -> None:
    """Find what is half written, forgotten or gone."""
    found = files_of(out)
    for name, path in found.items():
        if name not in whole and not _may_come_early(name):
            trials.note('lost', f'{name} was left behind')
        elif not (older and path.read_bytes() == OLDER) and not is_whole(
            path, whole.get(name, path)
        ):
            trials.note('lost', f'{name} is half written')
    if older:
        for name in whole.keys() - found.keys():
            trials.note('lost', f'the older {name} is gone')


def _may_come_early(name: str) -> bool:
    """Tell whether a run may write a file before its end."""
    return Path(name).name in ('last_checkpoint', 'sod-predict.json', 'manifest.json')


def try_full_disk(trials: Trials, name: str) -> None:
    """Fill the disk of a command."""
    disk = trials.good / 'disk'
    with tempfile.TemporaryDirectory(dir=trials.good) as folder, small_disk(disk) as out:
        undisturbed = Path(folder, 'out')
        undisturbed.mkdir()
        status, errors = trials.run(full_disk_commands(trials.good, undisturbed)[name])
        if status != 0:
            trials.note('wrong', f'status {status} with room: {errors[-500:]}')
            return
        whole = files_of(undisturbed)
        size = sum(path.stat().st_size for path in whole.values())
        words = full_disk_commands(trials.good, out)[name]
        for room in (0, size // 2):
            shutil.rmtree(out)
            out.mkdir()
            older = all(Path(file).stem == 'a' for file in whole)
            if older:
                for file in whole:
                    (out / file).write_bytes(OLDER)
            fill(disk, room)
            status, _ = trials.run(words)
            check_files(trials, out, whole, older)
            if status == 0 and not is_done(out, whole):  # small files may replace others in place
                trials.note('wrong', f'status 0 with room for {room} of {size} bytes')
            (disk / 'filler').unlink()
            status, errors = trials.run(words)
            if status != 0 or not is_done(out, whole):
                trials.note('lost', f'status {status} afterwards: {errors[-300:]}')


# --- kills ---------------------------------------------------------------------------------------


def predict_words(trials: Trials, images: Path, out: Path, network: str) -> Words:
    """Return a command that predicts."""
    return ['sod', 'predict', images, '-o', out, '--checkpoint', trials.good / network]


def kill_when(out: Path, number: int, count: int, patience: float) -> Callable[[int], None]:
    """Return what sends a signal as soon as there are so many images."""

    def kill(process: int) -> None:
        end = time.monotonic() + patience
        while len([*out.rglob('*.*g')]) < count and time.monotonic() < end:
            time.sleep(0.005)
        os.kill(process, number)

    return kill


def try_kills(trials: Trials) -> None:
    """Kill predictions of instances, and go on."""
    images, count = trials.good / 'many/images', IMAGES
    for turn, number in enumerate((signal.SIGKILL, signal.SIGTERM) * 2):
        out = trials.good / f'killed{turn}'
        words = predict_words(trials, images, out, 's4net.pth')
        status, _ = trials.run(words, kill_when(out, number, 6, trials.patience))
        if number == signal.SIGTERM and status != 143:
            trials.note('wrong', f'status {status} at SIGTERM')
        done = {path: path.stat().st_mtime_ns for path in out.rglob('*.*g')}
        status, errors = trials.run(words)
        if status != 0:
            trials.note('lost', f'status {status} after {number}: {errors[-300:]}')
        again = [path for path, then in done.items() if path.stat().st_mtime_ns != then]
        if len(again) > 1:  # at which it was killed
            trials.note('lost', f'{len(again)} of {len(done)} images predicted again', len(again))
        _require_all(trials, out / 'instances.json', count)


def _require_all(trials: Trials, path: Path, count: int) -> None:
    found = len(json.loads(path.read_bytes())['images']) if path.exists() else 0
    if found != count:
        trials.note('lost', f'{path.name} has {found} of {count} images', count - found)


def try_two_runs(trials: Trials) -> None:
    """Predict into one folder twice at once: instances by halves, maps of the same images."""
    halves = [trials.good / f'half{k}' for k in (0, 1)]
    for turn in range(3):
        for network, parts in (
            ('s4net.pth', halves),
            ('net.pth', [trials.good / 'many/images'] * 2),
        ):
            out = trials.good / f'shared-{network}{turn}'
            ends = trials.run_all([predict_words(trials, part, out, network) for part in parts])
            for status, errors in ends:
                if status not in (0, 2):
                    trials.note('wrong', f'status {status}: {errors[-300:]}')
            good = sum(status == 0 for status, _ in ends)
            if network == 's4net.pth':
                _require_all(trials, out / 'instances.json', IMAGES // 2 * good)
            elif len([*out.glob('*.png')]) != IMAGES:
                trials.note('lost', 'maps are missing')


# --- threads -------------------------------------------------------------------------------------

THREADS = """
import json, sys, tempfile
from concurrent.futures import ThreadPoolExecutor
import numpy as np, torch
from sod_plugins.data import draw_scene
from sod_plugins.inference import SaliencyPredictor, export_network, open_network
from sod_plugins.networks import load_network
path, backend, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
rng, calls, failed, wrong = np.random.default_rng(0), 0, [], 0
if backend == 'load':
    network = load_network(path).state_dict()
    honest = sys.argv[4]
    def call(k):
        if k % 2:
            return torch.load(honest, weights_only=True)['a'].sum() == 4
        state = load_network(path).state_dict()
        return all(torch.equal(state[key], value) for key, value in network.items())
    inputs, expected = list(range(24)), [True] * 24
else:
    sizes = ((50, 70), (33, 20), (90, 64), (64, 64), (17, 120), (48, 48)) * 4
    inputs = [draw_scene(rng, size).image for size in sizes]
    predictor = SaliencyPredictor(open_network(path, backend), 'cpu')
    call = predictor.predict
    expected = [call(image) for image in inputs]
def differs(got, wanted):
    return got is not True if wanted is True else np.abs(got - wanted).max() > 1e-3
with ThreadPoolExecutor(threads) as pool:
    for _ in range(2):
        futures = [pool.submit(call, one) for one in inputs]
        for future, wanted in zip(futures, expected):
            calls += 1
            if future.exception():
                failed.append(repr(future.exception())[:200])
            else:
                got = future.result()
                wrong += bool(differs(bool(got) if backend == 'load' else got, wanted))
if backend == 'load':
    wrong += not call(1)
print(json.dumps([calls, failed, wrong]))
"""


def try_threads(trials: Trials) -> None:
    """Let eight threads share what a process has one of."""
    torch.save({'a': torch.ones(4)}, trials.good / 'honest.pth')
    for backend in ('torch', 'numba', 'onnxruntime', 'openvino', 'load'):
        words = [sys.executable, '-c', THREADS, trials.good / 'net.pth', backend, 8]
        done = subprocess.run(
            [*map(str, words), trials.good / 'honest.pth'],
            capture_output=True,
            text=True,
            timeout=trials.patience * 2,
            check=False,
        )
        if done.returncode:
            kind = 'crash' if done.returncode < 0 else 'traceback'
            trials.note(kind, f'{backend}: {done.stderr[-500:]}')
            continue
        calls, failed, wrong = json.loads(done.stdout.splitlines()[-1])
        trials.table[trials.trial]['tried'] += calls
        if failed:
            trials.note('traceback', f'{backend}: {failed[0]}', len(failed))
        if wrong:
            trials.note('wrong', f'{backend}: {wrong} of {calls} results', wrong)


# --- all -----------------------------------------------------------------------------------------


def make_good_files(folder: Path) -> None:
    """Write networks, images and configs."""
    from sod_plugins.data import generate_scenes
    from sod_plugins.networks import CSNet, PiCANet, Preprocessing, S4Net, save_network

    checkpoint_files.make_good_files(folder)
    shutil.rmtree(folder / 'data')
    generate_scenes(folder / 'data', 6, size=(48, 64))
    generate_scenes(folder / 'many', IMAGES, size=(48, 64))
    for k, path in enumerate(sorted((folder / 'many/images').iterdir())):
        half = folder / f'half{k % 2}'
        half.mkdir(exist_ok=True)
        shutil.copy(path, half)
    (folder / 'maps').mkdir()
    for path in (folder / 'data/masks').iterdir():
        shutil.copy(path, folder / 'maps')
    torch.manual_seed(0)
    network = CSNet(stage_blocks=(1, 1, 1, 1), fuse_stages=())  # few operators export quickly
    settle_statistics(network, torch.randn(4, 3, 64, 64))
    save_network(folder / 'net.pth', network, Preprocessing(size=(48, 64)))
    tiny = {'type': 'MobileNet', 'width': 0.25}
    instances = S4Net(
        tiny,
        neck={'out_channels': 16},
        bbox_head={'channels': 16},
        roi_extractor={'out_channels': 16},
        mask_head={'channels': (8, 8)},
        num_proposals=3,
    )
    save_network(folder / 's4net.pth', instances, Preprocessing(size=(64, 96)))
    looks = PiCANet(
        '3GAP_2LAP_1AC',
        {'type': 'VGG', 'depth': 11, 'width': 0.125, 'out_indices': (1, 2, 3)},
        gap_kernel_size=3,
        local_kernel_size=3,
        renet_channels=4,
        attention_channels=4,
        init_std=None,
    )
    save_network(folder / 'picanet.pth', looks, Preprocessing(size=(64, 48)))
    (folder / 'trained.pth').write_bytes(checkpoint_files.torch_file(checkpoint_files.good()))
    state = {f'module.{k}': v for k, v in crc_filled(released_samnet_shapes()).items()}
    torch.save(state, folder / 'released.pth')
    (folder / 'good.bin').write_bytes(pickle.dumps([[0, [2]]] * 21 + [[1, 1, 1, 1]], 2))


def main() -> int:
    """Run the trials that the command line names, and return 1 if anything was found."""
    others = {'kills': try_kills, 'two-runs': try_two_runs, 'threads': try_threads}
    names = [*full_disk_commands(Path(), Path()), *others]
    usual = [name for name in names if name != 'broken']
    parser = argparse.ArgumentParser(description='Full disks, kills and threads.')
    parser.add_argument('--trials', nargs='+', choices=names, default=usual, metavar='NAME')
    parser.add_argument('--patience', type=float, default=Trials.patience, metavar='SECONDS')
    parser.add_argument('--json', type=Path, metavar='FILE', help='write table and findings')
    args = parser.parse_args()
    for module in ('cli', 'inference', 'visualization', 'openmmlab.commands'):
        importlib.import_module(f'sod_plugins.{module}')
    for module in ('mmseg.models', 'matplotlib.figure'):
        importlib.import_module(module)
    with tempfile.TemporaryDirectory() as folder:
        trials = Trials(Path(folder), patience=args.patience)
        make_good_files(trials.good)
        for name in args.trials:
            trials.begin(name)
            others[name](trials) if name in others else try_full_disk(trials, name)
    rows = [['trial', *KINDS], ['---', *['---:'] * len(KINDS)]]
    rows += [[name, *map(str, row.values())] for name, row in trials.table.items()]
    print(*(f'| {" | ".join(row)} |' for row in rows), *trials.findings, sep='\n')
    if args.json:
        record = {'table': trials.table, 'findings': trials.findings}
        args.json.write_text(json.dumps(record, indent=2))
    return int(bool(trials.findings))


if __name__ == '__main__':
    torch.set_num_threads(1)
    sys.exit(main())
