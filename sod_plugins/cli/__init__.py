"""The ``sod`` command: one module per subcommand, each calling a function for Python users too.

Exit status: 0 all done; 1 done, but some files could not be used (they are named), or the disk is
full; 2 nothing done; 141 done, but standard output was closed or full; 130 interrupted, 143 ended
by SIGTERM: files written so far are complete.
"""

from __future__ import annotations

import io
import sys
import warnings
from collections.abc import Sequence

from sod_plugins._common.reading import sentence
from sod_plugins._common.signals import interrupt_status, terminable
from sod_plugins._common.writing import is_out_of_space
from sod_plugins.cli.completion import answer, is_asked
from sod_plugins.cli.output import OutputError, discard_output, telling_output
from sod_plugins.cli.parser import build_parser, run_host_verb
from sod_plugins.cli.style import print_error

BROKEN_PIPE = 128 + 13  # the status in a shell of a program ended by SIGPIPE


def main(argv: Sequence[str] | None = None) -> int:
    """Run a subcommand and return the exit status.

    Args:
        argv: The arguments after ``sod``; by default those of the process.
    """
    argv = sys.argv[1:] if argv is None else list(argv)
    if isinstance(sys.stdout, io.TextIOWrapper):  # characters that it cannot encode must not fail
        sys.stdout.reconfigure(errors='backslashreplace')
    warnings.filterwarnings('ignore', module=r'PIL\.')  # they name no file, our errors do
    try:
        with terminable(), telling_output():
            if is_asked():
                answer(build_parser())
            status = run_host_verb(argv)
            if status is None:
                args, unknown = build_parser().parse_known_args(argv)
                if unknown:
                    args.parser.refuse(unknown)
                _import(args.imports)
                status = int(args.run(args))
        return status
    except (OutputError, BrokenPipeError) as error:
        if reason := getattr(error, 'reason', None):
            print(f'sod: all is done, but not printed: {reason}', file=sys.stderr)
        discard_output()
        return BROKEN_PIPE
    except OSError as error:
        print_error(sentence(error))
        return 1 if is_out_of_space(error) else 2  # what was written before is there
    except (ValueError, ImportError) as error:
        print_error(error)
        return 2
    except KeyboardInterrupt as error:
        print('sod: interrupted; what is written is complete', file=sys.stderr)
        return interrupt_status(error)


def _import(sources: Sequence[str]) -> None:
    """Import the user's code, if named."""
    if sources:
        from sod_plugins._common.user_code import import_all_user_code

        import_all_user_code(tuple(sources))
