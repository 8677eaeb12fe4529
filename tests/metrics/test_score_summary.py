"""What an evaluation keeps of its images."""

from __future__ import annotations

import tracemalloc

import numpy as np
from PIL import Image

from sod_plugins.metrics import evaluate_pairs
from sod_plugins.metrics.protocols import get_protocol
from sod_plugins.metrics.registry import find_measures
from sod_plugins.metrics.saliency import ImageScores, ScoreSummary


def test_curves_of_images_are_not_kept():
    measures = find_measures(['mae', 'mean_f'])
    summary = ScoreSummary(get_protocol('pysodmetrics'), measures)
    thresholds = 256

    def add(count):
        for index in range(count):
            curve = np.full(thresholds, (index + 1) / count)
            own = {'mae': index / count, 'mean_f': 0.5}
            summary.add(ImageScores(str(index), own, {'precision': curve, 'recall': curve}))

    add(10)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    add(1000)
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    one_image = 2 * thresholds * 8  # bytes of the two curves
    assert grown < 1000 * one_image / 4
    assert summary.evaluation().count == 1010


def test_images_of_one_name_all_count(tmp_path):
    Image.new('L', (8, 8), 255).save(tmp_path / 'white.png')
    Image.new('L', (8, 8), 0).save(tmp_path / 'black.png')
    white, black = tmp_path / 'white.png', tmp_path / 'black.png'
    found = evaluate_pairs([('a', white, white), ('a', black, white)], progress=False)
    assert found.count == 2 and found.measures['mae'] == 0.5
