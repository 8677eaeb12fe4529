from __future__ import annotations

import pytest

from sod_plugins.cli.doctor.hosts import MODULES, check_hosts
from sod_plugins.cli.doctor.probe import Probed

ABSENT = {name: Probed(f"ModuleNotFoundError: No module named '{name}'") for name in MODULES}
WORKING = {name: Probed(version='1.0') for name in MODULES}
ONEDL = {'onedl-mmengine': '0.10.12', 'onedl-mmcv': '2.3.6', 'onedl-mmsegmentation': '1.4.2'}
UPSTREAM = {'mmengine': '0.10.7', 'mmcv': '2.1.0', 'mmsegmentation': '1.2.2', 'mmdet': '3.3.0'}
NO_OPS = Probed("ModuleNotFoundError: No module named 'mmcv._ext'")


def examine(versions, **changes):
    probed = {**WORKING, 'torchvision': ABSENT['torchvision'], 'detectron2': ABSENT['detectron2']}
    probed.update({name.replace('__', '.'): value for name, value in changes.items()})
    return {finding.name: finding for finding in check_hosts(versions, probed)}


def problems(findings):
    return {name for name, finding in findings.items() if finding.status == 'problem'}


def test_without_any_host_all_is_well():
    findings = {finding.name: finding for finding in check_hosts({}, ABSENT)}
    assert {finding.status for finding in findings.values()} == {'note'}
    assert {'mmcv', 'mmdet', 'detectron2'} < findings.keys()
    assert 'line' not in findings


@pytest.mark.parametrize(('versions', 'line'), [(ONEDL, 'onedl'), (UPSTREAM, 'openmmlab')])
def test_one_line_is_named(versions, line):
    findings = examine(versions)
    assert (findings['line'].status, findings['line'].value) == ('ok', line)
    assert not problems(findings)


@pytest.mark.parametrize(
    ('extra', 'part'),
    [
        ({'mmcv': '2.1.0'}, 'onedl-mmcv beside mmcv'),
        ({'mmcv-lite': '2.1.0', 'mmengine': '0.10'}, 'onedl-mmcv beside mmcv-lite'),
        ({'mmdet': '3.3.0'}, 'mmdet'),  # a line of its own, which no package of the first shares
    ],
)
def test_both_lines_at_once(extra, part):
    finding = examine({**ONEDL, **extra})['line']
    assert finding.status == 'problem'
    assert finding.value.startswith('both at once')
    assert part in finding.value


def test_mmcv_beside_its_lite_form():
    assert 'mmcv-lite' in problems(examine({'mmcv': '2.1.0', 'mmcv-lite': '2.1.0'}))


def test_mmcv_without_operators_is_wrong_only_where_they_are_needed():
    finding = examine(ONEDL, mmcv__ops=NO_OPS)['mmcv.ops']
    assert (finding.status, 'mmcv._ext' in finding.value) == ('note', True)
    with_detection = {**ONEDL, 'onedl-mmdetection': '3.5.1'}
    finding = examine(with_detection, mmcv__ops=NO_OPS)['mmcv.ops']
    assert finding.status == 'problem'
    assert 'docs/installation.md' in finding.advice


def test_mmcv_compiled_against_another_torch():
    broken = Probed('ImportError: _ext.so: undefined symbol: _ZN3c10')
    finding = examine(ONEDL, mmcv__ops=broken)['mmcv.ops']
    assert (finding.status, 'another torch' in finding.advice) == ('problem', True)


def test_mmcv_compiled_for_cpus_beside_a_gpu():
    for_cpus = Probed(facts={'cuda': 'not available'})
    gpu = Probed(facts={'devices': [{'name': 'GPU', 'capability': [8, 0]}]})
    assert examine(ONEDL, mmcv__ops=for_cpus)['mmcv.ops'].status == 'ok'
    assert examine(ONEDL, mmcv__ops=for_cpus, torch=gpu)['mmcv.ops'].status == 'note'
    for_gpus = Probed(facts={'cuda': '12.8'})
    finding = examine(ONEDL, mmcv__ops=for_gpus, torch=gpu)['mmcv.ops']
    assert (finding.status, finding.value) == ('ok', 'compiled for CUDA 12.8')


def test_hosts_whose_import_fails():
    findings = examine(UPSTREAM, mmseg=Probed('AssertionError: MMCV==3 is incompatible'))
    assert problems(findings) == {'mmsegmentation'}
    assert 'MMCV==3' in findings['mmsegmentation'].value


def test_detectron2_present_and_broken():
    findings = examine({'detectron2': '0.6'}, detectron2=Probed(version='0.6'))
    assert (findings['detectron2'].status, findings['detectron2'].value) == ('ok', '0.6')
    broken = Probed('ImportError: _C.so')
    assert problems(examine({'detectron2': '0.6'}, detectron2=broken)) == {'detectron2'}


def test_a_torchvision_for_another_torch():
    broken = Probed('RuntimeError: operator torchvision::nms does not exist')
    finding = examine({'torchvision': '0.1'}, torchvision=broken)['torchvision']
    assert (finding.status, 'uninstall it' in finding.advice) == ('problem', True)
