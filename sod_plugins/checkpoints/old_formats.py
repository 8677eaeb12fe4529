"""Read checkpoints of older versions, which did not contain a description of their network.

This is the only module that knows what OpenMMLab's hosts wrote then: how they name the parts of a
model in a config, which is stored as text, and which prefixes they add to weight names. The few
values needed are parsed from the text as literals; nothing in it is executed.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from sod_plugins.checkpoints.description import (
    Description,
    check_plain,
    check_preprocessing,
    sketching,
)
from sod_plugins.layers.roi_extractors import RoIAlign, RoIMasking, RoIPool
from sod_plugins.networks.backbones import BACKBONES
from sod_plugins.networks.base import DescribedNetwork
from sod_plugins.networks.csnet import CrossStageFusion, CSFDecoder
from sod_plugins.networks.itdbu import ITDBUDecoder
from sod_plugins.networks.picanet import PiCANetDecoder
from sod_plugins.networks.registry import network_of_parts
from sod_plugins.networks.s4net import S4NetFPN, S4NetHead, S4NetMaskBranch
from sod_plugins.networks.samnet import SAMNetDecoder

FORMAT = 'sod_plugins.network/1'
SCOPE = 'sod_plugins.'
DETECTOR, CLASSIFIER = f'{SCOPE}S4Net', f'{SCOPE}ImageClassifier'
# Maps the types in a config to the classes that they build, for each part of a model.
PARTS: dict[str, dict[str, Callable[..., nn.Module]]] = {
    'backbone': {f'{SCOPE}{name}': cls for name, cls in BACKBONES.items()},
    'decode_head': {
        f'{SCOPE}CSFHead': CSFDecoder,
        f'{SCOPE}ITDBUHead': ITDBUDecoder,
        f'{SCOPE}PiCANetHead': PiCANetDecoder,
        f'{SCOPE}SAMNetHead': SAMNetDecoder,
    },
    'neck': {f'{SCOPE}S4NetFPN': S4NetFPN, f'{SCOPE}CSFNeck': CrossStageFusion},
    'bbox_head': {f'{SCOPE}S4NetHead': S4NetHead},
    'roi_extractor': {
        f'{SCOPE}RoIMasking': RoIMasking,
        f'{SCOPE}RoIAlign': RoIAlign,
        f'{SCOPE}RoIPool': RoIPool,
    },
    'mask_head': {f'{SCOPE}S4NetMaskHead': S4NetMaskBranch},
}
PREFIXES = {**{f'{name}.net.': f'{name}.' for name in PARTS}, 'classifier.': 'classifier.'}
# No config of this package comes near; a longer text is meant to exhaust the parser.
LONGEST_CONFIG = 1 << 20


class UndescribedError(ValueError):
    """A checkpoint that does not name its network; the message continues after the file name."""


def read_description(checkpoint: Mapping[str, Any], weights: int) -> Description:
    """Describe the network in a checkpoint of an older version.

    Args:
        checkpoint: The content of the file.
        weights: Number of its weights.

    Raises:
        UndescribedError: The checkpoint does not say which network it holds.
        ValueError: It holds no network of this package; the message continues after the file name.
    """
    if checkpoint.get('format') == FORMAT:
        return _read_network_file(checkpoint)
    meta = checkpoint.get('meta')
    text = meta.get('cfg') if isinstance(meta, Mapping) else None
    if not isinstance(text, str):
        raise UndescribedError(
            'holds weights without a description of their network: it is neither a network file of '
            'this package nor a training checkpoint of one of its networks. Released weights are '
            'converted by `sod convert`; other ones are loaded into a network that you build, and '
            'saved by sod_plugins.networks.save_network.'
        )
    try:
        return _read_training_checkpoint(text, weights)
    except (AttributeError, KeyError, IndexError, TypeError, ValueError) as error:
        reason = f'it holds no {error}' if isinstance(error, KeyError) else error
        raise ValueError(f'is not a checkpoint of a network of this package ({reason})') from error


def plain_names(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return weights without the prefixes that adapters add to their names."""
    pattern = re.compile(rf'^({"|".join(PARTS)})\.net\.')
    return {
        pattern.sub(r'\1.', name).removeprefix('net.'): value for name, value in weights.items()
    }


def _read_network_file(checkpoint: Mapping[str, Any]) -> Description:
    name, arguments = checkpoint.get('network'), checkpoint.get('arguments')
    if not isinstance(name, str) or not isinstance(arguments, dict):
        raise ValueError('has a description of an unknown form')
    preprocessing = check_preprocessing(check_plain(checkpoint.get('preprocessing')))
    return Description(name, check_plain(arguments), preprocessing)


def _read_training_checkpoint(text: str, weights: int) -> Description:
    config = read_config(text, ('model', 'test_dataloader'))
    model = config['model']
    cls, arguments = network_of_config(model, weights)
    resize = 'Resize' if model.get('type') == DETECTOR else f'{SCOPE}ResizeSaliency'
    pipeline = config['test_dataloader']['dataset']['pipeline']
    preprocessing = read_preprocessing(model['data_preprocessor'], pipeline, resize)
    return Description(cls.__name__, arguments, preprocessing, PREFIXES)


