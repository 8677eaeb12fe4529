"""What refining a map by the CRF costs, and how far it is from the exact updates, in one run.

    python benchmarks/crf.py [--repeats 5]

Maps are blurred masks of synthetic scenes. The exact mean field takes all pairs of pixels in
double precision, which only small images allow; there both sides are timed and compared. One
thread; processor time.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from sod_plugins.data import draw_scene
from sod_plugins.networks import DenseCRF

Arrays = tuple[np.ndarray, np.ndarray]


def make_input(size: tuple[int, int], seed: int) -> Arrays:
    """Draw a photo and a soft map that is wrong by some pixels at its edges."""
    scene = draw_scene(np.random.default_rng(seed), size)
    blurred = gaussian_filter(scene.mask / np.float32(255), min(size) / 15)
    return scene.image, 0.1 + 0.8 * blurred


def exact(image: np.ndarray, saliency: np.ndarray, crf: DenseCRF) -> np.ndarray:
    """Take the mean-field updates with all pairs of pixels."""
    rows, columns, _ = image.shape
    grid = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing='ij')
    positions = torch.stack(grid, -1).reshape(-1, 2).double()
    colours = torch.from_numpy(image.reshape(-1, 3)).double()

    def kernel(features: torch.Tensor) -> torch.Tensor:
        values = torch.cdist(features, features).square().div(-2).exp()
        root = values.sum(1).sqrt()
        return values / root[:, None] / root

    edges = crf.smoothness_weight * kernel(positions / crf.theta_gamma)
    appearance = torch.cat((positions / crf.theta_alpha, colours / crf.theta_beta), 1)
    edges += crf.appearance_weight * kernel(appearance)
    belief = torch.from_numpy(saliency.reshape(-1)).double()
    log_odds = belief.logit()
    for _ in range(crf.iterations):
        belief = (log_odds + edges @ (2 * belief - 1)).sigmoid()
    return belief.reshape(rows, columns).numpy()


def seconds(function: Callable[[Arrays], np.ndarray], inputs: list[Arrays]) -> float:
    times = []
    for arrays in inputs:
        start = time.process_time()
        function(arrays)
        times.append(time.process_time() - start)
    return statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split('\n\n')[0])
    parser.add_argument('--repeats', type=int, default=5, help='scenes of each size')
    args = parser.parse_args()
    torch.set_num_threads(1)
    crf = DenseCRF()
    for height, width in ((48, 64), (192, 256), (300, 400), (768, 1024)):
        inputs = [make_input((height, width), seed) for seed in range(args.repeats)]
        spent = seconds(lambda arrays: crf.refine(*arrays), inputs)
        print(f'{width}x{height}: {1000 * spent:.0f} ms a map')
        if height * width > 4096:
            continue
        slow = seconds(lambda arrays: exact(*arrays, crf), inputs)
        errors = [np.abs(crf.refine(*arrays) - exact(*arrays, crf)) for arrays in inputs]
        print(
            f'    exact {1000 * slow:.0f} ms; difference {np.mean(errors):.4f} on average, '
            f'{np.max(errors):.2f} at most'
        )


if __name__ == '__main__':
    main()
