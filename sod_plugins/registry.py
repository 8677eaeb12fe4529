"""This package's nodes in mmengine's registry tree, one per role.

mmengine imports this module by itself on meeting a type that begins with ``sod_plugins.``, and the
first look-up imports :mod:`sod_plugins.openmmlab`, which registers everything: a config needs no
``custom_imports``. Nothing of this package imports this module except the OpenMMLab adapter.
"""

from __future__ import annotations

from mmengine import registry as root
from mmengine.registry import Registry


def _child(parent: Registry) -> Registry:
    return Registry(
        parent.name, parent=parent, scope='sod_plugins', locations=['sod_plugins.openmmlab']
    )


MODELS = _child(root.MODELS)
DATASETS = _child(root.DATASETS)
DATA_SAMPLERS = _child(root.DATA_SAMPLERS)
TRANSFORMS = _child(root.TRANSFORMS)
METRICS = _child(root.METRICS)
HOOKS = _child(root.HOOKS)
OPTIM_WRAPPERS = _child(root.OPTIM_WRAPPERS)
OPTIM_WRAPPER_CONSTRUCTORS = _child(root.OPTIM_WRAPPER_CONSTRUCTORS)
WEIGHT_INITIALIZERS = _child(root.WEIGHT_INITIALIZERS)
PARAM_SCHEDULERS = _child(root.PARAM_SCHEDULERS)
