"""The common saliency data sets and their numbers of images."""

from __future__ import annotations

from dataclasses import dataclass

from sod_plugins._common.choices import require_choice
from sod_plugins.data.errors import DataError


@dataclass(frozen=True)
class DatasetPreset:
    """A published data set.

    Attributes:
        title: Its name as written in papers.
        count: Number of its images that have a mask.
        note: What to know before using it; may be empty.
    """

    title: str
    count: int
    note: str = ''

    def count_problem(self, count: int) -> str | None:
        """Describe a wrong number of pairs; None if it is the number of this data set."""
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
    """Return a preset by name; ``DataError`` lists the known names."""
    return PRESETS[require_choice('preset', name.lower(), PRESETS, DataError)]
