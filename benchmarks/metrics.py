"""How fast all measures of an image are, beside PySODMetrics, in one process and one run.

    python benchmarks/metrics.py [--size 300 400] [--images 8] [--repeats 5]

Both sides turn the same 8-bit maps and masks into the same eleven measures with their curves
(the largest difference is printed too); reading files is left out on both sides.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
import warnings
from collections.abc import Callable, Sequence

import numpy as np
import py_sod_metrics as reference
import scipy
from scipy.ndimage import gaussian_filter

from sod_plugins.metrics import SaliencyEvaluator

Sample = tuple[np.ndarray, np.ndarray]
Scorer = Callable[[Sequence[Sample]], dict[str, float]]


def make_sample(size: tuple[int, int], seed: int) -> Sample:
    """Make a soft map with false alarms and a mask of one to three ellipses, both uint8."""
    rng = np.random.default_rng([seed, *size])
    height, width = size
    rows, columns = np.mgrid[:height, :width]
    mask = np.zeros(size, bool)
    for _ in range(rng.integers(1, 4)):
        centre = rng.uniform(0.2, 0.8, 2) * size
        radii = rng.uniform(0.08, 0.3, 2) * size
        mask |= ((rows - centre[0]) / radii[0]) ** 2 + ((columns - centre[1]) / radii[1]) ** 2 < 1
    noise = gaussian_filter(rng.standard_normal(size), min(size) / 30)
    smooth = gaussian_filter(mask.astype(float), min(size) / 60) + noise / np.ptp(noise)
    prediction = 255 / (1 + np.exp(-8 * (smooth - 0.5)))
    return prediction.astype(np.uint8), mask.astype(np.uint8) * 255


def score_reference(samples: Sequence[Sample]) -> dict[str, float]:
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # Fmeasure announces its successor
        f = reference.Fmeasure()
    e, s = reference.Emeasure(), reference.Smeasure()
    weighted, mae = reference.WeightedFmeasure(), reference.MAE()
    flags = {'with_dynamic': False, 'with_adaptive': False, 'with_binary': True}
    binary = reference.FmeasureV2(
        {'iou': reference.IOUHandler(**flags), 'ber': reference.BERHandler(**flags)}
    )
    for prediction, mask in samples:
        for measure in (f, e, s, weighted, mae, binary):
            measure.step(prediction, mask)
    f_result, e_result = f.get_results()['fm'], e.get_results()['em']
    return {
        'max_f': f_result['curve'].max(),
        'mean_f': f_result['curve'].mean(),
        'adp_f': f_result['adp'],
        'weighted_f': weighted.get_results()['wfm'],
        's_measure': s.get_results()['sm'],
        'max_e': e_result['curve'].max(),
        'mean_e': e_result['curve'].mean(),
        'adp_e': e_result['adp'],
        'mae': mae.get_results()['mae'],
        'iou': binary.get_results()['iou']['binary'],
        'ber': binary.get_results()['ber']['binary'],
    }


def score_ours(samples: Sequence[Sample]) -> dict[str, float]:
    evaluator = SaliencyEvaluator()
    for prediction, mask in samples:
        evaluator.step(prediction, mask)
    return evaluator.results()


def time_per_image(score: Scorer, samples: Sequence[Sample]) -> float:
    start = time.perf_counter()
    score(samples)
    return (time.perf_counter() - start) / len(samples)


def main() -> None:
    parser = argparse.ArgumentParser(description='Time the measures beside PySODMetrics.')
    parser.add_argument('--size', nargs=2, type=int, action='append', metavar=('HEIGHT', 'WIDTH'))
    parser.add_argument('--images', type=int, default=8)
    parser.add_argument('--repeats', type=int, default=5)
    arguments = parser.parse_args()
    print(f'Python {platform.python_version()}, numpy {np.__version__}, scipy {scipy.__version__}')
    for height, width in arguments.size or [(256, 192), (300, 400), (768, 1024)]:
        samples = [make_sample((height, width), seed) for seed in range(arguments.images)]
        expected, found = score_reference(samples), score_ours(samples)
        difference = max(abs(expected[key] - found[key]) for key in expected)
        # Taking turns spreads whatever else the machine does over both sides.
        times = [
            (time_per_image(score_reference, samples), time_per_image(score_ours, samples))
            for _ in range(arguments.repeats)
        ]
        theirs, ours = (statistics.median(column) for column in zip(*times, strict=True))
        print(
            f'{width}x{height}: pysodmetrics {1000 * theirs:.1f} ms, sod_plugins '
            f'{1000 * ours:.1f} ms an image, ratio of medians {theirs / ours:.2f}, largest '
            f'difference {difference:.1e}'
        )


if __name__ == '__main__':
    main()
