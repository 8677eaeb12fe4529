"""The usual saliency data sets and how many images each has."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from sod_plugins.data.errors import DataError


@dataclass(frozen=True)
class DatasetPreset:
    """What is known about a published data set.

    Attributes:
        title: Its name as papers write it.
        count: How many images with a mask it has.
        note: What to know before using it; may be empty.
    """

    title: str
    count: int
    note: str = ''

    def count_problem(self, count: int) -> str | None:
        """Say what is wrong with a number of pairs; None if it is this data set's."""
        if count == self.count:
            return None
        return (
            f'{self.title} has {self.count} pairs, but {count} were found. Fetch the missing ones, '
            'or leave the preset out for a subset.'
        )


PRESETS: dict[str, DatasetPreset] = {
    'duts-tr': DatasetPreset('DUTS-TR', 10553),
    'duts-te': DatasetPreset('DUTS-TE', 5019),
    'ecssd': DatasetPreset('ECSSD', 1000),
    'pascal-s': DatasetPreset('PASCAL-S', 850, 'masks have grey levels: the share of subjects'),
    'dut-omron': DatasetPreset('DUT-OMRON', 5168),
    'hku-is': DatasetPreset('HKU-IS', 4447),
    'sod': DatasetPreset('SOD', 300),
    'thur15k': DatasetPreset('THUR15K', 6232, 'further images have no mask: name those that do'),
    'msra10k': DatasetPreset('MSRA10K', 10000),
    'judd': DatasetPreset('Judd', 900),
}


def find_preset(name: str) -> DatasetPreset:
    """Return the preset of this name; ``DataError`` names the known ones where there is none."""
    preset = PRESETS.get(name.lower())
    if preset is None:
        near = difflib.get_close_matches(name.lower(), PRESETS, n=1)
        hint = f" Did you mean '{near[0]}'?" if near else ''
        raise DataError(f"No preset is named '{name}'; there are {', '.join(PRESETS)}.{hint}")
    return preset
