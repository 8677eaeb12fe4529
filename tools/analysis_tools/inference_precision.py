"""What bfloat16 and 8-bit inference change on real photos: measures, saliency and time.

    python tools/analysis_tools/inference_precision.py csnet-L-x1.pth data/msra10k \
        --list test.txt --images 200 --calibrate train.txt --int8 csnet-L-x1-int8.onnx

One network, exported once: by OpenVINO in float32 and in bfloat16 (which wants a CPU that has it),
and by ONNX Runtime in float32 and in int8, where the ranges of all maps were taken from photos of
another list. Maps are scored as `sod predict` saves them. Time is the median processor time of a
photo's network alone, one thread. `--int8` keeps the 8-bit file, which `sod predict` runs.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from tqdm import tqdm

from sod_plugins.data import SaliencyPair, find_pairs, read_image, read_mask
from sod_plugins.inference import OnnxRuntimeNetwork, OpenVINONetwork, export_network
from sod_plugins.inference.engines import INPUT, require_engine
from sod_plugins.metrics import SaliencyEvaluator
from sod_plugins.networks import Preprocessing, load_network, saliency_map, to_uint8


def calibration_batches(
    images: Sequence[Path], preprocessing: Preprocessing
) -> Iterator[dict[str, NDArray[np.float32]]]:
    """Yield what the network is fed with, photo by photo."""
    for image in images:
        yield {INPUT: preprocessing.apply(read_image(image)).numpy()}


def quantize(onnx: Path, int8: Path, images: Sequence[Path], preprocessing: Preprocessing) -> None:
    """Write an ``.onnx`` file's 8-bit form: weights per channel, maps by the ranges on photos.

    The classifier and what follows it stay in float32.
    """
    quantization = require_engine('onnxruntime.quantization', 'export')
    batches = calibration_batches(images, preprocessing)

    class Reader(quantization.CalibrationDataReader):  # type: ignore[name-defined,misc]
        def get_next(self) -> dict[str, NDArray[np.float32]] | None:
            return next(batches, None)

    model = require_engine('onnx', 'export').load(onnx)
    convolutions = [node.name for node in model.graph.node if node.op_type == 'Conv']
    quantization.quantize_static(
        onnx,
        int8,
        Reader(),
        per_channel=True,
        op_types_to_quantize=['Conv', 'PRelu', 'MaxPool', 'AveragePool', 'Concat', 'Add'],
        nodes_to_exclude=convolutions[-1:],
    )


def measure(
    networks: dict[str, nn.Module], pairs: Sequence[SaliencyPair]
) -> dict[str, tuple[dict[str, float], float, float]]:
    """Return per network its measures, its mean distance to the first's saliency, and its time."""
    evaluators = {name: SaliencyEvaluator('salmetric') for name in networks}
    seconds: dict[str, list[float]] = {name: [] for name in networks}
    differences: dict[str, list[float]] = {name: [] for name in networks}
    for pair in tqdm(pairs, 'photos', unit='photo'):
        assert pair.mask is not None  # find_pairs requires masks
        image, mask = read_image(pair.image), read_mask(pair.mask)
        reference: torch.Tensor | None = None
        for name, network in networks.items():
            batch = network.preprocessing.apply(image)
            start = time.process_time()
            logits = network(batch)
            seconds[name].append(time.process_time() - start)
            saliency = saliency_map(logits, image.shape[:2])[0, 0]
            reference = saliency if reference is None else reference
            differences[name].append((saliency - reference).abs().mean().item())
            evaluators[name].step(to_uint8(saliency), mask, pair.stem)
    return {
        name: (
            evaluators[name].evaluation().measures,
            statistics.mean(differences[name]),
            1e3 * statistics.median(seconds[name]),
        )
        for name in networks
    }


@torch.inference_mode()
def main() -> None:
    """Export, quantise, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n\n')[0])
    parser.add_argument('checkpoint', type=Path)
    parser.add_argument('data', type=Path, help='a data set with masks')
    parser.add_argument('--list', default='test.txt', help='its photos to score')
    parser.add_argument('--images', type=int, default=200, help='the first so many of them')
    parser.add_argument('--calibrate', default='train.txt', help='its photos to take ranges from')
    parser.add_argument('--photos', type=int, default=32, help='the first so many of those')
    parser.add_argument('--int8', type=Path, metavar='FILE.onnx', help='keep the 8-bit network')
    args = parser.parse_args()
    torch.set_num_threads(1)
    network = load_network(args.checkpoint)
    scored, ranges = (
        find_pairs(args.data, list_file=args.data / name)[:count]
        for name, count in ((args.list, args.images), (args.calibrate, args.photos))
    )
    with tempfile.TemporaryDirectory() as folder:
        onnx = Path(folder, 'network.onnx')
        int8 = args.int8 or Path(folder, 'int8.onnx')
        export_network(network, onnx)
        quantize(onnx, int8, [pair.image for pair in ranges], network.preprocessing)
        results = measure(
            {
                'OpenVINO float32': OpenVINONetwork(onnx, 1),
                'OpenVINO bfloat16': OpenVINONetwork(onnx, 1, 'bf16'),
                'ONNX Runtime float32': OnnxRuntimeNetwork(onnx, 1),
                'ONNX Runtime int8': OnnxRuntimeNetwork(int8, 1),
            },
            scored,
        )
    print(f'{len(scored)} photos of {args.list}\n')
    print('| engine | max F | MAE | mean change of saliency | CPU ms |')
    print('|---|---:|---:|---:|---:|')
    for name, (measures, change, ms) in results.items():
        scores = f'{measures["max_f"]:.4f} | {measures["mae"]:.4f}'
        print(f'| {name} | {scores} | {change:.1e} | {ms:.1f} |')


if __name__ == '__main__':
    main()
