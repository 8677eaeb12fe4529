"""Measures of salient instances regardless of category, from files or entries to numbers."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sod_plugins._common.choices import require_choice
from sod_plugins._common.names import INSTANCE_PROTOCOLS, OCCLUSION, InstanceProtocolName
from sod_plugins._common.writing import write_text
from sod_plugins.data import DataError, list_files, list_problems
from sod_plugins.data.coco_fields import (
    read_box,
    read_field,
    read_id,
    read_last_name,
    read_score,
    shown,
)
from sod_plugins.data.instance_reading import read_instances, read_json_file, read_shape
from sod_plugins.data.instances import Coco
from sod_plugins.data.occlusion import occluded_images
from sod_plugins.metrics.average_precision import Kind, coco_measures, per_image_measures

KINDS: tuple[Kind, ...] = ('mask', 'box')
_OCCLUDED = ('map', 'ap50', 'ap70')

Prediction = dict[str, Any]


@dataclass(frozen=True)
class InstanceEvaluation:
    """The measures of a data set.

    Attributes:
        measures: The values by name: ``mask_`` or ``box_`` followed by a name from
            ``coco_measures`` or ``per_image_measures``. Names that end in ``_o`` cover only the
            images with occlusion, if there are any.
        protocol: Name of the protocol.
        images: Number of images measured.
        instances: Number of ground-truth objects, without crowds.
        predictions: Number of predictions scored.
        occlusion: An image counts as occluded if two of its boxes overlap by at least this much.
        occluded_images: Number of images with occlusion.
        left_out: The entries that could not be used, each with the reason.
    """

    measures: dict[str, float]
    protocol: str
    images: int
    instances: int
    predictions: int
    occlusion: float
    occluded_images: int
    left_out: list[str] = field(default_factory=list)

    def describe(self) -> str:
        """Summarise in one line what was measured and how."""
        return (
            f'Instances of {self.images} images ({self.instances} objects, {self.predictions} '
            f'predictions), protocol {self.protocol}; with occlusion (boxes share '
            f'{self.occlusion:g} of the smaller one): {self.occluded_images} images'
        )

    def table(self) -> str:
        """Return the measures as a table in Markdown: one row for masks and one for boxes."""
        kinds = list(dict.fromkeys(name.partition('_')[0] for name in self.measures))
        first = f'{kinds[0]}_'
        columns = [name.removeprefix(first) for name in self.measures if name.startswith(first)]
        rows = [
            [kind, *(f'{self.measures[f"{kind}_{column}"]:.4f}' for column in columns)]
            for kind in kinds
        ]
        rule = ['---', *['---:'] * len(columns)]
        return ''.join(f'| {" | ".join(row)} |\n' for row in (['', *columns], rule, *rows))

    def write_json(self, path: str | Path) -> None:
        """Write everything as JSON, with the measures at the top level."""
        write_text(path, self.to_json())

    def to_json(self) -> str:
        """Return the JSON text that ``write_json`` writes."""
        record = asdict(self)
        record = {**record.pop('measures'), **record}
        return json.dumps(record, indent=2) + '\n'


def check_instance_options(protocol: str, kinds: Sequence[str]) -> None:
    """Check the options of :func:`score_instances`, before there is anything to score.

    Raises:
        ValueError: The protocol is unknown, or the kinds are not some of ``KINDS``.
    """
    require_choice('protocol', protocol, INSTANCE_PROTOCOLS)
    if isinstance(kinds, str) or not kinds:
        raise ValueError(f'kinds must be a list of {list(KINDS)}, got {kinds!r}.')
    for kind in kinds:
        require_choice('kinds', kind, KINDS)


def score_instances(
    predictions: str | Path | Sequence[Prediction],
    ground_truth: str | Path | Coco,
    *,
    protocol: InstanceProtocolName = 'coco',
    kinds: Sequence[Kind] = KINDS,
    occlusion: float = OCCLUSION,
    images: Collection[int | str] | None = None,
    skip_bad: bool = False,
) -> InstanceEvaluation:
    """Measure predicted instances, regardless of category.

    Args:
        predictions: The ``instances.json`` of ``sod predict`` or a COCO result list, as a file or
            as entries with ``image_id``, ``score`` and ``segmentation``. A missing ``bbox`` is
            taken from the mask. If only boxes are compared, ``segmentation`` may be missing.
        ground_truth: A COCO JSON file, or what ``read_instances`` returned.
        protocol: ``'coco'``, or ``'s4net'`` for the mean over images as in S4Net's published code
            (masks only).
        kinds: Whether to compare masks, boxes or both.
        occlusion: The threshold of ``occluded_images`` for the measures under occlusion.
        images: The ids of the images to measure; by default all.
        skip_bad: Leave out unusable entries of either file and list them in ``left_out``, instead
            of rejecting the file.

    Raises:
        DataError: A file or entry cannot be used (the message lists all), or the ground truth
            holds no instance.
        ValueError: The protocol is unknown, or a threshold is out of range.
        ImportError: pycocotools is not installed.
    """
    check_instance_options(protocol, kinds)
    left_out: list[str] | None = [] if skip_bad else None
    if isinstance(ground_truth, dict):
        coco = ground_truth
    else:
        coco = read_instances(ground_truth, left_out=left_out)
    source = ''
    if isinstance(predictions, str | Path):
        source = f"'{predictions}': "
        predictions = read_predictions(predictions, coco)
    predictions = _complete(predictions, coco, kinds, left_out, source)
    chosen = {image['id'] for image in coco['images']}
    if images is not None:
        chosen &= set(images)
    objects = [a for a in coco['annotations'] if a['image_id'] in chosen and not a.get('iscrowd')]
    if not objects:
        raise DataError('The ground truth holds no instance, so there is nothing to measure.')
    occluded = chosen & occluded_images(coco, occlusion).keys()
    measures: dict[str, float] = {}
    for kind in kinds if protocol == 'coco' else ('mask',):
        for part, suffix in ((chosen, ''), (occluded, '_o')):
            if not part:
                continue
            if protocol == 'coco':
                values = coco_measures(predictions, coco, kind, part)
            else:
                values = per_image_measures(predictions, coco, part)
            names = _OCCLUDED if suffix else values
            measures |= {f'{kind}_{name}{suffix}': values[name] for name in names}
    scored = sum(prediction['image_id'] in chosen for prediction in predictions)
    return InstanceEvaluation(
        measures,
        protocol,
        len(chosen),
        len(objects),
        scored,
        occlusion,
        len(occluded),
        left_out or [],
    )


def evaluate_instances(
    ground_truth: str | Path | Coco,
    predictions: str | Path | Sequence[Prediction],
    **options: Any,
) -> InstanceEvaluation:
    """Call ``score_instances`` with the two files in reverse order; an older name."""
    return score_instances(predictions, ground_truth, **options)


def read_predictions(path: str | Path, ground_truth: Coco) -> list[Prediction]:
    """Read predicted instances and assign them the image ids of the ground truth.

    A COCO result list already has these ids. The output of ``sod predict`` names the image files
    instead, which are matched by name without folders.

    Raises:
        DataError: The file cannot be read, has neither form, or lacks images of the ground truth.
    """
    content = read_json_file(path, 'the predictions')
    entries = content.get('annotations') if isinstance(content, dict) else content
    if not isinstance(entries, list):
        raise DataError(
            f"'{path}' holds no predictions. Give COCO's list of results, or what sod predict "
            'wrote.'
        )
    for place, entry in enumerate(entries):
        if not isinstance(entry, dict):
            raise DataError(
                f"'{path}': prediction {place} is {shown(entry)}, not an object with named fields."
            )
    if not isinstance(content, dict):
        return entries
    return _pair_by_name(path, content.get('images', []), entries, ground_truth)


def _pair_by_name(
    path: str | Path, images: Any, entries: list[Prediction], ground_truth: Coco
) -> list[Prediction]:
    """Assign the ids of the ground truth's images; drop predictions for other images."""
    try:
        named = {read_id(image['id']): read_last_name(image) for image in images}
        used = [(named.get(read_id(entry.get('image_id'))), entry) for entry in entries]
    except (ValueError, TypeError, KeyError) as error:
        reason = f'it lacks {error}' if isinstance(error, KeyError) else str(error)
        raise DataError(
            f"'{path}' does not say which image each prediction is of: {reason}."
        ) from error
    id_of = {read_last_name(image): image['id'] for image in ground_truth['images']}
    if len(id_of) < len(ground_truth['images']):
        raise DataError(
            'Images of the ground truth have the same name in different folders, so predictions '
            "by name cannot be told apart. Give COCO's list of results."
        )
    missing = sorted(id_of.keys() - set(named.values()))
    if missing:
        raise DataError(f"'{path}' lacks images of the ground truth: {list_files(missing)}.")
    return [{**entry, 'image_id': id_of[name]} for name, entry in used if name in id_of]


