"""The ``sod`` command: each verb calls a function that Python users can call too.

Exit status: 0 all done; 1 done, but some files could not be used (they are named); 2 nothing done.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from sod_plugins.cli.parser import build_parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb and return the exit status.

    Args:
        argv: The words after ``sod``; by default those of the process.
    """
    args = build_parser().parse_args(argv)
    try:
        return int(args.run(args))
    except (ValueError, OSError, ImportError) as error:
        print(f'sod: error: {error}', file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print('sod: interrupted; what is written is complete', file=sys.stderr)
        return 130
