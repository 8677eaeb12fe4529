"""All checks, one after the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sod_plugins.cli.doctor.finding import Finding
from sod_plugins.cli.doctor.folders import check_folders
from sod_plugins.cli.doctor.gpu import check_gpu
from sod_plugins.cli.doctor.hosts import MODULES, check_hosts
from sod_plugins.cli.doctor.models import check_models
from sod_plugins.cli.doctor.packages import (
    REQUIRED,
    check_duplicates,
    check_extras,
    check_opencv,
    check_python,
    check_required,
    installed_versions,
)
from sod_plugins.cli.doctor.predictions import check_predictions
from sod_plugins.cli.doctor.probe import probe


def examine() -> Iterator[Finding]:
    """Examine this installation, and yield each finding as soon as it is known.

    Nothing is downloaded or repaired. It takes some ten seconds, most of them for imports.
    """
    versions = installed_versions()
    yield from check_python()
    probed = probe([*REQUIRED.values(), 'cv2', *MODULES])
    yield from check_required(versions, probed)
    yield from check_duplicates()
    yield check_opencv(versions, probed['cv2'])
    yield from check_gpu(probed['torch'])
    yield from check_hosts(versions, probed)
    yield from check_extras(versions)
    yield from check_folders()
    yield from check_models()
    yield from check_predictions()


def is_healthy(findings: Iterable[Finding]) -> bool:
    """Return whether none of the findings is a problem."""
    return all(finding.status != 'problem' for finding in findings)