def _complete(
    predictions: Iterable[Prediction],
    ground_truth: Coco,
    kinds: Sequence[Kind],
    left_out: list[str] | None,
    source: str,
) -> list[Prediction]:
    """Check predictions and add missing boxes; leave out or reject the bad ones."""
    sizes = {image['id']: (image['height'], image['width']) for image in ground_truth['images']}
    complete, problems = [], []
    for position, prediction in enumerate(predictions):
        try:
            complete.append(_complete_one(prediction, sizes, kinds))
        except ValueError as error:
            problems.append(f'prediction {position}: {error}.')
    if left_out is not None:
        left_out += problems
    elif problems:
        raise DataError(
            f'{source}{len(problems)} predictions cannot be scored:\n{list_problems(problems)}'
        )
    return complete


def _complete_one(
    prediction: Prediction, sizes: Mapping[int | str, tuple[int, int]], kinds: Sequence[Kind]
) -> Prediction:
    image = read_field(prediction, 'image_id', read_id)
    if image not in sizes:
        raise ValueError(f'the ground truth has no image with its image_id {shown(image)}')
    score = read_score(prediction)
    box = None if prediction.get('bbox') is None else read_box(prediction['bbox'])
    found = {**prediction, 'image_id': image, 'score': score, 'bbox': box}
    if 'mask' in kinds or box is None:
        found |= read_shape(prediction.get('segmentation'), sizes[image], box, empty=True)
    return found
