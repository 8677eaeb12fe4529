"""Measures of salient instances as an mmengine metric."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger

from sod_plugins._common.names import InstanceProtocolName
from sod_plugins.data import (
    OCCLUSION,
    DataError,
    Instances,
    decode_segmentation,
    list_files,
    read_instances,
)
from sod_plugins.data.coco_fields import read_id
from sod_plugins.metrics.average_precision import Kind
from sod_plugins.metrics.instances import KINDS, check_instance_options
from sod_plugins.metrics.tested_instances import score_tested_instances
from sod_plugins.registry import METRICS


@METRICS.register_module()
class SalientInstanceMetric(BaseMetric):
    """Scores predicted instances against COCO JSON, regardless of category.

    A data sample, as predicted by mmdet's detectors, provides ``img_id`` and ``pred_instances``
    with ``scores`` (K,), ``bboxes`` (K, 4) [x1, y1, x2, y2] in pixels of the original image, and
    ``masks``: bool (K, H, W) of the original size, or K COCO RLEs. The scored predictions are those
    that ``out_dir`` saves, so the numbers equal those of ``sod eval-instances`` on the saved file.

    The results are ``instances/mask_ap50`` and so on: see
    ``sod_plugins.metrics.InstanceEvaluation``. The protocol is logged with them.

    Args:
        ann_file: The ground truth; by default that of the ``SalientInstanceDataset`` tested.
        protocol: A name in ``sod_plugins.metrics.INSTANCE_PROTOCOLS``.
        kinds: Whether to compare ``'mask'``, ``'box'`` or both. Boxes alone need no masks.
        occlusion: The overlap of two boxes from which an image counts for ``mask_map_o`` etc.;
            see ``sod_plugins.data.occluded_images``.
        out_dir: Folder for the predictions (``instances.json``, in the format of ``sod predict``)
            and the measures (``measures.json``); None saves nothing.
        collect_device: The device (``'cpu'`` or ``'gpu'``) for exchanging them between processes.
        prefix: Prefix of the names of the measures.

    Raises:
        ValueError: The protocol is unknown, or scores or boxes are not finite.
        DataError: The ground truth cannot be read, or predictions do not match it.
        ImportError: pycocotools is not installed.
    """

    default_prefix = 'instances'

    def __init__(
        self,
        ann_file: str | Path | None = None,
        protocol: InstanceProtocolName = 'coco',
        kinds: Sequence[Kind] = KINDS,
        occlusion: float = OCCLUSION,
        out_dir: str | Path | None = None,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        check_instance_options(protocol, kinds)
        self.ann_file = ann_file
        self.protocol = protocol
        self.kinds = tuple(kinds)
        self.occlusion = occlusion
        self.out_dir = None if out_dir is None else Path(out_dir)

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        """Store the predictions of one batch, with compressed masks."""
        self._ground_truth_file()  # reported before work is lost if it is missing
        for sample in data_samples:
            predicted = sample['pred_instances']
            index = read_id(sample['img_id'])
            self.results.append((index, _entries(predicted, sample, self.kinds)))

    def compute_metrics(self, results: list[Any]) -> dict[str, float]:
        """Measure the predictions of all processes, and save them."""
        skip_bad = bool((self.dataset_meta or {}).get('skip_bad'))
        ground_truth = read_instances(self._ground_truth_file(), left_out=[] if skip_bad else None)
        found = dict(results)
        unknown = found.keys() - {image['id'] for image in ground_truth['images']}
        if unknown:
            raise DataError(
                f"'{self._ground_truth_file()}' has no images of the ids {list_files(unknown)}, "
                'which were tested. Give the ann_file of the data set tested.'
            )
        evaluation = score_tested_instances(
            found,
            ground_truth,
            protocol=self.protocol,
            kinds=self.kinds,
            occlusion=self.occlusion,
            out_dir=self.out_dir,
        )
        MMLogger.get_current_instance().info(evaluation.describe())
        return evaluation.measures

    def _ground_truth_file(self) -> str | Path:
        found = self.ann_file or (self.dataset_meta or {}).get('ann_file')
        if found is None:
            raise ValueError(
                'SalientInstanceMetric does not know the ground truth: test on a '
                "'sod_plugins.SalientInstanceDataset', or give ann_file."
            )
        return found


def _entries(
    predicted: dict[str, Any], sample: dict[str, Any], kinds: Sequence[Kind]
) -> list[dict[str, Any]]:
    """Return the predictions of one image as COCO annotations of the single category."""
    scores, boxes = (torch.as_tensor(predicted[key]).float().cpu() for key in ('scores', 'bboxes'))
    if not (scores.isfinite().all() and boxes.isfinite().all()):
        raise ValueError(
            f"The predictions of '{sample.get('img_path', sample['img_id'])}' are not finite: the "
            'weights diverged. Lower the learning rate.'
        )
    masks = np.zeros((len(scores), 0, 0), dtype=np.bool_)
    if 'mask' in kinds:
        found = predicted.get('masks')
        if found is None or len(found) != len(scores):
            raise ValueError(
                "The predictions have no mask for each score. Set kinds=['box'] if the model "
                'predicts only boxes.'
            )
        if len(found):
            masks = np.stack([_mask(mask) for mask in found])
    labels = np.zeros(len(scores), dtype=np.int64)
    return Instances(boxes.numpy(), masks, scores.numpy(), labels).to_coco()


def _mask(mask: Any) -> Any:
    """Return the pixels (H, W) of an instance, which may be given as RLE."""
    if isinstance(mask, dict):
        return decode_segmentation(mask, tuple(mask['size']))
    return torch.as_tensor(mask).bool().cpu().numpy()
