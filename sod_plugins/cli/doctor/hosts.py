"""The hosts: which line of OpenMMLab is installed, compiled operators, and detectron2."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sod_plugins.cli.doctor.finding import Finding, Status
from sod_plugins.cli.doctor.packages import Versions, check_import
from sod_plugins.cli.doctor.probe import Probed

SECTION = 'hosts'
# Project of the onedl line, project of the upstream line, module.
OPENMMLAB = (
    ('onedl-mmengine', 'mmengine', 'mmengine'),
    ('onedl-mmcv', 'mmcv', 'mmcv'),
    ('onedl-mmsegmentation', 'mmsegmentation', 'mmseg'),
    ('onedl-mmdetection', 'mmdet', 'mmdet'),
)
LITE_MMCV = 'mmcv-lite'  # upstream's mmcv without operators, as a package of its own
OPS = 'mmcv.ops'
MODULES = (*(module for _, _, module in OPENMMLAB), OPS, 'detectron2', 'torchvision')


def check_hosts(versions: Versions, probed: Mapping[str, Probed]) -> Iterator[Finding]:
    """Examine the hosts.

    Args:
        versions: The installed packages.
        probed: The results of importing ``MODULES``.
    """
    yield from _check_lines(versions)
    for ours, upstream, module in OPENMMLAB:
        project = ours if ours in versions else upstream
        if module == 'mmcv' and project not in versions and LITE_MMCV in versions:
            project = LITE_MMCV
        finding = check_import(SECTION, project, versions, probed[module])
        is_there = finding.value != 'not installed'
        yield finding if is_there else Finding(SECTION, module, 'note', 'not installed')
        if module == 'mmcv' and is_there and probed[module].error is None:
            yield _check_ops(versions, probed)
    yield check_import(SECTION, 'detectron2', versions, probed['detectron2'])
    yield _check_torchvision(versions, probed['torchvision'])


def _check_lines(versions: Versions) -> Iterator[Finding]:
    """Find packages of both lines, which overwrite each other's files."""
    both = [
        f'{ours} beside {upstream if upstream in versions else LITE_MMCV}'
        for ours, upstream, module in OPENMMLAB
        if ours in versions
        and (upstream in versions or (module == 'mmcv' and LITE_MMCV in versions))
    ]
    lines = {
        'onedl': [ours for ours, _, _ in OPENMMLAB if ours in versions],
        'openmmlab': [name for _, name, _ in OPENMMLAB if name in versions],
    }
    found = [line for line, projects in lines.items() if projects]
    if len(found) == 2:
        mixed = ', '.join(both) or ', '.join(name for names in lines.values() for name in names)
        advice = (
            'The two lines share their modules. Uninstall all of these packages, and install one '
            'line again.'
        )
        yield Finding(SECTION, 'line', 'problem', f'both at once: {mixed}', advice)
    elif found:
        yield Finding(SECTION, 'line', 'ok', found[0])
    if LITE_MMCV in versions and 'mmcv' in versions:
        advice = 'Uninstall both, and install mmcv again.'
        yield Finding(SECTION, LITE_MMCV, 'problem', 'beside mmcv', advice)


def _check_ops(versions: Versions, probed: Mapping[str, Probed]) -> Finding:
    """Examine mmcv's compiled operators, which only mmdet's models need."""
    name, ops = 'mmcv.ops', probed[OPS]
    if ops.error is None:
        cuda = ops.facts.get('cuda', 'not available')
        has_gpu = bool(probed['torch'].facts.get('devices')) if 'torch' in probed else False
        if cuda == 'not available':
            advice = 'Compile it where CUDA is installed to use it on the GPU.' if has_gpu else ''
            return Finding(SECTION, name, 'note' if has_gpu else 'ok', 'compiled for CPUs', advice)
        return Finding(SECTION, name, 'ok', f'compiled for CUDA {cuda}')
    needed = any(project in versions for project in ('onedl-mmdetection', 'mmdet'))
    advice = (
        "mmdet's models need them: compile mmcv as in docs/installation.md."
        if needed
        else "Only mmdet's models need them."
    )
    status: Status = 'problem' if needed else 'note'
    if 'undefined symbol' in ops.error:
        status = 'problem'
        advice = 'It was compiled against another torch: build it again with --no-cache-dir.'
    return Finding(SECTION, name, status, f'no compiled operators: {ops.error}', advice)


def _check_torchvision(versions: Versions, probed: Probed) -> Finding:
    """Examine torchvision, which nothing here needs, but which breaks hosts if it does not fit."""
    finding = check_import(SECTION, 'torchvision', versions, probed)
    if finding.status != 'problem':
        return finding
    advice = 'It was built for another torch, and nothing here needs it: uninstall it.'
    return Finding(SECTION, 'torchvision', 'problem', finding.value, advice)
