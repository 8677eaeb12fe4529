"""Register data sets of this package in detectron2's catalog."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.structures import BoxMode

from sod_plugins.data import (
    DataError,
    annotations_by_image,
    find_pairs,
    find_preset,
    list_problems,
    pair_problem,
    read_instances,
    read_size,
)
from sod_plugins.detectron2.adapters import arguments

Record = dict[str, Any]
_CONFIGURED: dict[str, tuple[str, Record]] = {}  # the data sets that configs have registered


def register_saliency_dataset(
    name: str, root: str | Path | None = None, *, preset: str | None = None, **layout: Any
) -> None:
    """Register images and saliency masks of any layout that ``sod_plugins.data`` knows.

    All files are checked when the data set is used. A record has ``file_name``,
    ``sem_seg_file_name``, ``image_id`` (the stem), ``height``, ``width`` and ``exif``.

    Args:
        name: The name in ``DatasetCatalog``.
        root: The folder of the data set.
        preset: The name of a known data set in ``sod_plugins.data.PRESETS``, whose number of
            samples must then be found.
        **layout: See :func:`sod_plugins.data.find_pairs`: ``image_dir``, ``mask_dir``,
            ``list_file``, ``mask_suffix``, ...
    """
    DatasetCatalog.register(name, lambda: saliency_records(root, preset, **layout))
    MetadataCatalog.get(name).set(
        evaluator_type='saliency',
        stuff_classes=['background', 'salient'],
        stuff_colors=[(0, 0, 0), (255, 255, 255)],
        ignore_label=255,
    )


def saliency_records(
    root: str | Path | None = None, preset: str | None = None, **layout: Any
) -> list[Record]:
    """Return the records of a saliency data set; see :func:`register_saliency_dataset`.

    Raises:
        DataError: The data set cannot be used: a file lacks its partner, sizes differ, ...
    """
    pairs = find_pairs(root, **layout)
    if preset is not None and (problem := find_preset(preset).count_problem(len(pairs))):
        raise DataError(problem)
    if problems := [problem for pair in pairs if (problem := pair_problem(pair))]:
        raise DataError(
            f'{len(problems)} of {len(pairs)} pairs cannot be used:\n{list_problems(problems)}'
        )
    records = []
    for pair in pairs:
        height, width = read_size(pair.image, pair.exif)
        records.append(
            {
                'file_name': str(pair.image),
                'sem_seg_file_name': str(pair.mask),
                'image_id': pair.stem,
                'height': height,
                'width': width,
                'exif': pair.exif,
            }
        )
    return records


def register_salient_instances(
    name: str, json_file: str | Path, image_root: str | Path, *, skip_bad: bool = False
) -> None:
    """Register images and salient instances in COCO's JSON, all of one category.

    All annotations are checked when the data set is used. Records are those of detectron2's
    standard, with ``category_id`` 0.

    Args:
        name: The name in ``DatasetCatalog``.
        json_file: The annotations.
        image_root: The folder of the images.
        skip_bad: Whether to leave out annotations and images that cannot be used, with a warning
            that lists them, instead of refusing the data set.
    """
    DatasetCatalog.register(name, lambda: instance_records(json_file, image_root, skip_bad))
    MetadataCatalog.get(name).set(
        evaluator_type='salient_instances',
        thing_classes=['salient'],
        thing_colors=[(220, 20, 60)],
        json_file=str(json_file),
        image_root=str(image_root),
        skip_bad=skip_bad,
    )


def instance_records(
    json_file: str | Path, image_root: str | Path, skip_bad: bool = False
) -> list[Record]:
    """Return the records of instances; see :func:`register_salient_instances`.

    Raises:
        DataError: The annotations cannot be read, or some of them cannot be used, or an image is
            missing; one message names all of them.
    """
    left_out: list[str] | None = [] if skip_bad else None
    coco = read_instances(json_file, image_root, left_out=left_out)
    if left_out:
        logging.getLogger(__name__).warning(
            f"{len(left_out)} entries of '{json_file}' were left out:\n{list_problems(left_out)}"
        )
    annotations = annotations_by_image(coco)
    return [
        {
            'file_name': str(Path(image_root, image['file_name'])),
            'image_id': image['id'],
            'height': image['height'],
            'width': image['width'],
            'annotations': [_annotation(entry) for entry in annotations[image['id']]],
        }
        for image in coco['images']
    ]


def _annotation(entry: Mapping[str, Any]) -> Record:
    return {
        'bbox': entry['bbox'],
        'bbox_mode': BoxMode.XYWH_ABS,
        'category_id': 0,
        'segmentation': entry['segmentation'],
        'iscrowd': int(entry.get('iscrowd', 0)),
    }


def register_configured(entries: Iterable[Mapping[str, Any]]) -> None:
    """Register the data sets that a config lists in ``SOD.DATASETS``.

    What another config has registered by the same name is replaced; what you have registered by it
    yourself is left.

    Args:
        entries: ``cfg.SOD.DATASETS``.

    Raises:
        ValueError: An entry has no name, is of no known kind, or has a wrong argument.
    """
    functions: dict[str, Callable[..., None]] = {
        'saliency': register_saliency_dataset,
        'salient_instances': register_salient_instances,
    }
    for entry in entries:
        given = arguments(entry)
        kind, name = given.pop('kind', None), given.get('name')
        if not isinstance(kind, str) or kind not in functions or not isinstance(name, str):
            raise ValueError(
                f'SOD.DATASETS needs entries with a name and a kind of {sorted(functions)}, got '
                f'{dict(entry)}.'
            )
        if name in DatasetCatalog:
            if _CONFIGURED.get(name) in (None, (kind, given)):
                continue
            DatasetCatalog.pop(name)
            MetadataCatalog.pop(name)  # its values cannot be changed
        try:
            functions[kind](**given)
        except TypeError as error:
            raise ValueError(f"The data set '{name}' of SOD.DATASETS: {error}.") from error
        _CONFIGURED[name] = (kind, given)
