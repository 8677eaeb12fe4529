"""Train a model from a config: python tools/train.py CONFIG [options]."""

from __future__ import annotations

import sys

if __name__ == '__main__':
    try:
        from sod_plugins.openmmlab.commands import train_command
    except ModuleNotFoundError as error:
        print(f"train.py: error: {error}: pip install 'sod-plugins[onedl]'", file=sys.stderr)
        sys.exit(2)
    sys.exit(train_command())
