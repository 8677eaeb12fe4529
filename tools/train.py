"""Train from a config of OpenMMLab or detectron2: python tools/train.py CONFIG [options]."""

from __future__ import annotations

import sys

from sod_plugins.cli.train_test import run_host_command

if __name__ == '__main__':
    try:
        status = run_host_command('train_command', sys.argv[1:], 'train.py')
    except ImportError as error:
        print(f'train.py: error: {error}', file=sys.stderr)
        status = 2
    sys.exit(status)