def network_of_config(
    model: Mapping[str, Any], weights: int = 10_000
) -> tuple[type[DescribedNetwork], dict[str, Any]]:
    """Return the network class that a model config describes, and its constructor arguments.

    Args:
        model: The config of a segmentor, detector or classifier.
        weights: Approximate number of weights of the network.

    Raises:
        KeyError, TypeError, ValueError: The config describes no network of this package.
    """
    parts, settings = _parts_of(model)
    with sketching(weights):
        built = {name: _build_part(name, check_plain(part)) for name, part in parts.items()}
        if model.get('type') == CLASSIFIER:
            built['classifier'] = nn.Linear(model['in_channels'], model['num_classes'])
        _require_all_maps(built, settings.get('in_index'))
        cls, arguments = network_of_parts(built)
    # Arguments of the network itself, such as how its output is resized.
    own = {k: v for k, v in settings.items() if k in inspect.signature(cls).parameters}
    return cls, {**own, **arguments}


def _require_all_maps(parts: Mapping[str, Any], in_index: Sequence[int] | None) -> None:
    """Reject a decoder that skips maps of its backbone or takes them in another order."""
    decoder = parts.get('decode_head')
    if decoder is None:
        return
    maps = parts['backbone'].out_channels
    in_order = in_index is None or tuple(in_index) == tuple(range(len(maps)))
    if tuple(decoder.arguments['in_channels']) != tuple(maps) or not in_order:
        raise ValueError('its decode head does not take all maps of its backbone in order')


def _parts_of(model: Mapping[str, Any]) -> tuple[dict[str, Any], Mapping[str, Any]]:
    """Return the configs of the parts of a model, and the one with the network's own settings."""
    kind = model.get('type')
    if kind == DETECTOR:
        names = ['backbone', 'neck', 'bbox_head', 'roi_extractor', 'mask_head']
        return {name: model[name] for name in names}, {}
    if kind == CLASSIFIER:
        types = [(model.get(name) or {}).get('type') for name in ('backbone', 'neck')]
        if types != [f'{SCOPE}CSNet', f'{SCOPE}CSFNeck']:
            raise ValueError(f'its model is {kind} of {types[0]} and {types[1]}')
        return {name: model[name] for name in ('backbone', 'neck')}, {}
    backbone, head = model['backbone'], model['decode_head']
    return {'backbone': backbone, 'decode_head': head}, head


def _build_part(name: str, config: Mapping[str, Any]) -> nn.Module:
    """Build the module of a part's config, without the settings that concern only a host."""
    cls = PARTS[name].get(config['type'])
    if cls is None:
        raise ValueError(f'its {name} {config["type"]} is not of this package')
    names = inspect.signature(cls).parameters
    arguments = {key: value for key, value in config.items() if key in names}
    norm = config.get('norm_cfg')
    return cls(**arguments, norm_layer=_norm_layer(norm)) if norm else cls(**arguments)


def _norm_layer(config: Mapping[str, Any]) -> Callable[[int], nn.Module]:
    """Return the constructor of the normalisation in a config."""
    if config['type'] in ('BN', 'SyncBN'):
        return nn.BatchNorm2d
    if config['type'] != 'GN':
        raise ValueError(f'its decode head has the normalisation {config["type"]}, not BN or GN')
    return lambda width: nn.GroupNorm(config['num_groups'], width)


def read_preprocessing(
    preprocessor: Mapping[str, Any], pipeline: Sequence[Mapping[str, Any]], resize: str
) -> Any:
    """Return the preprocessing that a data preprocessor and a test pipeline apply to images.

    Args:
        preprocessor: Its config, or any mapping with ``mean`` and ``std``.
        pipeline: The configs of the test transforms.
        resize: The type of the transform that resizes.
    """
    transform = _resize_of(pipeline, resize)
    return check_preprocessing(
        {
            'size': _input_size(transform),
            'mean': tuple(preprocessor['mean']),
            'std': tuple(preprocessor['std']),
            'antialias': transform.get('antialias', False),
        }
    )


def _resize_of(pipeline: Sequence[Mapping[str, Any]], resize: str) -> Mapping[str, Any]:
    """Return the single transform of a test pipeline that resizes images to a fixed size."""
    resizes = [t for t in pipeline if t['type'] in (resize, f'mmdet.{resize}')]
    if len(resizes) != 1 or resizes[0].get('keep_ratio'):
        raise ValueError(f'its test pipeline has no single {resize} to a fixed size')
    return resizes[0]


def _input_size(transform: Mapping[str, Any]) -> tuple[int, int]:
    """Return the height and width that a transform resizes images to."""
    if 'size' in transform:
        height, width = transform['size']
    else:
        width, height = transform['scale']
    return height, width


def read_config(text: str, names: tuple[str, ...]) -> dict[str, Any]:
    """Evaluate the assignments to some top-level names of a config.

    Raises:
        ValueError: The text is not a config, or a value is not built from literals and ``dict``.
    """
    if len(text) > LONGEST_CONFIG:
        raise ValueError('its config is longer than any')
    try:
        return {
            target.id: _literal(statement.value)
            for statement in ast.parse(text).body
            if isinstance(statement, ast.Assign)
            for target in statement.targets
            if isinstance(target, ast.Name) and target.id in names
        }
    except (MemoryError, RecursionError, SyntaxError) as error:
        raise ValueError('its config cannot be parsed') from error


def _literal(node: ast.expr) -> Any:
    """Evaluate literals, and calls of ``dict`` with keywords."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == 'dict':
        return {k.arg: _literal(k.value) for k in node.keywords}
    if isinstance(node, ast.Dict):
        return {
            ast.literal_eval(k): _literal(v)
            for k, v in zip(node.keys, node.values, strict=True)
            if k
        }
    if isinstance(node, ast.List):
        return [_literal(element) for element in node.elts]
    if isinstance(node, ast.Tuple):
        return tuple(_literal(element) for element in node.elts)
    return ast.literal_eval(node)
