r"""Compare saliency methods on the same images, in the same run, under one protocol.

    python tools/analysis_tools/compare_methods.py data/msra10k --list test.txt \
        prior=train.txt CSNet-L-x1=csnet-L-x1.pth U2-Net-small=u2netp.onnx --markdown table.md

Each method is NAME=FILE, and the file's suffix says what it is:

.pth   A checkpoint of this package, or .safetensors, or `zoo:` and the name of a model, predicted
       as `sod predict` does.
.onnx  A network fed as those of the U2-Net family are: the image is resized to the model's input,
       divided by its largest value and normalised by ImageNet's mean and deviation; the first
       output is stretched to [0, 1] and resized to the image. Needs onnxruntime.
.txt   A blurred centre prior, which looks at no image: the mean mask of the images in this list of
       the data set, resized to each image. Name training images here, not the compared ones.

A network may be followed by its engine, as in U2-Net-small=u2netp.onnx@openvino: torch,
onnxruntime or openvino. Its default is torch, for .onnx it is onnxruntime.

Maps are scored as `sod predict` saves them: at the image's size, in 8 bits, truncated. Every
method computes on the CPU with one thread.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from saliency_methods import ENGINES, Method, load_centre_prior, load_checkpoint, load_onnx
from tqdm import tqdm

from sod_plugins._common.writing import write_text
from sod_plugins.cli.arguments import comma_separated
from sod_plugins.data import (
    DataError,
    FolderLayout,
    SaliencyPair,
    check_dataset,
    find_pairs,
    list_files,
    read_image,
    read_mask,
)
from sod_plugins.inference import save_map
from sod_plugins.metrics import (
    PROTOCOLS,
    Evaluation,
    SaliencyEvaluator,
    TableRow,
    evaluation_table,
    find_measures,
)
from sod_plugins.networks import to_uint8
from sod_plugins.optim.denormals import flush_denormals
from sod_plugins.zoo.resolver import PREFIX, find_model

SUFFIXES = ('.pth', '.safetensors', '.onnx', '.txt')


# A path and the engine that is asked for.
NamedFile = tuple[Path, str | None]


@dataclass(frozen=True)
class Result:
    """A method's scores, and the median processor time of one image in milliseconds."""

    method: Method
    evaluation: Evaluation
    milliseconds: float


def compare(
    methods: Sequence[Method],
    pairs: Sequence[SaliencyPair],
    protocol: str,
    maps_dir: Path | None = None,
    measures: Sequence[str] | None = None,
) -> list[Result]:
    """Predict and score every image by every method.

    Args:
        methods: What to compare.
        pairs: Images with their masks.
        protocol: Name of the protocol.
        maps_dir: Folder to save the maps in, as ``<method>/<stem>.png``.
        measures: Keys of the measures to compute, see ``SaliencyEvaluator``.
    """
    evaluators = [SaliencyEvaluator(protocol, measures) for _ in methods]
    seconds: list[list[float]] = [[] for _ in methods]
    for pair in tqdm(pairs, 'compare', unit='image'):
        assert pair.mask is not None  # find_pairs requires masks
        image, mask = read_image(pair.image), read_mask(pair.mask)
        for method, evaluator, spent in zip(methods, evaluators, seconds, strict=True):
            # Processor time, so that other work on the machine counts as little as possible.
            start = time.process_time()
            try:
                saliency = method.predict(image)
            except ValueError as error:
                raise ValueError(f"{method.name} fails on '{pair.image}': {error}") from error
            spent.append(time.process_time() - start)
            evaluator.step(to_uint8(torch.from_numpy(saliency)), mask, pair.stem)
            if maps_dir is not None:
                save_map(maps_dir / method.name / f'{pair.stem}.png', saliency)
    return [
        Result(method, evaluator.evaluation(), 1000 * statistics.median(spent))
        for method, evaluator, spent in zip(methods, evaluators, seconds, strict=True)
    ]


def format_markdown(results: Sequence[Result], images: str) -> str:
    """Return the table of measures, and one of what produced each of its rows."""
    measures = evaluation_table([TableRow(r.method.name, r.evaluation) for r in results])
    rows = [
        ('method', 'produced by', 'input', 'parameters', 'MACs', 'ms per image'),
        ('---', '---', '---:', '---:', '---:', '---:'),
        *map(_describe, results),
    ]
    sources = ''.join(f'| {" | ".join(row)} |\n' for row in rows)
    return (
        f'Images: {images}. Maps are scored at the size of the image, in 8 bits (truncated).\n\n'
        f'{measures}\n{sources}\n'
        'Input: height x width. MACs: of convolutions and matrix products. Time: median processor '
        'time of one thread, from the decoded image to its map '
        f'({platform.machine()}, torch {torch.__version__}).\n'
    )


def to_record(results: Sequence[Result], images: str) -> dict[str, Any]:
    """Return the comparison as plain values, for JSON."""
    rows = [
        {
            'name': result.method.name,
            'source': result.method.source,
            'input_size': result.method.input_size,
            'parameters': result.method.parameters,
            'macs': result.method.macs,
            'ms_per_image': result.milliseconds,
            'count': result.evaluation.count,
            'skipped': result.evaluation.skipped,
            'measures': result.evaluation.measures,
        }
        for result in results
    ]
    return {'images': images, 'protocol': results[0].evaluation.protocol, 'methods': rows}


