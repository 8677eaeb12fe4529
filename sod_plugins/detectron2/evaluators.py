"""The measures of this package as evaluators of detectron2."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from detectron2.data import MetadataCatalog
from detectron2.evaluation import DatasetEvaluator
from detectron2.utils import comm
from torch import Tensor

from sod_plugins._common.names import InstanceProtocolName, ProtocolName
from sod_plugins.data import (
    OCCLUSION,
    DataError,
    Instances,
    read_image,
    read_instances,
    read_mask,
    save_png,
)
from sod_plugins.detectron2.adapters import arguments
from sod_plugins.inference.dense_crf import DenseCRF
from sod_plugins.metrics import SaliencyEvaluator as Scores
from sod_plugins.metrics.average_precision import Kind
from sod_plugins.metrics.instances import KINDS, check_instance_options
from sod_plugins.metrics.tested_instances import score_tested_instances
from sod_plugins.networks import to_uint8
from sod_plugins.visualization.instance_overlays import SHOWN, draw_instances
from sod_plugins.visualization.overlays import tint_saliency

Results = OrderedDict[str, dict[str, float]]


class SaliencyEvaluator(DatasetEvaluator):
    """Scores saliency maps against the mask files, at the masks' own size.

    An output has ``saliency`` (H, W) in [0, 1]; or ``sem_seg``, logits (1, H, W) of a saliency head
    in detectron2's ``SemanticSegmentor``. The map is truncated to 8 bits first, as saved maps are,
    so that the numbers equal those of ``sod eval`` on the folder of saved maps.

    The results are ``{'saliency': {'max_f': ...}}``, fractions from 0 to 1.

    Args:
        protocol: The name of an evaluation protocol in ``sod_plugins.metrics.PROTOCOLS``.
        measures: Keys of the measures, ``'all'`` and ``'default'`` for several; by default the
            usual ones.
        output_dir: Where to save the maps (``maps/<stem>.png``), ``measures.json`` and
            ``per_image.csv``; None saves nothing.
        show_dir: Where to save the images tinted by their maps (``<stem>.png``); None saves none.
        crf: Arguments of the :class:`sod_plugins.inference.dense_crf.DenseCRF` that refines the
            maps first, by the image; None leaves them as they are.

    Raises:
        ImportError: The library of the CRF is not installed.
        ValueError: There is no such protocol or measure, or a map is not finite.
        DataError: A mask cannot be read or has another size than its map, or two images with the
            same stem would be saved under one name.
    """

    def __init__(
        self,
        protocol: ProtocolName = 'pysodmetrics',
        measures: Sequence[str] | None = None,
        output_dir: str | Path | None = None,
        show_dir: str | Path | None = None,
        crf: Mapping[str, Any] | None = None,
    ) -> None:
        self._scores = Scores(protocol, measures)
        self.output_dir, self.show_dir = _folder(output_dir), _folder(show_dir)
        self.crf = None if crf is None else DenseCRF(**arguments(crf))
        self._image_of: dict[str, str] = {}

    def reset(self) -> None:
        """Discard the scores."""
        self._scores.per_image.clear()
        self._image_of.clear()

    def process(
        self, inputs: Sequence[Mapping[str, Any]], outputs: Sequence[Mapping[str, Any]]
    ) -> None:
        """Score the results of some samples, and save their maps."""
        for sample, output in zip(inputs, outputs, strict=True):
            path, exif = Path(sample['file_name']), sample.get('exif', 'apply')
            saliency = _saliency_of(output, path)
            if self.crf is not None:
                refined = self.crf.refine(read_image(path, exif), saliency.numpy())
                saliency = torch.from_numpy(refined).clamp(0, 1)
            levels = to_uint8(saliency)
            self._save(path, exif, saliency, levels)
            self._scores.step(levels, read_mask(sample['sem_seg_file_name'], exif), path.stem)

    def _save(self, path: Path, exif: Any, saliency: Tensor, levels: Any) -> None:
        """Save the map of an image and the image tinted by it, if requested."""
        if self.output_dir is None and self.show_dir is None:
            return
        other = self._image_of.setdefault(path.stem, str(path))
        if other != str(path):
            raise DataError(
                f"'{other}' and '{path}' have the same stem, so their maps would have one name. "
                'Test them separately.'
            )
        if self.output_dir is not None:
            save_png(self.output_dir / 'maps' / f'{path.stem}.png', levels)
        if self.show_dir is not None:
            tinted = tint_saliency(read_image(path, exif), saliency.numpy())
            save_png(self.show_dir / f'{path.stem}.png', tinted)

    def evaluate(self) -> Results | None:
        """Average the scores of all processes; in the main one, return and save them."""
        gathered = comm.gather(self._scores.per_image)
        if not comm.is_main_process():
            return None
        whole = Scores(self._scores.protocol.name, self._scores.measures)
        whole.per_image += [scores for part in gathered for scores in part]
        evaluation = whole.evaluation()
        logging.getLogger(__name__).info(
            f'Saliency measures of {evaluation.count} images, protocol {evaluation.protocol}'
        )
        if self.output_dir is not None:
            evaluation.write_json(self.output_dir / 'measures.json')
            evaluation.write_per_image_csv(self.output_dir / 'per_image.csv')
        return OrderedDict(saliency=dict(evaluation.measures))


def _saliency_of(output: Mapping[str, Any], path: Path) -> Tensor:
    """Return the saliency (H, W) in an output."""
    if 'saliency' in output:
        saliency = output['saliency'].float().cpu()
    elif len(output['sem_seg']) == 1:
        saliency = output['sem_seg'][0].float().sigmoid().cpu()
    else:
        raise ValueError(
            "SaliencyEvaluator scores an output's 'saliency', or a 'sem_seg' of one channel."
        )
    if not saliency.isfinite().all():
        raise ValueError(
            f"The saliency map of '{path}' has values that are not finite: the weights diverged. "
            'Lower the learning rate.'
        )
    return saliency.clamp(0, 1)  # interpolation may overshoot by rounding


class SalientInstanceEvaluator(DatasetEvaluator):
    """Scores predicted instances against COCO's JSON, whatever their category.

    An output has ``instances`` with ``pred_boxes``, ``scores`` and ``pred_masks`` at the size of
    the original image. The results are ``{'instances': {'mask_ap50': ...}}``: see
    ``sod_plugins.metrics.InstanceEvaluation``.

    Args:
        dataset_name: A data set of :func:`~sod_plugins.detectron2.register_salient_instances`,
            whose file is the ground truth.
        ann_file: That file itself, in place of a data set.
        skip_bad: With ``ann_file``: whether entries that cannot be used are left out.
        protocol: A name in ``sod_plugins.metrics.INSTANCE_PROTOCOLS``.
        kinds: What is compared: ``'mask'``, ``'box'`` or both.
        occlusion: Smallest overlap of two boxes with which an image counts for ``mask_map_o`` and
            so on.
        output_dir: Where to save ``instances.json`` and ``measures.json``; None saves nothing.
        show_dir: Where to save the images overlaid with their instances of a score of 0.5 or more
            (``<stem>.png``); None saves none.

    Raises:
        ValueError: There is no such protocol, or scores or boxes are not finite.
        DataError: The ground truth cannot be read, or predictions do not fit it.
        ImportError: pycocotools is not installed.
    """

    def __init__(
        self,
        dataset_name: str | None = None,
        ann_file: str | Path | None = None,
        skip_bad: bool = False,
        protocol: InstanceProtocolName = 'coco',
        kinds: Sequence[Kind] = KINDS,
        occlusion: float = OCCLUSION,
        output_dir: str | Path | None = None,
        show_dir: str | Path | None = None,
    ) -> None:
        if (dataset_name is None) == (ann_file is None):
            raise ValueError('SalientInstanceEvaluator needs either dataset_name or ann_file.')
        if dataset_name is not None:
            metadata = MetadataCatalog.get(dataset_name)
            ann_file, skip_bad = metadata.json_file, metadata.skip_bad
        self.ann_file, self.skip_bad = str(ann_file), skip_bad
        check_instance_options(protocol, kinds)
        self.protocol, self.kinds, self.occlusion = protocol, tuple(kinds), occlusion
        self.output_dir, self.show_dir = _folder(output_dir), _folder(show_dir)
        self._found: dict[Any, list[dict[str, Any]]] = {}

    def reset(self) -> None:
        """Discard the instances."""
        self._found.clear()

    def process(
        self, inputs: Sequence[Mapping[str, Any]], outputs: Sequence[Mapping[str, Any]]
    ) -> None:
        """Keep the instances of some samples, masks compressed."""
        for sample, output in zip(inputs, outputs, strict=True):
            self._found[sample['image_id']] = _entries(
                output['instances'], sample['file_name'], self.kinds
            )
            if self.show_dir is not None:
                path = Path(sample['file_name'])
                overlay = _overlay(read_image(path, sample.get('exif', 'apply')), output, path)
                save_png(self.show_dir / f'{path.stem}.png', overlay)

    def evaluate(self) -> Results | None:
        """Measure the instances of all processes; in the main one, return and save them."""
        gathered = comm.gather(self._found)
        if not comm.is_main_process():
            return None
        found = {image: entries for part in gathered for image, entries in part.items()}
        truth = read_instances(self.ann_file, left_out=[] if self.skip_bad else None)
        evaluation = score_tested_instances(
            found,
            truth,
            protocol=self.protocol,
            kinds=self.kinds,
            occlusion=self.occlusion,
            out_dir=self.output_dir,
        )
        logging.getLogger(__name__).info(evaluation.describe())
        return OrderedDict(instances=dict(evaluation.measures))


def _entries(found: Any, path: str, kinds: Sequence[str]) -> list[dict[str, Any]]:
    """Return the instances of one image as annotations of COCO, of the one category."""
    boxes, scores = found.pred_boxes.tensor.float().cpu(), found.scores.float().cpu()
    if not (scores.isfinite().all() and boxes.isfinite().all()):
        raise ValueError(
            f"The instances of '{path}' are not finite: the weights diverged. Lower the learning "
            'rate.'
        )
    labels = torch.zeros(len(scores), dtype=torch.int64)
    masks = torch.zeros((len(scores), 0, 0), dtype=torch.bool)
    if 'mask' in kinds:
        if not found.has('pred_masks'):
            raise ValueError(
                "The instances have no pred_masks: set kinds=['box'] for a model without masks."
            )
        masks = found.pred_masks.bool().cpu()
    return Instances(boxes.numpy(), masks.numpy(), scores.numpy(), labels.numpy()).to_coco()


def _overlay(image: Any, output: Mapping[str, Any], path: Path) -> Any:
    """Return an image overlaid with the instances of an output."""
    found = output['instances']
    if not found.has('pred_masks'):
        raise ValueError(f"The model finds no masks to draw over '{path}': leave out show_dir.")
    parts = (found.pred_masks.bool(), found.scores.float(), found.pred_boxes.tensor.float())
    masks, scores, boxes = (np.asarray(part.cpu()) for part in parts)
    return draw_instances(image, masks, scores, boxes, SHOWN)


def _folder(path: str | Path | None) -> Path | None:
    return None if path is None else Path(path)
