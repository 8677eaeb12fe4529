from __future__ import annotations

import pytest

from sod_plugins.cli.doctor.gpu import check_gpu, supports
from sod_plugins.cli.doctor.probe import Probed

DRIVER = 'NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19 01:15:15 UTC 2023'
H100 = {'name': 'H100', 'capability': [9, 0]}


def examine(tmp_path, driver, **facts):
    file = tmp_path / 'version'
    if driver:
        file.write_text(DRIVER)
    facts = {'built_for': '12.8', 'devices': [], 'error': None, 'architectures': [], **facts}
    return {finding.name: finding for finding in check_gpu(Probed(facts=facts), file)}


@pytest.mark.parametrize(
    ('driver', 'facts', 'status', 'part'),
    [
        (False, {'built_for': None}, 'ok', 'CPUs only'),
        (True, {'built_for': None}, 'problem', 'CPUs only'),
        (False, {}, 'note', 'there is no driver'),
        (True, {}, 'problem', 'finds no device'),
        (True, {'error': 'driver is too old'}, 'problem', 'driver is too old'),
        (True, {'devices': [H100], 'architectures': ['sm_90']}, 'ok', 'CUDA 12.8'),
    ],
)
def test_driver_and_build(tmp_path, driver, facts, status, part):
    findings = examine(tmp_path, driver, **facts)
    assert (findings['CUDA'].status, part in findings['CUDA'].value) == (status, True)
    value = '535.104.05' if driver else 'none of NVIDIA'
    assert findings['driver'].value == value


def test_a_device_that_the_build_does_not_support(tmp_path):
    findings = examine(tmp_path, True, devices=[H100], architectures=['sm_70', 'sm_80'])
    assert findings['cuda:0'].status == 'problem'
    assert 'H100, compute capability 9.0, but torch is built for sm_70' in findings['cuda:0'].value
    findings = examine(tmp_path, True, devices=[H100], architectures=['sm_90'])
    assert findings['cuda:0'].status == 'ok'


@pytest.mark.parametrize(
    ('built', 'capability', 'expected'),
    [
        (['sm_80'], (8, 6), True),
        (['sm_86'], (8, 0), False),
        (['sm_80'], (9, 0), False),
        (['compute_80'], (9, 0), True),
        (['sm_90a'], (9, 0), True),
        (['sm_100', 'sm_120'], (12, 0), True),
        ([], (8, 0), False),
    ],
)
def test_architectures(built, capability, expected):
    assert supports(built, *capability) == expected


def test_without_torch_only_the_driver_is_told(tmp_path):
    findings = list(check_gpu(Probed('ModuleNotFoundError'), tmp_path / 'none'))
    assert [finding.name for finding in findings] == ['driver']
