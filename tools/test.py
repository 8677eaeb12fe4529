"""Test a trained checkpoint: python tools/test.py CONFIG CHECKPOINT [options]."""

from __future__ import annotations

import sys

if __name__ == '__main__':
    try:
        from sod_plugins.openmmlab.commands import test_command
    except ModuleNotFoundError as error:
        print(f"test.py: error: {error}: pip install 'sod-plugins[onedl]'", file=sys.stderr)
        sys.exit(2)
    sys.exit(test_command())
