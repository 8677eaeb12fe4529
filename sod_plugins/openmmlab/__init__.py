"""Adapters for mmengine, mmseg and mmdet; importing this registers all that the hosts allow.

Every module of the role folders is imported, except those that need a host that cannot be imported.
Each name registered by the latter becomes a stand-in that says which extra to install when a config
uses it: a missing host must not disable the rest of the package.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import NamedTuple, NoReturn

from sod_plugins import registry

ROLES = ('datasets', 'hooks', 'metrics', 'models', 'optim')
ROOT = Path(__file__).parent


class Host(NamedTuple):
    """A package besides mmengine: the module that must import, and the extra that installs it."""

    module: str
    extra: str


# The most demanding first, because an error names only one.
HOSTS = {
    'mmdet': Host('mmdet.models', 'onedl-det'),
    'mmseg': Host('mmseg.models', 'onedl'),
    'mmcv': Host('mmcv.transforms', 'onedl'),
}
_HOST_IMPORT = re.compile(rf'^(?:from|import) ({"|".join(HOSTS)})\b', re.MULTILINE)
_REGISTRATION = re.compile(r'(?P<registry>\w+)\.register_module\((?P<names>\[.*\])?\)')
_OWN_IMPORT = re.compile(rf'^from {re.escape(__name__)}\.(\S+) import', re.MULTILINE)


def modules() -> list[str]:
    """Return the names of the modules of the role folders, relative to this package."""
    paths = (path for role in ROLES for path in sorted((ROOT / role).rglob('*.py')))
    return ['.'.join(p.relative_to(ROOT).with_suffix('').parts) for p in paths if p.stem[0] != '_']


def hosts_of(module: str) -> set[str]:
    """Return the hosts that a module imports, directly or through other modules of this package."""
    source = _source(module)
    through = (hosts_of(other) for other in _OWN_IMPORT.findall(source))
    return set(_HOST_IMPORT.findall(source)).union(*through)


def registered_by(module: str) -> Iterator[tuple[str, str]]:
    """Yield registry and name of each class that a module registers, without importing it."""
    for statement in ast.parse(_source(module)).body:
        if isinstance(statement, ast.ClassDef):
            for decorator in map(ast.unparse, statement.decorator_list):
                if found := _REGISTRATION.fullmatch(decorator):
                    names = ast.literal_eval(found['names'] or repr([statement.name]))
                    yield from ((found['registry'], name) for name in names)


def _source(module: str) -> str:
    path = ROOT.joinpath(*module.split('.'))
    path = path / '__init__.py' if path.is_dir() else path.with_suffix('.py')
    return path.read_text('utf-8')


def _failures() -> dict[str, Exception]:
    """Import the hosts, and return the errors of those that fail."""
    failures = {}
    for name, host in HOSTS.items():
        try:
            import_module(host.module)
        except Exception as error:  # not only ImportError: hosts also assert each other's versions
            failures[name] = error
    return failures


def _stand_in(name: str, host: Host, cause: Exception) -> Callable[..., NoReturn]:
    def build(*_: object, **__: object) -> NoReturn:
        raise ImportError(
            f'sod_plugins.{name} needs {host.module}, which does not import ({cause}): '
            f"run pip install 'sod-plugins[{host.extra}]'."
        ) from cause

    return build


def _register() -> None:
    failures = _failures()
    for module in modules():
        needed = hosts_of(module) if failures else ()
        missing = next((host for host in failures if host in needed), None)
        if missing is None:
            import_module(f'{__name__}.{module}')
            continue
        for role, name in registered_by(module):
            stand_in = _stand_in(name, HOSTS[missing], failures[missing])
            getattr(registry, role).register_module(name, module=stand_in)
    import_module(f'{__name__}.loading')  # registers the reader of checkpoints


_register()
