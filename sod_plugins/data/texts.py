"""Read text files that accompany images: lists, labels and keywords."""

from __future__ import annotations

from pathlib import Path

from sod_plugins._common.reading import read_text, why
from sod_plugins.data.errors import DataError


def read_lines(path: Path, role: str) -> list[str]:
    """Read the lines of a text file in UTF-8 or UTF-16.

    Args:
        path: The file.
        role: What the file is, for messages.

    Raises:
        DataError: The file cannot be read.
    """
    try:
        return read_text(path).splitlines()
    except OSError as error:
        raise DataError(f"Cannot read the {role} '{path}': {why(error)}. Correct the path.") from (
            error
        )
    except ValueError as error:
        raise DataError(f'Cannot read the {role}: {error}') from error
