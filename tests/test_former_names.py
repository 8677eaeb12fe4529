"""Names that were replaced by better ones keep working, for code and configs written before."""

from __future__ import annotations

from importlib import import_module

import pytest

from sod_plugins.cli import main
from sod_plugins.data.sampling import SampleIndex

# Module, former name, name.
NAMES = [
    ('sod_plugins.networks', 'CSNetExtractor', 'CSNetBackbone'),
    ('sod_plugins.networks.csnet', 'CSNetExtractor', 'CSNetBackbone'),
    ('sod_plugins.networks.backbones.csnet', 'CSNetExtractor', 'CSNetBackbone'),
    ('sod_plugins.layers', 'SAM', 'StereoscopicAttention'),
    ('sod_plugins.data', 'CODINGS', 'LABEL_FORMATS'),
    ('sod_plugins.data', 'Photo', 'DecodedImage'),
    ('sod_plugins.data', 'read_photo', 'decode_image'),
    ('sod_plugins.inference', 'PictureOptions', 'OutputOptions'),
    ('sod_plugins.data.sampling', 'DrawIndex', 'SampleIndex'),
    ('sod_plugins.data.sampling', 'DrawOrder', 'SampleOrder'),
]
HOST_NAMES = [
    ('sod_plugins.openmmlab.datasets', 'DrawnDataset', 'SeededDataset'),
    ('sod_plugins.openmmlab.datasets.samplers', 'DrawIndex', 'SampleIndex'),
    ('sod_plugins.openmmlab.datasets.samplers', 'DrawSampler', 'ResumableSampler'),
]


@pytest.mark.parametrize(('module', 'former', 'name'), NAMES + HOST_NAMES)
def test_former_names_are_the_same_objects(module, former, name):
    found = import_module(module)
    assert getattr(found, former) is getattr(found, name)


def test_the_former_name_of_the_sampler_builds_it():
    from sod_plugins.openmmlab.datasets.samplers import ResumableSampler
    from sod_plugins.registry import DATA_SAMPLERS

    for name in ('ResumableSampler', 'DrawSampler'):
        config = dict(type=f'sod_plugins.{name}', dataset=range(5), seed=1)
        assert type(DATA_SAMPLERS.build(config)) is ResumableSampler


def test_the_former_name_of_the_epoch_of_an_index():
    assert SampleIndex(5, draw=9, epoch=2).pass_number == 2


def test_the_former_option_of_data_instances(tmp_path, capsys):
    found = []
    for option in ('--label-format', '--coding'):
        words = [
            'data',
            'instances',
            str(tmp_path),
            option,
            'number',
            '-o',
            str(tmp_path / 'a.json'),
        ]
        with pytest.raises(SystemExit):
            main(words)
        found.append(capsys.readouterr().err)
    assert found[0] == found[1]
    assert "argument --label-format/--coding: invalid choice: 'number'" in found[0]
