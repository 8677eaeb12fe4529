"""Environments broken in each way are found; so are sound ones."""

from __future__ import annotations

import sys

import pytest

from sod_plugins.cli.doctor import packages
from sod_plugins.cli.doctor.packages import (
    REQUIRED,
    check_duplicates,
    check_extras,
    check_opencv,
    check_python,
    check_required,
    installed_versions,
    read_extras,
)
from sod_plugins.cli.doctor.probe import Probed

SOUND = {name: '1.0' for name in REQUIRED}
IMPORTED = {module: Probed(version='1.0') for module in REQUIRED.values()}


def install(folder, name, version, requires=()):
    """Write the metadata of a package that is not there."""
    info = folder / f'{name.replace("-", "_")}-{version}.dist-info'
    info.mkdir(parents=True)
    lines = ['Metadata-Version: 2.1', f'Name: {name}', f'Version: {version}']
    lines += [f'Requires-Dist: {line}' for line in requires]
    (info / 'METADATA').write_text('\n'.join([*lines, '']))


def statuses(findings):
    return {finding.name: finding.status for finding in findings}


def test_versions_are_those_of_the_first_folder_on_the_path(tmp_path, monkeypatch):
    install(tmp_path, 'Toy_Package', '7.0')
    install(tmp_path, 'numpy', '99.0')
    monkeypatch.syspath_prepend(str(tmp_path))
    versions = installed_versions()
    assert (versions['toy-package'], versions['numpy']) == ('7.0', '99.0')
    assert versions['torch'].startswith('2.')


def test_two_versions_in_one_folder_are_a_problem(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, 'path', [str(tmp_path)])
    install(tmp_path, 'toy', '1.0')
    assert list(check_duplicates()) == []
    install(tmp_path, 'toy', '2.0')
    (finding,) = check_duplicates()
    assert (finding.name, finding.status) == ('toy', 'problem')
    assert '1.0' in finding.value and '2.0' in finding.value


def test_a_python_too_old():
    assert statuses(check_python())['Python'] == 'ok'
    first, *_ = check_python((3, 9))
    assert (first.status, first.advice) == ('problem', 'Install Python 3.10 or newer.')


def test_requirements_that_are_there_absent_or_broken():
    assert set(statuses(check_required(SOUND, IMPORTED)).values()) == {'ok'}
    broken = IMPORTED | {'PIL': Probed('ImportError: libjpeg.so.8')}
    absent = {name: version for name, version in SOUND.items() if name != 'scipy'}
    broken['scipy'] = Probed("ModuleNotFoundError: No module named 'scipy'")
    findings = {finding.name: finding for finding in check_required(absent, broken)}
    assert [name for name, f in findings.items() if f.status == 'problem'] == ['pillow', 'scipy']
    assert 'ImportError: libjpeg.so.8' in findings['pillow'].value
    assert findings['pillow'].advice.endswith('--force-reinstall pillow==1.0.')
    assert findings['scipy'].advice == 'Run pip install scipy.'


@pytest.mark.parametrize(
    ('versions', 'error', 'status', 'part'),
    [
        ({}, 'No module', 'note', 'not installed'),
        ({'opencv-python': '4.12'}, None, 'ok', 'opencv-python 4.12'),
        ({'opencv-python': '4.12', 'opencv-python-headless': '4.12'}, None, 'note', 'share files'),
        ({'opencv-python': '4.12', 'opencv-python-headless': '4.10'}, None, 'problem', 'overwrite'),
        ({'opencv-contrib-python': '4.12'}, 'libGL.so.1', 'problem', 'libGL.so.1'),
    ],
)
def test_opencv(versions, error, status, part):
    finding = check_opencv(versions, Probed(error))
    assert finding.status == status
    assert part in finding.value


def test_extras_are_resolved_and_compared():
    lines = [
        'torch',
        "onnxruntime; extra == 'fast'",
        'zlib-ng ; extra == "fast"',
        'onedl-mmengine (>=0.10) ; extra == "onedl"',
        'sod-plugins[onedl] ; extra == "onedl-det"',
        'Onedl_MMDetection>=3.5 ; extra == "onedl-det"',
        'mmengine ; extra == "openmmlab"',
        'pytest ; extra == "dev"',
    ]
    extras = read_extras(lines)
    assert extras['onedl-det'] == ['onedl-mmengine', 'onedl-mmdetection']
    assert extras['fast'] == ['onnxruntime', 'zlib-ng']
    versions = {'onnxruntime': '1', 'onedl-mmengine': '1', 'onedl-mmdetection': '3'}
    findings = {finding.name: finding for finding in check_extras(versions, lines)}
    assert findings.keys() == {'fast', 'onedl', 'onedl-det', 'openmmlab'}
    assert findings['onedl-det'].status == 'ok'
    assert findings['fast'].value == 'incomplete, without zlib-ng'
    assert findings['fast'].advice == "pip install 'sod-plugins[fast]' adds it."
    # Never advise the second line beside the first.
    assert (findings['openmmlab'].status, findings['openmmlab'].advice) == ('note', '')


def test_extras_of_a_checkout_that_is_not_installed(monkeypatch):
    def absent(name):
        raise packages.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(packages.metadata, 'requires', absent)
    (finding,) = check_extras({})
    assert (finding.status, finding.value) == ('note', 'not installed, run from a folder')
