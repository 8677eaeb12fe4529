"""Finding folders, and the image files in them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from sod_plugins.data.decoding import image_extensions, why_left_out
from sod_plugins.data.errors import DataError, list_files


def image_files(paths: Iterable[Path]) -> list[Path]:
    """Return the visible files with an image extension, sorted."""
    ends = image_extensions()
    return sorted(
        path
        for path in paths
        if path.suffix.lower() in ends and path.name[0] != '.' and path.is_file()
    )


def left_out_files(paths: Iterable[Path]) -> dict[Path, str]:
    """Return the visible images in formats that are not read, each with the reason."""
    reasons = {path: why_left_out(path) for path in sorted(paths) if path.name[0] != '.'}
    return {path: why for path, why in reasons.items() if why is not None and path.is_file()}


def images_in(folder: Path, role: str) -> list[Path]:
    """Return the image files directly in a folder, sorted.

    Raises:
        DataError: The folder does not exist or holds no image.
    """
    require_folder(folder, f'{role} folder')
    files = image_files(folder.iterdir())
    if not files:
        left_out = [f"'{path}' ({why})" for path, why in left_out_files(folder.iterdir()).items()]
        reason = f', but {list_files(left_out)}' if left_out else ''
        raise DataError(
            f"The {role} folder '{folder}' holds no image files{reason}. Put images, such as .png "
            'or .jpg files, directly into it.'
        )
    return files


def require_folder(path: Path, role: str) -> None:
    """Raise ``DataError`` if a path is not a folder; the role names it in the message."""
    if not path.is_dir():
        reason = 'is not a folder' if path.exists() else 'does not exist'
        raise DataError(f"The {role} '{path}' {reason}. Correct the path.")


def require_writable(folder: str | Path) -> None:
    """Check that files can be written to a folder, which need not exist and is not created.

    Raises:
        NotADirectoryError: The folder or one of its parents is a file.
        PermissionError: The folder cannot be written to or created.
    """
    folder = Path(folder)
    nearest = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not nearest.is_dir():
        raise NotADirectoryError(
            f"'{nearest}' is a file, so nothing can be written below it. Name another folder."
        )
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise PermissionError(f"The folder '{nearest}' may not be written to. Name another one.")


def folders_like(root: Path, name: str) -> list[Path]:
    """Find the folders below the root with this relative path, ignoring case."""
    first, _, rest = name.partition('/')
    found = sorted(path for path in root.iterdir() if path.name.lower() == first.lower())
    found = [path for path in found if path.is_dir()]
    return [deeper for path in found for deeper in folders_like(path, rest)] if rest else found
