"""From files to files: ``sod predict`` beside ``rembg p -m u2netp`` on the same photos.

    python benchmarks/end_to_end.py PHOTO_DIR --rembg VENV/bin/rembg --u2netp u2netp.onnx

``rembg`` needs an environment of its own (``pip install "rembg[cpu,cli]"``). Photos are enlarged or
reduced to each size and saved as JPEG. Each side is a process that predicts them all; the two take
turns. Processor time is that of the process and its children, start-up included; the start-up is
what one photo of 32 pixels takes. Last comes where the time of ``sod predict`` goes.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np
from PIL import Image

from sod_plugins.data import image_files
from sod_plugins.inference.image_work import ImageWork
from sod_plugins.inference.runners import open_runner

OUTPUTS = {'map': ([], ['-om']), 'cut-out': (['--no-map', '--cutout'], [])}


class Run(NamedTuple):
    """What a process took: seconds of processor and wall, and MB at its peak."""

    cpu: float
    wall: float
    peak: float


def main() -> None:
    """Print the table."""
    args = parse_args()
    # Off on both sides: what ONNX Runtime sends to its maker is no part of the work.
    environ = dict(os.environ, ORT_DISABLE_TELEMETRY='1')
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        models = folder / 'models'
        models.mkdir()
        shutil.copy(args.u2netp, models / 'u2netp.onnx')
        photos = image_files(args.photos.iterdir())[: args.count]
        start = resized(photos[:1], 1e-3, folder / 'start')
        print('photo  threads output   sod cpu   rembg  ratio   wall   rembg   peak  rembg  size')
        for megapixels in args.megapixels:
            source = resized(photos, megapixels, folder / f'{megapixels:g}')
            for threads in args.threads:
                environ.update(OMP_NUM_THREADS=str(threads), U2NET_HOME=str(models))
                for output in OUTPUTS:
                    commands = both(output, args.rembg, args.checkpoint)
                    row = compare(commands, source, folder / 'out', environ, args.repeats)
                    print(f'{megapixels:4g} M  {threads:7} {output:8}  {row}', flush=True)
        for output in OUTPUTS:
            commands = both(output, args.rembg, args.checkpoint)
            row = compare(commands, start, folder / 'out', environ, args.repeats)
            print(f'start-up       {output:8}  {row}')
        for megapixels in args.megapixels:
            print_stages(folder / f'{megapixels:g}', args.checkpoint)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument('photos', type=Path)
    parser.add_argument('--rembg', type=Path, required=True)
    parser.add_argument('--u2netp', type=Path, required=True)
    parser.add_argument('--checkpoint', type=Path, help='default: the default model')
    parser.add_argument('--count', type=int, default=8)
    parser.add_argument('--repeats', type=int, default=5)
    parser.add_argument('--megapixels', type=float, nargs='+', default=[0.1, 2, 12])
    parser.add_argument('--threads', type=int, nargs='+', default=[1, 2])
    return parser.parse_args()


def resized(photos: Sequence[Path], megapixels: float, folder: Path) -> Path:
    """Save photos as JPEG of a number of pixels."""
    folder.mkdir()
    for number, path in enumerate(photos):
        with Image.open(path) as image:
            scale = (megapixels * 1e6 / (image.width * image.height)) ** 0.5
            size = round(image.width * scale), round(image.height * scale)
            image.convert('RGB').resize(size, Image.Resampling.BICUBIC).save(
                folder / f'{number}.jpg', quality=90
            )
    return folder


def both(output: str, rembg: Path, checkpoint: Path | None) -> dict[str, list[str]]:
    """Return the command of each side, but for its folders."""
    ours, theirs = OUTPUTS[output]
    if checkpoint is not None:
        ours = [*ours, '--checkpoint', str(checkpoint)]
    sod = [sys.executable, '-m', 'sod_plugins.cli', 'predict', 'IN', '-o', 'OUT', *ours]
    return {'sod': sod, 'rembg': [str(rembg), 'p', '-m', 'u2netp', *theirs, 'IN', 'OUT']}


def compare(
    commands: dict[str, list[str]], source: Path, out: Path, environ: dict[str, str], repeats: int
) -> str:
    """Let the sides take turns, and return a row of medians."""
    runs: dict[str, list[Run]] = {name: [] for name in commands}
    sizes = {}
    for _ in range(repeats):
        for name, command in commands.items():
            shutil.rmtree(out, ignore_errors=True)
            out.mkdir()
            words = [{'IN': str(source), 'OUT': str(out)}.get(word, word) for word in command]
            runs[name].append(run(words, environ))
            files = [path for path in out.rglob('*') if path.suffix == '.png']
            if len(files) != len(list(source.iterdir())):
                raise SystemExit(f'{name} wrote {len(files)} images')
            sizes[name] = sum(path.stat().st_size for path in files)
            sizes[f'{name} recoded'] = sum(recoded(path) for path in files) if name == 'sod' else 0
    sod, rembg = (Run(*map(median, zip(*runs[name], strict=True))) for name in commands)
    return (
        f'{sod.cpu:7.2f} {rembg.cpu:7.2f}  {rembg.cpu / sod.cpu:4.1f}x {sod.wall:7.2f} '
        f'{rembg.wall:7.2f}  {sod.peak:4.0f}M  {rembg.peak:4.0f}M  '
        f'{sizes["sod"] / sizes["rembg"]:.2f} of rembg, '
        f'{sizes["sod"] / sizes["sod recoded"]:.2f} of the same pixels in its encoder'
    )


def recoded(path: Path) -> int:
    """Return the size that an output has as rembg, that is Pillow, writes it."""
    with Image.open(path) as image, tempfile.TemporaryFile() as file:
        image.save(file, 'PNG')
        return file.tell()


def run(words: list[str], environ: dict[str, str]) -> Run:
    """Run a command in a process of its own, which alone counts."""
    code = (
        'import resource, subprocess, sys, time\n'
        'start = time.perf_counter()\n'
        'subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL, '
        'stderr=subprocess.DEVNULL)\n'
        'wall = time.perf_counter() - start\n'
        'used = resource.getrusage(resource.RUSAGE_CHILDREN)\n'
        'print(used.ru_utime + used.ru_stime, wall, used.ru_maxrss / 1024)\n'
    )
    done = subprocess.run(
        [sys.executable, '-c', code, *words],
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    )
    return Run(*map(float, done.stdout.split()))


def print_stages(folder: Path, checkpoint: Path | None) -> None:
    """Print what the stages of a cut-out take, each by itself, in milliseconds of processor."""
    runner = open_runner(checkpoint, device='cpu')
    for kind in ('map', 'cutout'):
        work = ImageWork(runner, [kind])
        times: dict[str, list[float]] = {'decode': [], 'network': [], 'draw and encode': []}
        for path in image_files(folder.iterdir()):
            marks = [time.process_time()]
            image = work.decode(path)
            marks.append(time.process_time())
            (small,) = work.compute([image])
            marks.append(time.process_time())
            work.render(image, small)
            marks.append(time.process_time())
            for stage, seconds in zip(times, np.diff(marks), strict=True):
                times[stage].append(1000 * seconds)
        stages = ', '.join(f'{stage} {median(values):.0f} ms' for stage, values in times.items())
        print(f'{folder.name} M, {kind}: {stages}')


if __name__ == '__main__':
    main()
