"""Score the instances that a host's test found image by image, and save them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sod_plugins._common.names import InstanceProtocolName
from sod_plugins.data import write_instances
from sod_plugins.data.instances import Coco, add_entries, new_coco
from sod_plugins.metrics.average_precision import Kind
from sod_plugins.metrics.instances import InstanceEvaluation, score_instances


def score_tested_instances(
    found: Mapping[Any, Sequence[Mapping[str, Any]]],
    ground_truth: Coco,
    *,
    protocol: InstanceProtocolName,
    kinds: Sequence[Kind],
    occlusion: float,
    out_dir: Path | None = None,
) -> InstanceEvaluation:
    """Score the instances found in the images that were tested.

    Args:
        found: Annotations of each tested image, as ``Instances.to_coco`` returns them, by the
            image's id in the ground truth.
        ground_truth: What ``read_instances`` returned.
        protocol: See :func:`score_instances`.
        kinds: See :func:`score_instances`.
        occlusion: See :func:`score_instances`.
        out_dir: Folder for ``instances.json``, the annotations that are scored, and
            ``measures.json``; None saves nothing.
    """
    predicted = new_coco()
    for image in ground_truth['images']:
        if image['id'] in found:
            size = image['height'], image['width']
            add_entries(predicted, image['file_name'], size, found[image['id']], image['id'])
    if out_dir is not None:
        write_instances(out_dir / 'instances.json', predicted)
    evaluation = score_instances(
        predicted['annotations'],
        ground_truth,
        protocol=protocol,
        kinds=kinds,
        occlusion=occlusion,
        images=found.keys(),
    )
    if out_dir is not None:
        evaluation.write_json(out_dir / 'measures.json')
    return evaluation
