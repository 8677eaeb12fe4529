"""Build backbones by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from sod_plugins._common.choices import require_choice
from sod_plugins.networks.backbones.csnet import CSNetBackbone
from sod_plugins.networks.backbones.efficientnet_lite import EfficientNetLite
from sod_plugins.networks.backbones.mobilenet import MobileNet
from sod_plugins.networks.backbones.resnet import ResNet
from sod_plugins.networks.backbones.samnet import SAMNetBackbone
from sod_plugins.networks.backbones.shufflenet import ShuffleNet
from sod_plugins.networks.backbones.shufflenet_v2 import ShuffleNetV2
from sod_plugins.networks.backbones.vgg import VGG
from sod_plugins.networks.base import Extractor

BACKBONES: dict[str, Callable[..., Extractor]] = {
    'CSNet': CSNetBackbone,
    'EfficientNetLite': EfficientNetLite,
    'MobileNet': MobileNet,
    'ResNet': ResNet,
    'SAMNet': SAMNetBackbone,
    'ShuffleNet': ShuffleNet,
    'ShuffleNetV2': ShuffleNetV2,
    'VGG': VGG,
}
PRESETS: dict[str, dict[str, Any]] = {
    'csnet': {'type': 'CSNet'},
    'efficientnet_lite0': {'type': 'EfficientNetLite', 'variant': 0},
    'mobilenet': {'type': 'MobileNet'},
    'resnet50': {'type': 'ResNet', 'depth': 50},
    'resnet101': {'type': 'ResNet', 'depth': 101},
    'samnet': {'type': 'SAMNet'},
    'shufflenet': {'type': 'ShuffleNet'},
    'shufflenet_v2': {'type': 'ShuffleNetV2'},
    'vgg16': {'type': 'VGG', 'depth': 16},
}


def build_backbone(spec: str | Mapping[str, Any]) -> Extractor:
    """Build a backbone with newly initialised weights.

    Args:
        spec: A name in ``PRESETS``, or ``{'type': ...}`` with a type in ``BACKBONES`` and arguments
            of its class.

    Returns:
        A module that maps normalised images (N, 3, H, W) to a tuple of maps, finest first.

    Raises:
        ValueError: The backbone is unknown, or its class rejects an argument.
    """
    spec = plain_spec(spec)
    if isinstance(spec, str):
        require_choice('backbone', spec, PRESETS)
        spec = PRESETS[spec]
    arguments = dict(spec)
    name = arguments.pop('type', None)
    require_choice('type of the backbone', name, BACKBONES)
    try:
        return BACKBONES[name](**arguments)
    except TypeError as error:
        raise ValueError(f'The backbone {name} cannot be built: {error}.') from error


def plain_spec(spec: str | Mapping[str, Any]) -> str | dict[str, Any]:
    """Convert a spec for :func:`build_backbone` to plain values that a checkpoint can hold.

    Raises:
        ValueError: The spec is neither a name nor a mapping.
    """
    if isinstance(spec, str):
        return spec
    if not isinstance(spec, Mapping):
        raise ValueError(
            f"A backbone is a name such as 'vgg16' or {{'type': ...}} with arguments, got {spec!r}."
        )
    return dict(spec)


def spec_of(backbone: Extractor) -> dict[str, Any]:
    """Return the spec from which :func:`build_backbone` builds a backbone, without defaults.

    Raises:
        ValueError: The class is not in ``BACKBONES``.
    """
    for name, cls in BACKBONES.items():
        if type(backbone) is cls:
            defaults = {k: p.default for k, p in inspect.signature(cls).parameters.items()}
            given = {k: v for k, v in backbone.arguments.items() if v != defaults[k]}
            return {'type': name, **given}
    raise ValueError(
        f'{type(backbone).__name__} is not one of the backbones {", ".join(sorted(BACKBONES))}'
    )
