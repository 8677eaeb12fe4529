from __future__ import annotations

import os
import select
import signal
import subprocess
import sys

import pytest

from sod_plugins._common.workers import process_pool

PARENT = """
import os, sys, time
from sod_plugins._common.workers import process_pool

if __name__ == '__main__':
    with process_pool(2) as pool:
        pids = {pool.submit(os.getpid).result() for _ in range(4)}
        futures = [pool.submit(time.sleep, 600) for _ in range(2)]
        print(*(pid for pid in pool._processes), flush=True)
        sys.stdin.read()
"""


def test_no_workers_is_no_pool():
    with process_pool(0) as pool:
        assert pool is None


def test_workers_compute_and_a_killed_one_is_named():
    with (
        pytest.raises(ChildProcessError, match='worker processes was killed'),
        process_pool(1) as pool,
    ):
        assert list(pool.map(abs, [-1, 2])) == [1, 2]
        pool.submit(os.kill, pool.submit(os.getpid).result(), signal.SIGKILL).result()


def test_workers_end_with_a_parent_that_is_killed(tmp_path):
    (tmp_path / 'parent.py').write_text(PARENT)
    words = [sys.executable, str(tmp_path / 'parent.py')]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        workers = [os.pidfd_open(int(pid)) for pid in process.stdout.readline().split()]
        process.kill()
    assert len(workers) == 2
    for worker in workers:
        ended, _, _ = select.select([worker], [], [], 60)
        os.close(worker)
        assert ended, 'a worker lives on'
