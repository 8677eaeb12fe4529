"""Whether freed memory is kept is counted in page faults: each new page of the system costs one."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != 'glibc', reason='only glibc is tuned')
CODE = """
import ctypes, resource, sys
ctypes.CDLL(None).prctl(41, 1, 0, 0, 0)  # PR_SET_THP_DISABLE: a huge page is one fault, not 512
from sod_plugins._common.allocator import keep_freed_memory
import numpy as np
{call}
for _ in range(3):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.ones(100_000_000, np.uint8)  # freed at once
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
PAGES = 100_000_000 // os.sysconf('SC_PAGESIZE')


def page_faults(call: str, **variables: str) -> int:
    """Count the page faults of the third of three equal allocations in a process of its own."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(('MALLOC_', 'GLIBC_'))}
    words = [sys.executable, '-c', CODE.format(call=call)]
    run = subprocess.run(words, env={**kept, **variables}, check=True, stdout=subprocess.PIPE)
    return int(run.stdout)


def test_freed_memory_is_used_again():
    assert page_faults('pass') >= PAGES
    assert page_faults('keep_freed_memory()') < PAGES / 100


@pytest.mark.parametrize('variable', ['MALLOC_TRIM_THRESHOLD_', 'MALLOC_MMAP_THRESHOLD_'])
def test_the_users_own_tuning_stays(variable):
    assert page_faults('keep_freed_memory()', **{variable: '131072'}) >= PAGES


@pytest.mark.parametrize('name', ['darwin', 'win32'])
def test_other_systems_are_left_alone(name):
    assert page_faults(f'sys.platform = {name!r}; keep_freed_memory()') >= PAGES