def main(argv: Sequence[str] | None = None) -> None:
    """Parse the command line, compare, print the tables and write them."""
    args = _parser().parse_args(argv)
    torch.set_num_threads(1)
    flush_denormals()
    try:
        files = _named_files(args.methods)
        find_measures(args.measures)
        _check_outputs(args, files)
        pairs = find_pairs(args.data, list_file=args.list)
        methods = [_load(name, file, args.data) for name, file in files.items()]
        report = check_dataset(FolderLayout(args.data, list_file=args.list))
        if not report.ok:
            raise DataError(f'The images cannot be compared: {list_files(report.problems)}')
        results = compare(methods, pairs, args.protocol, args.maps, args.measures)
    except (OSError, ValueError, ImportError) as error:
        sys.exit(f'compare_methods.py: error: {error}')
    listed = f' ({args.list.name})' if args.list else ''
    images = f'{len(pairs):,} of {args.data.resolve().name}{listed}'
    markdown = format_markdown(results, images)
    record = json.dumps(to_record(results, images), indent=1) + '\n'
    for path, text in ((args.markdown, markdown), (args.json, record)):
        if path is not None:
            write_text(path, text)
    print(markdown, end='')


def _describe(result: Result) -> tuple[str, ...]:
    method = result.method
    return (
        method.name.replace('|', r'\|'),
        method.source.replace('|', r'\|'),
        '-' if method.input_size is None else '{}x{}'.format(*method.input_size),
        '-' if method.parameters is None else f'{method.parameters:,}',
        '-' if method.macs is None else f'{method.macs / 1e9:.3f} G',
        f'{result.milliseconds:.1f}',
    )


def _load(name: str, file: NamedFile, data: Path) -> Method:
    path, engine = file
    if path.suffix == '.txt':
        return load_centre_prior(name, data, path)
    if path.suffix == '.onnx':
        return load_onnx(name, path, engine or 'onnxruntime')
    return load_checkpoint(name, path, engine or 'torch')


def _named_files(texts: Sequence[str]) -> dict[str, NamedFile]:
    """Read NAME=FILE[@ENGINE]; lists are looked for below the data set, networks must exist."""
    files = []
    for text in texts:
        name, _, file = text.partition('=')
        if not (name and file) or Path(name).name != name:
            raise ValueError(f"'{text}' is not of the form NAME=FILE, with a NAME without slashes.")
        file, engine = _split_engine(file)
        path = find_model(file) if file.startswith(PREFIX) else Path(file)
        if path.suffix not in SUFFIXES:
            raise ValueError(
                f"'{path}' is no method: name a checkpoint (.pth), an ONNX network (.onnx), or a "
                'list of training images (.txt) for a centre prior.'
            )
        if path.suffix != '.txt' and not path.is_file():
            raise FileNotFoundError(f"There is no network '{path}'. Correct the path.")
        if engine and (path.suffix, engine) in {
            ('.onnx', 'torch'),
            *(('.txt', e) for e in ENGINES),
        }:
            raise ValueError(f"'{path}' cannot be computed by {engine}: leave '@{engine}' out.")
        files.append((name, (path, engine)))
    twice = [name for name, count in Counter(name for name, _ in files).items() if count > 1]
    if twice:
        raise ValueError(f'Several methods are called {list_files(twice)}. Rename all but one.')
    return dict(files)


def _split_engine(file: str) -> tuple[str, str | None]:
    """Split FILE@ENGINE; an @ of another meaning stays in the name of the file."""
    path, at, engine = file.rpartition('@')
    return (path, engine) if at and engine in ENGINES else (file, None)


def _check_outputs(args: argparse.Namespace, names: Iterable[str]) -> None:
    """Refuse what could not be written, or would overwrite maps, before any work."""
    for path in filter(None, (args.markdown, args.json)):
        if path.is_dir():
            raise IsADirectoryError(f"'{path}' is a folder. Name a file to write.")
        path.parent.mkdir(parents=True, exist_ok=True)
    for folder in [] if args.maps is None else [args.maps / name for name in names]:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise FileExistsError(f"'{folder}' is not empty. Name a new folder for the maps.")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('data', type=Path, metavar='DATA', help='folder of the data set')
    parser.add_argument(
        'methods', nargs='+', metavar='NAME=FILE', help='a network or a list, see above'
    )
    parser.add_argument(
        '--list', type=Path, metavar='FILE', help='images to compare on, one stem or path a line'
    )
    parser.add_argument(
        '--protocol', choices=tuple(PROTOCOLS), default='salmetric', help='default: %(default)s'
    )
    parser.add_argument(
        '--measures', type=comma_separated, metavar='KEY,KEY', help='as of sod eval'
    )
    parser.add_argument('--markdown', type=Path, metavar='FILE', help='write the tables')
    parser.add_argument('--json', type=Path, metavar='FILE', help='write all numbers')
    parser.add_argument(
        '--maps', type=Path, metavar='DIR', help='save the maps: DIR/NAME/<stem>.png'
    )
    return parser


if __name__ == '__main__':
    main()
