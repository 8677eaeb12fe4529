"""The GPU: NVIDIA's driver, and whether torch was built for it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from sod_plugins.cli.doctor.finding import Finding, Status
from sod_plugins.cli.doctor.probe import Probed

SECTION = 'GPU'
DRIVER = Path('/proc/driver/nvidia/version')
_ARCHITECTURE = re.compile(r'(?P<kind>sm|compute)_(?P<major>\d+)(?P<minor>\d)[a-z]?$')


def check_gpu(torch: Probed, driver_file: Path = DRIVER) -> Iterator[Finding]:
    """Examine whether torch can use the GPU, if there is one.

    Args:
        torch: The result of importing torch.
        driver_file: The file by which NVIDIA's driver gives its version.
    """
    driver = _driver_version(driver_file)
    yield Finding(SECTION, 'driver', 'ok' if driver else 'note', driver or 'none of NVIDIA')
    if torch.error is not None:
        return
    built_for = torch.facts['built_for']
    if built_for is None:
        advice = 'Install a build of torch for CUDA to compute on the GPU.' if driver else ''
        status: Status = 'problem' if driver else 'ok'
        yield Finding(SECTION, 'CUDA', status, 'torch is built for CPUs only', advice)
        return
    value = f'torch is built for CUDA {built_for}'
    if not driver and not torch.facts['devices']:
        advice = 'Without a GPU, the CPU build of torch is a tenth of its size.'
        yield Finding(SECTION, 'CUDA', 'note', f'{value}, and there is no driver', advice)
        return
    if error := torch.facts['error']:
        advice = 'Install a build of torch for the CUDA of this driver, or a newer driver.'
        yield Finding(SECTION, 'CUDA', 'problem', f'{value}, which fails: {error}', advice)
    elif not torch.facts['devices']:
        advice = 'Check CUDA_VISIBLE_DEVICES, and that nvidia-smi lists the GPU.'
        yield Finding(SECTION, 'CUDA', 'problem', f'{value}, but it finds no device', advice)
    else:
        yield Finding(SECTION, 'CUDA', 'ok', value)
    for index, device in enumerate(torch.facts['devices']):
        major, minor = device['capability']
        value = f'{device["name"]}, compute capability {major}.{minor}'
        if supports(torch.facts['architectures'], major, minor):
            yield Finding(SECTION, f'cuda:{index}', 'ok', value)
        else:
            built = ', '.join(torch.facts['architectures'])
            advice = 'Install a build of torch that supports this device.'
            value = f'{value}, but torch is built for {built}'
            yield Finding(SECTION, f'cuda:{index}', 'problem', value, advice)


def supports(architectures: list[str], major: int, minor: int) -> bool:
    """Return whether a build for architectures runs on a device of a compute capability.

    Machine code (``sm_80``) runs on devices of the same major and no smaller minor version;
    intermediate code (``compute_80``) on all newer ones.
    """
    for text in architectures:
        if match := _ARCHITECTURE.match(text):
            built = int(match['major']), int(match['minor'])
            if built <= (major, minor) and (match['kind'] == 'compute' or built[0] == major):
                return True
    return False


def _driver_version(file: Path) -> str | None:
    try:
        text = file.read_text('utf-8', 'replace')
    except OSError:
        return None
    match = re.search(r'\s(\d+\.[\d.]+)\s', text)
    return match[1] if match else 'of unknown version'
