"""The usual saliency data sets and how many images each has."""

from __future__ import annotations

from dataclasses import dataclass


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
