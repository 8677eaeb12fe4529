"""The results of all shards of one work, joined in their folder."""

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
from sod_plugins.data.instances import add_entries, new_coco
from sod_plugins.inference.manifest import read_manifest, write_manifest
from sod_plugins.inference.shards import INSTANCES, MANIFEST, Shard

_PART = re.compile(rf'{MANIFEST}\.(\d+)-of-(\d+)\.json')
_OF_PARTS = ('shard', 'images', 'unreadable')


@dataclass
class MergedShards:
    """What the shards came to.

    Attributes:
        shards: How many there were.
        images: How many images they had.
        unreadable: Those that could not be read, with the reason.
    """

    shards: int
    images: int = 0
    unreadable: dict[str, str] = field(default_factory=dict)


def merge_shards(out_dir: str | Path) -> MergedShards:
    """Join the records, and the files of instances, that the shards of a work left in a folder.

    Pictures are where they belong already. ``instances.I-of-N.json`` become ``instances.json``, and
    the records ``sod-predict.json``; then the shards' own files are removed.

    Args:
        out_dir: The folder of results.

    Raises:
        OSError: A file cannot be read or written.
        ValueError: There are no shards, one is missing or did not end, or they are not of one work;
            nothing has been changed.
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
    """Return the shards in a folder and their records, checked to be all of one work."""
    found = [_PART.fullmatch(path.name) for path in out_dir.iterdir()]
    counts = {int(match[2]) for match in found if match}
    if not counts:
        raise ValueError(f"'{out_dir}' has no shards: no {MANIFEST}.I-of-N.json is in it.")
    if len(counts) > 1:
        both = ' and '.join(map(str, sorted(counts)))
        raise ValueError(f"'{out_dir}' has shards of works in {both} parts. Remove the older ones.")
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
            f'Shards did not run to their end: {list_files(unfinished)}. Run them again: they go '
            'on where they stopped.'
        )
    for field_name in ('model', 'pictures', 'all_images'):
        if any(record[field_name] != records[0][field_name] for record in records):
            what = {'all_images': 'list of images'}.get(field_name, field_name)
            raise ValueError(f"The shards in '{out_dir}' differ in their {what}: predict anew.")
    return shards, records


def _ended(record: dict[str, Any]) -> bool:
    return 'images' in record and not record.get('overwriting')


def _merge_instances(out_dir: Path, shards: list[Shard]) -> None:
    """Write one file of the instances of all shards."""
    merged, seen = new_coco(), set()
    for shard in shards:
        path = shard.instances(out_dir)
        if not path.exists():  # no image of its could be read
            continue
        part = read_instances(path, predicted=True)
        entries = annotations_by_image(part)
        for image in part['images']:
            name = image['file_name']
            if name in seen:
                raise DataError(f"'{name}' is in two shards of '{out_dir}': predict anew.")
            seen.add(name)
            own = [
                {key: value for key, value in entry.items() if key not in ('id', 'image_id')}
                for entry in entries[image['id']]
            ]
            add_entries(merged, name, (image['height'], image['width']), own)
    write_instances(Shard().instances(out_dir), merged)
