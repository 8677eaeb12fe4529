"""The ``sod`` command, run in this process."""

from __future__ import annotations

from sod_plugins.cli import main


def sod(capsys, *words: object) -> tuple[int, str, str]:
    """Run the command; return exit status, standard output and standard error."""
    try:
        status = main([str(word) for word in words])
    except SystemExit as stop:
        status = stop.code
    output = capsys.readouterr()
    return status, output.out, output.err
