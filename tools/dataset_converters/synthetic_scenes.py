"""Write synthetic scenes: ``sod data synth`` in the place where OpenMMLab users look for it."""

from __future__ import annotations

import sys

from sod_plugins.cli import main

if __name__ == '__main__':
    sys.exit(main(['data', 'synth', *sys.argv[1:]]))
