"""Convert labels to COCO's JSON: ``sod data instances`` where OpenMMLab users look for it."""

from __future__ import annotations

import sys

from sod_plugins.cli import main

if __name__ == '__main__':
    sys.exit(main(['data', 'instances', *sys.argv[1:]]))
