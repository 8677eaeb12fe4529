"""Find the configs of this package by name, in an installed package or a checkout.

mmengine's own ``package::name`` knows a fixed list of packages, without this one
(``MODULE2PACKAGE`` in ``mmengine/config/utils.py``). A user's config inherits one of these by::

    _base_ = __import__('sod_plugins.configs').configs.config_path('csnet-x1_1xb24-...')
"""

from __future__ import annotations

import difflib
from pathlib import Path

YAML = ('.yaml', '.yml')  # all other configs are Python files
_PACKAGE = Path(__file__).resolve().parent


def config_folder() -> Path:
    """Return the folder of the configs, which has one folder for each method.

    Raises:
        FileNotFoundError: The package was installed without it.
    """
    for folder in (_PACKAGE / '.mim' / 'configs', _PACKAGE.parent / 'configs'):
        if (folder / '_base_').is_dir():
            return folder
    raise FileNotFoundError(f'{_PACKAGE} has no configs. Install the package again.')


def list_configs() -> list[str]:
    """Name the configs, sorted, such as ``'csnet/csnet-x1_1xb24-300e_duts-224x224'``.

    Those of detectron2 are in the folder ``detectron2``, yaml files with their extension.
    """
    folder = config_folder()
    found = (path for pattern in ('*/*.py', '*/*.yaml') for path in folder.glob(pattern))
    paths = (path.relative_to(folder) for path in found)
    return sorted(
        path.as_posix().removesuffix('.py') for path in paths if path.parts[0] != '_base_'
    )


def listed_path(name: str) -> Path:
    """Return the path of a config that :func:`list_configs` names."""
    return config_folder() / (name if name.endswith(YAML) else f'{name}.py')


def find_config(config: str | Path) -> Path:
    """Return the path of a config that a user names: a file, or a name as in :func:`config_path`.

    Raises:
        IsADirectoryError: It is a folder.
        FileNotFoundError: There is neither such a file nor such a name.
    """
    path = Path(config)
    if path.is_dir():
        raise IsADirectoryError(
            f"The config '{config}' is a folder: name a file, or one that sod configs lists."
        )
    return path if path.exists() else Path(config_path(str(config)))


def config_path(name: str) -> str:
    """Return the path of a config of this package.

    Args:
        name: As in :func:`list_configs`, with or without ``.py``. The folder may be left out; of
            two configs with the same name, the one in the folder of its method is then chosen.

    Raises:
        FileNotFoundError: There is no such config; the message has the most similar names.
    """
    wanted = name.removesuffix('.py')
    names = list_configs()
    if found := [known for known in names if wanted in (known, known.partition('/')[2])]:
        # Two hosts' configs may have the same name: choose the one in the folder of its method.
        return str(listed_path(max(found, key=_is_in_folder_of_method)))
    stems = sorted({known.partition('/')[2] for known in names})
    near = difflib.get_close_matches(wanted, names if '/' in wanted else stems, n=3)
    hint = f' Did you mean {", ".join(map(repr, near))}?' if near else ''
    raise FileNotFoundError(
        f"There is no config '{name}': name a file, or one that sod configs lists.{hint}"
    )


def _is_in_folder_of_method(name: str) -> bool:
    """Return whether a config has the name of its folder: ``samnet/samnet_...``."""
    folder, _, stem = name.partition('/')
    return stem.startswith(folder.partition('_')[0])
