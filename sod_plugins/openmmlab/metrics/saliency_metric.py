"""Saliency measures as an mmengine metric."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger
from numpy.typing import NDArray
from torch import Tensor

from sod_plugins._common.names import ProtocolName
from sod_plugins.data import DataError, read_mask, save_png
from sod_plugins.metrics import ImageScores, SaliencyEvaluator
from sod_plugins.networks import to_uint8
from sod_plugins.registry import METRICS


@METRICS.register_module()
class SaliencyMetric(BaseMetric):
    """Scores saliency maps against the mask files, at the size of the masks.

    A data sample provides its probabilities as ``seg_logits`` (1, H, W) at the size of the original
    image, as predicted by ``SaliencySegmentor`` and, for one channel, by mmseg's ``EncoderDecoder``
    (despite the host's name, they are after the sigmoid), and the path of its mask as
    ``seg_map_path``. The map is truncated to 8 bits first, like saved maps, so that the numbers
    equal those of ``sod eval`` on the saved maps.

    The results are ``saliency/max_f`` and so on, fractions from 0 to 1: the keys of
    ``sod_plugins.metrics.MEASURES``. The protocol is logged with them.

    Args:
        protocol: The name of an evaluation protocol in ``sod_plugins.metrics.PROTOCOLS``.
        out_dir: Folder for the maps (``maps/<stem>.png``), the measures and curves of the data set
            (``measures.json``) and the measures of each image (``per_image.csv``); None saves
            nothing.
        collect_device: The device (``'cpu'`` or ``'gpu'``) for exchanging scores between processes.
        prefix: Prefix of the names of the measures.
        measures: Keys of the measures to compute; ``'all'`` and ``'default'`` stand for several. By
            default the usual ones, and those registered by modules of ``custom_imports``.
        output_dir: The hosts' name for ``out_dir``, which their ``tools/test.py --out`` sets.
        format_only: Whether only to save the maps, in ``output_dir``, without measuring; masks need
            not exist then.
        keep_results: Whether to keep saved maps, which is always done; the hosts set it.

    Raises:
        ValueError: The protocol or a measure is unknown, ``format_only`` lacks a folder, or a map
            is not finite.
        DataError: A mask cannot be read or differs in size from its map, or two images with the
            same stem would be saved under one name.
    """

    default_prefix = 'saliency'

    def __init__(
        self,
        protocol: ProtocolName = 'pysodmetrics',
        out_dir: str | Path | None = None,
        collect_device: str = 'cpu',
        prefix: str | None = None,
        measures: Sequence[str] | None = None,
        output_dir: str | Path | None = None,
        format_only: bool = False,
        keep_results: bool = True,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self._evaluator = SaliencyEvaluator(protocol, measures)
        folder = out_dir or output_dir
        if format_only and folder is None:
            raise ValueError('SaliencyMetric with format_only=True saves maps: give output_dir.')
        self.out_dir = None if folder is None else Path(folder)
        self.format_only = format_only
        self._image_of: dict[str, str] = {}

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        """Score one batch of predictions, and save its maps."""
        for sample in data_samples:
            stem = Path(sample['img_path']).stem
            levels = to_uint8(_saliency_map(sample, stem))
            if self.out_dir is not None:
                self._save(self.out_dir / 'maps', levels, stem, sample['img_path'])
            if not self.format_only:
                self._evaluator.step(levels, _mask(sample), stem)
        self.results += self._evaluator.per_image
        self._evaluator.per_image.clear()

    def compute_metrics(self, results: list[ImageScores]) -> dict[str, float]:
        """Average the scores of all processes, and save the measures and curves."""
        if self.format_only:
            self._image_of.clear()
            return {}
        evaluator = SaliencyEvaluator(self._evaluator.protocol.name, self._evaluator.measures)
        evaluator.per_image += results
        evaluation = evaluator.evaluation()
        MMLogger.get_current_instance().info(
            f'Saliency measures of {evaluation.count} images, protocol {evaluation.protocol}'
        )
        self._image_of.clear()
        if self.out_dir is not None:
            evaluation.write_json(self.out_dir / 'measures.json')
            evaluation.write_per_image_csv(self.out_dir / 'per_image.csv')
        return evaluation.measures

    def _save(self, folder: Path, levels: NDArray[np.uint8], stem: str, image: str) -> None:
        other = self._image_of.setdefault(stem, image)
        if other != image:
            raise DataError(
                f"'{other}' and '{image}' have the same stem, so their maps would have one name. "
                'Test them separately.'
            )
        save_png(folder / f'{stem}.png', levels)


def _mask(sample: dict[str, Any]) -> NDArray[np.float32]:
    """Return the mask (H, W) loaded by the pipeline, or else that of the file."""
    if 'gt_sem_seg' in sample:
        mask: NDArray[np.float32] = sample['gt_sem_seg']['data'][0].float().cpu().numpy()
        if mask.shape == tuple(sample['ori_shape']):
            return mask
    return read_mask(sample['seg_map_path'], sample.get('exif', 'apply'))


def _saliency_map(sample: dict[str, Any], stem: str) -> Tensor:
    """Return the probabilities (H, W) of a data sample."""
    saliency = sample['seg_logits']['data'].squeeze(0).float().cpu()
    if not torch.isfinite(saliency).all():
        raise ValueError(
            f"The saliency map of '{stem}' has values that are not finite: the weights diverged "
            "(lower the learning rate) or BatchNorm's statistics are those of an untrained net."
        )
    # Interpolation may overshoot [0, 1] by rounding.
    return saliency.clamp(0, 1)
