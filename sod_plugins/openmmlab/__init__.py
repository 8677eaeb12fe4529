"""Adapter for mmengine, mmseg and mmdet; importing it registers all that the installed hosts allow.

A role folder whose host does not import is left out, and each of its public names is registered as
a stand-in that says which extra to install when a config asks for it: an absent host must not take
the rest of the package down.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import NoReturn

from sod_plugins.registry import MODELS, TRANSFORMS

# Role folders that need nothing but mmengine.
MMENGINE_ROLES = (
    'datasets',
    'datasets.samplers',
    'hooks',
    'metrics',
    'models.backbones',
    'models.classifiers',
    'models.losses',
    'optim',
)
# The others: registry of their names, host module that must import, extra that brings it.
HOSTED_ROLES = {
    'datasets.packing': (TRANSFORMS, 'mmseg.models', 'onedl'),
    'datasets.transforms': (TRANSFORMS, 'mmcv.transforms', 'onedl'),
    'models.decode_heads': (MODELS, 'mmseg.models', 'onedl'),
    'models.dense_heads': (MODELS, 'mmdet.models', 'onedl-det'),
    'models.detectors': (MODELS, 'mmdet.models', 'onedl-det'),
    'models.mask_heads': (MODELS, 'mmdet.models', 'onedl-det'),
    'models.necks': (MODELS, 'mmdet.models', 'onedl-det'),
    'models.roi_extractors': (MODELS, 'mmdet.models', 'onedl-det'),
    'models.segmentors': (MODELS, 'mmseg.models', 'onedl'),
}


def _public_names(role: str) -> list[str]:
    """Read ``__all__`` of a role folder that cannot be imported."""
    source = Path(__file__).parent.joinpath(*role.split('.'), '__init__.py').read_text('utf-8')
    return next(
        ast.literal_eval(statement.value)
        for statement in ast.parse(source).body
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets) == '__all__'
    )


def _stand_in(name: str, host: str, extra: str, cause: Exception) -> Callable[..., NoReturn]:
    def build(*_: object, **__: object) -> NoReturn:
        raise ImportError(
            f'sod_plugins.{name} needs {host}, which does not import ({cause}): '
            f"run pip install 'sod-plugins[{extra}]'."
        ) from cause

    return build


for _role in MMENGINE_ROLES:
    import_module(f'{__name__}.{_role}')
for _role, (_registry, _host, _extra) in HOSTED_ROLES.items():
    try:
        import_module(_host)
    except Exception as error:  # not only ImportError: hosts also assert versions of each other
        for _name in _public_names(_role):
            _registry.register_module(_name, module=_stand_in(_name, _host, _extra, error))
    else:
        import_module(f'{__name__}.{_role}')
