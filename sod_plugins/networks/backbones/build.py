"""Backbones by name, for networks that take any of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sod_plugins.networks.backbones.csnet import CSNetExtractor
from sod_plugins.networks.backbones.efficientnet_lite import EfficientNetLite
from sod_plugins.networks.backbones.mobilenet import MobileNet
from sod_plugins.networks.backbones.resnet import ResNet
from sod_plugins.networks.backbones.samnet import SAMNetBackbone
from sod_plugins.networks.backbones.shufflenet import ShuffleNet
from sod_plugins.networks.backbones.shufflenet_v2 import ShuffleNetV2
from sod_plugins.networks.backbones.vgg import VGG
from sod_plugins.networks.base import Extractor

# The types are those of the registered adapters, without their prefix.
BACKBONES: dict[str, Callable[..., Extractor]] = {
    'CSNet': CSNetExtractor,
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
ADAPTER_ARGUMENTS = {'frozen_stages', 'norm_eval', 'init_cfg'}


def build_backbone(spec: str | Mapping[str, Any]) -> Extractor:
    """Build a backbone with fresh weights.

    Args:
        spec: A name in ``PRESETS``, or ``{'type': ...}`` with a type in ``BACKBONES`` and arguments
            of that class.

    Returns:
        A module that maps normalised images (N, 3, H, W) to a tuple of maps, finest first.

    Raises:
        ValueError: If there is no such backbone, or its class refuses an argument.
    """
    spec = plain_spec(spec)
    if isinstance(spec, str):
        if spec not in PRESETS:
            raise ValueError(f'There is no backbone {spec!r}; known are {sorted(PRESETS)}.')
        spec = PRESETS[spec]
    arguments = dict(spec)
    name = arguments.pop('type', None)
    if name not in BACKBONES:
        raise ValueError(f'There is no type of backbone {name!r}; known are {sorted(BACKBONES)}.')
    try:
        return BACKBONES[name](**arguments)
    except TypeError as error:
        raise ValueError(f'The backbone {name} cannot be built: {error}.') from error


def plain_spec(spec: str | Mapping[str, Any]) -> str | dict[str, Any]:
    """Return what :func:`build_backbone` takes as values that a checkpoint can hold.

    Raises:
        ValueError: If it is neither a name nor a mapping.
    """
    if isinstance(spec, str):
        return spec
    if not isinstance(spec, Mapping):
        raise ValueError(
            f"A backbone is a name such as 'vgg16' or {{'type': ...}} with arguments, got {spec!r}."
        )
    return dict(spec)


def backbone_spec(config: Mapping[str, Any]) -> dict[str, Any]:
    """Turn the config of a registered backbone into what :func:`build_backbone` takes.

    Args:
        config: For instance ``dict(type='sod_plugins.VGG', depth=16, frozen_stages=1)``; what
            concerns training alone is dropped.

    Raises:
        ValueError: If it is no backbone of this package.
    """
    name = str(config.get('type'))
    plain = name.removeprefix('sod_plugins.')
    if plain == name or plain not in BACKBONES:
        raise ValueError(f'{name} is none of the backbones {sorted(BACKBONES)} of sod_plugins')
    arguments = {k: v for k, v in config.items() if k not in ADAPTER_ARGUMENTS}
    return {**arguments, 'type': plain}
