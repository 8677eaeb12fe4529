"""The data set of images and salient instances."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from mmengine.logging import print_log

from sod_plugins._common.declarations import passes_on
from sod_plugins.data import annotations_by_image, list_problems, read_instances
from sod_plugins.openmmlab.datasets.seeded_dataset import SeededDataset
from sod_plugins.registry import DATASETS


@DATASETS.register_module()
@passes_on(SeededDataset)
class SalientInstanceDataset(SeededDataset):
    """Images and salient instances in COCO JSON, for mmdet's transforms and detectors.

    Categories are ignored: every instance has the label 0. All annotations are checked when the
    data set is built; unusable ones are reported, and nothing is silently left out. Images without
    instances are samples too.

    A sample reaches the pipeline in mmdet's form: ``img_path``, ``img_id``, ``height``, ``width``,
    and ``instances``, each a dict of ``bbox`` [x1, y1, x2, y2] in pixels (x2 and y2 exclusive),
    ``bbox_label``, ``mask`` (RLE or polygons) and ``ignore_flag`` (1 for COCO's crowds), as well as
    ``sample_idx`` and the ``rng`` of :class:`SeededDataset`.

    Args:
        ann_file: The annotations, below ``data_root``. Their path is in ``metainfo['ann_file']``,
            where ``SalientInstanceMetric`` finds it.
        data_root: The folder of the data set.
        data_prefix: ``img`` is the image folder below ``data_root``.
        skip_bad: Leave out unusable annotations and images, with a warning that lists them, instead
            of rejecting the data set. ``SalientInstanceMetric`` does the same.

    Raises:
        DataError: The annotations cannot be read, some cannot be used, or an image is missing; one
            message lists all problems.
    """

    METAINFO: ClassVar[dict[str, Any]] = {'classes': ('salient',), 'palette': [(220, 20, 60)]}

    def __init__(
        self,
        ann_file: str | Path,
        data_root: str | Path = '',
        data_prefix: Mapping[str, str] | None = None,
        skip_bad: bool = False,
        **arguments: Any,
    ) -> None:
        self.skip_bad = skip_bad
        self.instances_file = Path(data_root, ann_file)
        self.image_dir = Path(data_root, (data_prefix or {}).get('img', ''))
        super().__init__(str(data_root), **arguments)

    def load_data_list(self) -> list[dict[str, Any]]:
        """Read and check all annotations."""
        left_out: list[str] | None = [] if self.skip_bad else None
        coco = read_instances(self.instances_file, self.image_dir, left_out=left_out)
        if left_out:
            print_log(
                f"{len(left_out)} entries of '{self.instances_file}' were left out:\n"
                f'{list_problems(left_out)}',
                'current',
                logging.WARNING,
            )
        self._metainfo |= {'ann_file': str(self.instances_file), 'skip_bad': self.skip_bad}
        annotations = annotations_by_image(coco)
        return [
            {
                'img_path': str(self.image_dir / image['file_name']),
                'img_id': image['id'],
                'height': image['height'],
                'width': image['width'],
                'instances': [_instance(annotation) for annotation in annotations[image['id']]],
            }
            for image in coco['images']
        ]


def _instance(annotation: Mapping[str, Any]) -> dict[str, Any]:
    left, top, width, height = annotation['bbox']
    return {
        'bbox': [left, top, left + width, top + height],
        'bbox_label': 0,
        'mask': annotation['segmentation'],
        'ignore_flag': int(annotation.get('iscrowd', 0)),
    }
