from __future__ import annotations

import numpy as np
import pytest
import torch
from mmengine.logging import MMLogger

from sod_plugins.openmmlab.metrics import AccuracyMetric


def sample(scores, label):
    return {'pred_score': torch.tensor(scores), 'gt_label': torch.tensor([label])}


def test_counts_images_whose_class_is_among_the_best():
    metric = AccuracyMetric(topk=(1, 2, 4))
    metric.process(None, [sample([0.1, 0.7, 0.2], 1), sample([0.1, 0.7, 0.2], 2)])
    metric.process(None, [sample([0.1, 0.7, 0.2], 0), sample([0.6, 0.1, 0.3], 0)])
    assert metric.evaluate(4) == {
        'accuracy/top1': 0.5,
        'accuracy/top2': 0.75,
        'accuracy/top4': 1.0,
    }


def test_equals_sorting():
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 6, (300, 10)) / 10  # many are equal
    labels = rng.integers(0, 10, 300)
    best = np.argsort(-scores, axis=1, kind='stable')
    expected = {
        f'accuracy/top{k}': (best[:, :k] == labels[:, None]).any(axis=1).mean() for k in (1, 3, 5)
    }
    metric = AccuracyMetric(topk=(1, 3, 5))
    metric.process(None, [sample(*pair) for pair in zip(scores.tolist(), labels, strict=True)])
    assert metric.evaluate(300) == pytest.approx(expected)


def test_equal_scores_are_no_success():
    """A network that has collapsed gets the share of one class."""
    metric = AccuracyMetric(topk=(1,))
    metric.process(None, [sample([0.25] * 4, label) for label in range(4)])
    assert metric.evaluate(4) == {'accuracy/top1': 0.25}


def test_what_fills_up_the_last_batch_does_not_count():
    metric = AccuracyMetric(topk=(1,))
    metric.process(None, [sample([0.1, 0.9], 1), sample([0.1, 0.9], 0), sample([0.1, 0.9], 1)])
    assert metric.evaluate(2) == {'accuracy/top1': 0.5}


def test_scores_that_are_not_finite_are_wrong(monkeypatch):
    lines = []
    monkeypatch.setattr(MMLogger, 'warning', lambda self, message, *args: lines.append(message))
    metric = AccuracyMetric(topk=(1, 5))
    diverged = [sample([value, 0.5], 0) for value in (float('nan'), float('inf'))]
    metric.process(None, [*diverged, sample([0.9, 0.1], 0), sample([0.9, 0.1], 0)])
    assert metric.evaluate(4) == {'accuracy/top1': 0.5, 'accuracy/top5': 0.5}
    assert [line[:30] for line in lines] == ['The scores of 2 of 4 images ar']


def test_refuses_nonsense():
    with pytest.raises(ValueError, match=r'topk must hold numbers from 1, but is \(0, 1\)'):
        AccuracyMetric(topk=(0, 1))
