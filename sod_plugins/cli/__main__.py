"""``python -m sod_plugins.cli`` is ``sod``."""

import sys

from sod_plugins.cli import main

sys.exit(main())
