"""Classification accuracy as an mmengine metric."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger

from sod_plugins.metrics.accuracy import NOWHERE, class_place, topk_accuracy
from sod_plugins.registry import METRICS


@METRICS.register_module()
class AccuracyMetric(BaseMetric):
    """The fraction of images whose class is among the k highest scores.

    A data sample provides ``gt_label`` (1,) and ``pred_score`` (C,), as predicted by
    ``ImageClassifier``. Among equal scores, the class with the lower index comes first. Scores that
    are not finite count as wrong, with a warning: BatchNorm's statistics may need a few more
    epochs.

    The results are ``accuracy/top1`` and so on, fractions from 0 to 1.

    Args:
        topk: The values of k.
        collect_device: The device (``'cpu'`` or ``'gpu'``) for exchanging results between
            processes.
        prefix: Prefix of the names of the measures.

    Raises:
        ValueError: A k is below 1.
    """

    default_prefix = 'accuracy'

    def __init__(
        self,
        topk: Sequence[int] = (1, 5),
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.topk = tuple(topk)
        if not self.topk or min(self.topk) < 1:
            raise ValueError(f'topk must hold numbers from 1, but is {self.topk}.')

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        """Record the rank, from 0, of the class of each image of a batch."""
        for sample in data_samples:
            scores = sample['pred_score'].double().cpu().numpy()
            self.results.append(class_place(scores, int(sample['gt_label'])))

    def compute_metrics(self, results: list[int]) -> dict[str, float]:
        """Compute the accuracies over the images of all processes."""
        failed = results.count(NOWHERE)
        if failed:
            MMLogger.get_current_instance().warning(
                f'The scores of {failed} of {len(results)} images are not finite and are wrong. '
                'If this goes on, the weights diverged: lower the learning rate.'
            )
        return {f'top{k}': topk_accuracy(results, k) for k in self.topk}
