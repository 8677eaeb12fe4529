"""Merge the results of all shards of a job in their folder."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sod_plugins.data import (
    DataError,
    annotations_by_image,
    list_files,
    read_instances,
    write_instances,
)
from sod_plugins.data.instances import add_annotated, new_coco
from sod_plugins.inference.manifest import read_manifest, write_manifest
from sod_plugins.inference.shards import INSTANCES, MANIFEST, Shard

_PART = re.compile(rf'{MANIFEST}\.(\d+)-of-(\d+)\.json')
_OF_PARTS = ('shard', 'images', 'unreadable')


@dataclass
class MergedShards:
    """The merged results.

    Attributes:
        shards: Number of shards.
        images: Number of their images.
        unreadable: The images that could not be read, with the reason.
    """

    shards: int
    images: int = 0
    unreadable: dict[str, str] = field(default_factory=dict)


def merge_shards(out_dir: str | Path) -> MergedShards:
    """Merge the records and instance files that the shards of a job left in a folder.

    Images are already in place. ``instances.I-of-N.json`` are merged into ``instances.json``, and
    the records into ``sod-predict.json``; the files of the shards are then removed.

    Args:
        out_dir: The output folder.

    Raises:
        OSError: A file cannot be read or written.
        ValueError: There are no shards, one is missing or incomplete, or they belong to different
            jobs; nothing has been changed.
    """
    out_dir = Path(out_dir)
    shards, records = _read_parts(out_dir)
    merged = MergedShards(len(shards))
    for record in records:
        merged.images += len(record['images'])
        merged.unreadable.update(record['unreadable'])
    if INSTANCES in records[0]['pictures']:
        _merge_instances(out_dir, shards)
    whole = {name: value for name, value in records[0].items() if name not in _OF_PARTS}
    write_manifest(Shard().manifest(out_dir), whole)
    for shard in shards:
        shard.instances(out_dir).unlink(missing_ok=True)
        shard.manifest(out_dir).unlink()
    return merged


def _read_parts(out_dir: Path) -> tuple[list[Shard], list[dict[str, Any]]]:
    """Return the shards in a folder and their records, checked to belong to one job."""
    if not out_dir.is_dir():
        raise NotADirectoryError(
            f"'{out_dir}' is not a folder. Name the output folder of the shards."
        )
    found = [_PART.fullmatch(path.name) for path in out_dir.iterdir()]
    counts = {int(match[2]) for match in found if match}
    if not counts:
        raise ValueError(f"'{out_dir}' has no shards: no {MANIFEST}.I-of-N.json is in it.")
    if len(counts) > 1:
        both = ' and '.join(map(str, sorted(counts)))
        raise ValueError(f"'{out_dir}' has shards of jobs in {both} parts. Remove the older ones.")
    (count,) = counts
    shards = [Shard(index, count) for index in range(1, count + 1)]
    missing = [f'{s.index}/{count}' for s in shards if not s.manifest(out_dir).is_file()]
    if missing:
        raise ValueError(f'Shards are missing: {list_files(missing)}. Run them first.')
    records = [read_manifest(shard.manifest(out_dir)) for shard in shards]
    unfinished = [
        f'{s.index}/{count}' for s, r in zip(shards, records, strict=True) if not _ended(r)
    ]
    if unfinished:
        raise ValueError(
            f'Shards did not finish: {list_files(unfinished)}. Run them again: they resume where '
            'they stopped.'
        )
    fields = {'model': 'model', 'pictures': 'options', 'all_images': 'list of images'}
    for name, what in fields.items():
        if any(record[name] != records[0][name] for record in records):
            raise ValueError(f"The shards in '{out_dir}' differ in their {what}: predict again.")
    return shards, records


def _ended(record: dict[str, Any]) -> bool:
    return 'images' in record and not record.get('overwriting')


def _merge_instances(out_dir: Path, shards: list[Shard]) -> None:
    """Write the instances of all shards to one file."""
    merged, seen = new_coco(), set()
    for shard in shards:
        path = shard.instances(out_dir)
        if not path.exists():  # none of its images could be read
            continue
        part = read_instances(path, predicted=True)
        entries = annotations_by_image(part)
        for image in part['images']:
            name = image['file_name']
            if name in seen:
                raise DataError(f"'{name}' is in two shards of '{out_dir}': predict again.")
            seen.add(name)
            add_annotated(merged, image, entries[image['id']])
    write_instances(Shard().instances(out_dir), merged)
