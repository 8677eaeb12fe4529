"""Test by a config of OpenMMLab or detectron2: python tools/test.py CONFIG CHECKPOINT [options]."""

from __future__ import annotations

import sys

from sod_plugins.cli.train_test import run_host_command

if __name__ == '__main__':
    try:
        status = run_host_command('test_command', sys.argv[1:], 'test.py')
    except ImportError as error:
        print(f'test.py: error: {error}', file=sys.stderr)
        status = 2
    sys.exit(status)
