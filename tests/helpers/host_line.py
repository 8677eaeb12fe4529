"""Which of the two lines of OpenMMLab packages the tests run with."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

HOSTS = {
    'onedl': ('onedl-mmengine', 'onedl-mmcv', 'onedl-mmsegmentation', 'onedl-mmdetection'),
    'openmmlab': ('mmengine', 'mmcv', 'mmsegmentation', 'mmdet'),
}


def host_line() -> str | None:
    """Return the name of the installed line, or None without a host."""
    return next((line for line, hosts in HOSTS.items() if _version(hosts[0])), None)


def host_versions() -> dict[str, str]:
    """Return the versions of the hosts that are installed."""
    projects = HOSTS.get(host_line() or '', ())
    return {project: found for project in projects if (found := _version(project))}


def _version(project: str) -> str | None:
    try:
        return version(project)
    except PackageNotFoundError:
        return None
