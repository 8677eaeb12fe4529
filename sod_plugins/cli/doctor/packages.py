"""Installed packages: Python, requirements, OpenCV and the extras of this package."""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from importlib import metadata
from pathlib import Path

from sod_plugins import __version__
from sod_plugins.cli.doctor.finding import Finding
from sod_plugins.cli.doctor.probe import Probed

PROJECT = 'sod-plugins'
OLDEST_PYTHON = (3, 10)
REQUIRED = {  # project -> module
    'torch': 'torch',
    'numpy': 'numpy',
    'pillow': 'PIL',
    'safetensors': 'safetensors',
    'scipy': 'scipy',
    'tqdm': 'tqdm',
}
OPENCV = (
    'opencv-python',
    'opencv-python-headless',
    'opencv-contrib-python',
    'opencv-contrib-python-headless',
)
_REQUIREMENT = re.compile(r'(?P<name>[\w.-]+)\s*(?:\[(?P<extras>[^]]*)\])?')
_EXTRA = re.compile(r"""extra\s*==\s*['"](?P<extra>[^'"]+)['"]""")
_HIDDEN_EXTRAS = {'dev'}
# Extra -> a package of the other line, beside which it must not be installed.
OTHER_LINE = {'onedl': 'mmengine', 'onedl-det': 'mmengine', 'openmmlab': 'onedl-mmengine'}

Versions = Mapping[str, str]


def installed_versions() -> dict[str, str]:
    """Return the versions of all installed packages, by their normalised names."""
    versions: dict[str, str] = {}
    for name, version, _ in _distributions():
        versions.setdefault(name, version)  # the first on the path is imported
    return versions


def check_python(version: tuple[int, int] | None = None) -> Iterator[Finding]:
    """Examine Python and this package itself."""
    found = version or sys.version_info[:2]
    value = f'{platform.python_version()}, {sys.executable}'
    if found >= OLDEST_PYTHON:
        yield Finding('Python', 'Python', 'ok', value)
    else:
        least = '.'.join(map(str, OLDEST_PYTHON))
        yield Finding('Python', 'Python', 'problem', value, f'Install Python {least} or newer.')
    value = f'{__version__}, {Path(__file__).parents[2]}'
    yield Finding('Python', 'sod_plugins', 'ok', value)


def check_required(versions: Versions, probed: Mapping[str, Probed]) -> Iterator[Finding]:
    """Examine the packages without which nothing works, and whether each imports."""
    for project, module in REQUIRED.items():
        yield check_import('packages', project, versions, probed[module], 'problem')


def check_import(
    section: str, project: str, versions: Versions, probed: Probed, absent: str = 'note'
) -> Finding:
    """Return whether a package is installed and imports.

    Args:
        section: The section of the finding.
        project: The normalised name of the package.
        versions: The installed packages.
        probed: The result of importing it.
        absent: The status if it is not installed, ``'note'`` or ``'problem'``.
    """
    version = versions.get(project) or (probed.version if probed.error is None else '')
    if not version:
        if absent == 'note':
            return Finding(section, project, 'note', 'not installed')
        return Finding(section, project, 'problem', 'not installed', f'Run pip install {project}.')
    if probed.error is None:
        return Finding(section, project, 'ok', version)
    value = f'{version}, but its import fails: {probed.error}'
    advice = f'Install it again: pip install --force-reinstall {project}=={version}.'
    return Finding(section, project, 'problem', value, advice)


def check_duplicates() -> Iterator[Finding]:
    """Find packages of which one folder holds two versions, as broken installations leave them."""
    seen: dict[tuple[str, Path], str] = {}
    for name, version, folder in _distributions():
        other = seen.setdefault((name, folder), version)
        if other != version:
            value = f'{other} and {version} in {folder}'
            advice = f'Run pip uninstall {name} until none is left, and install it again.'
            yield Finding('packages', name, 'problem', value, advice)


def check_opencv(versions: Versions, probed: Probed) -> Finding:
    """Examine OpenCV, whose four packages overwrite each other's files."""
    found = {name: versions[name] for name in OPENCV if name in versions}
    value = ', '.join(f'{name} {version}' for name, version in found.items())
    again = 'Uninstall all of them, and install one again.'
    if not found:
        return Finding('packages', 'OpenCV', 'note', 'not installed; only the hosts need it')
    if probed.error is not None:
        value = f'{value}: its import fails: {probed.error}'
        return Finding('packages', 'OpenCV', 'problem', value, again)
    if len(set(found.values())) > 1:
        value = f'{value}: of different versions, which overwrite each other'
        return Finding('packages', 'OpenCV', 'problem', value, again)
    if len(found) > 1:
        value = f'{value}: several packages of one version, as imaug installs them, share files'
        advice = 'If you uninstall one of them, install the other again.'
        return Finding('packages', 'OpenCV', 'note', value, advice)
    return Finding('packages', 'OpenCV', 'ok', value)


def check_extras(
    versions: Versions, requirements: Iterable[str] | None = None
) -> Iterator[Finding]:
    """Tell which extras of this package are installed.

    Args:
        versions: The installed packages.
        requirements: The requirements in the metadata of this package.
    """
    if requirements is None:
        try:
            requirements = metadata.requires(PROJECT) or []
        except metadata.PackageNotFoundError:
            advice = 'Run pip install -e . in the checkout to install it.'
            yield Finding('extras', PROJECT, 'note', 'not installed, run from a folder', advice)
            return
    extras = read_extras(requirements)
    for extra, projects in extras.items():
        missing = [name for name in projects if name not in versions]
        if extra in _HIDDEN_EXTRAS:
            continue
        if not missing:
            yield Finding('extras', extra, 'ok', 'installed')
            continue
        partly = f'incomplete, without {", ".join(missing)}'
        value = 'not installed' if len(missing) == len(projects) else partly
        advice = f"pip install '{PROJECT}[{extra}]' adds it."
        if OTHER_LINE.get(extra) in versions:
            value = 'not installed: this environment holds the other line of OpenMMLab'
            advice = ''
        yield Finding('extras', extra, 'note', value, advice)


def read_extras(requirements: Iterable[str]) -> dict[str, list[str]]:
    """Return the packages that each extra brings, its references to other extras resolved."""
    direct: dict[str, list[str]] = {}
    nested: dict[str, list[str]] = {}
    for line in requirements:
        marker, match = _EXTRA.search(line), _REQUIREMENT.match(line)
        if marker is None or match is None:
            continue
        name, extra = normalised(match['name']), marker['extra']
        names = direct.setdefault(extra, [])
        if name == PROJECT:
            nested.setdefault(extra, []).extend(map(str.strip, match['extras'].split(',')))
        else:
            names.append(name)
    return {
        extra: [*(name for other in nested.get(extra, ()) for name in direct[other]), *names]
        for extra, names in direct.items()
    }


def normalised(name: str) -> str:
    """Return the name of a package in the form by which package indices compare names."""
    return re.sub(r'[-_.]+', '-', name).lower()


def _distributions() -> Iterator[tuple[str, str, Path]]:
    """Yield name, version and folder of each installed package."""
    for distribution in metadata.distributions():
        name = distribution.metadata['Name']
        if name:  # none in the remains of a broken installation
            folder = Path(str(distribution.locate_file('')))
            yield normalised(name), distribution.version, folder
