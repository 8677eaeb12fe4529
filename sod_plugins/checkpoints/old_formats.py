"""Checkpoints of mmengine's runner as descriptions of plain networks, without mmengine.

Such a checkpoint holds the text of its config. The few values needed from it are read as literals:
nothing in the text is executed.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sod_plugins.checkpoints.reading import read_checkpoint
from sod_plugins.networks.base import SaliencyNetwork
from sod_plugins.networks.csnet.classifier import CSNetClassifier
from sod_plugins.networks.csnet.csf import CSF
from sod_plugins.networks.csnet.network import CSNet
from sod_plugins.networks.itdbu.network import ITDBU
from sod_plugins.networks.picanet.network import PiCANet
from sod_plugins.networks.preprocessing import Preprocessing
from sod_plugins.networks.s4net.network import S4Net
from sod_plugins.networks.samnet.network import SAMNet

# Which network the types of backbone and decode head make; None is any backbone of this package.
NETWORK_OF_PARTS: dict[tuple[str | None, str], type[SaliencyNetwork]] = {
    ('sod_plugins.CSNet', 'sod_plugins.CSFHead'): CSNet,
    (None, 'sod_plugins.CSFHead'): CSF,
    (None, 'sod_plugins.ITDBUHead'): ITDBU,
    (None, 'sod_plugins.PiCANetHead'): PiCANet,
    (None, 'sod_plugins.SAMNetHead'): SAMNet,
}
DETECTOR = 'sod_plugins.S4Net'
CLASSIFIER = 'sod_plugins.ImageClassifier'
PARTS = 'backbone|decode_head|neck|bbox_head|roi_extractor|mask_head'


def describe_training_checkpoint(checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """Turn a training checkpoint into the content of a self-describing one.

    Raises:
        KeyError, TypeError, SyntaxError, ValueError: If it does not hold such a network.
    """
    config = read_config(checkpoint['meta']['cfg'], ('model', 'test_dataloader'))
    model = config['model']
    if model.get('type') == DETECTOR:
        name, arguments = S4Net.__name__, S4Net.arguments_of_config(model)
        resize = 'Resize'
    else:
        name, arguments = _describe_segmentor(model)
        resize = 'sod_plugins.ResizeSaliency'
    pipeline = config['test_dataloader']['dataset']['pipeline']
    return {
        'network': name,
        'arguments': arguments,
        'preprocessing': read_preprocessing(model, pipeline, resize).to_dict(),
        'state_dict': {plain_key(k): v for k, v in checkpoint['state_dict'].items()},
    }


def read_preprocessing(
    model: Mapping[str, Any], pipeline: Sequence[Mapping[str, Any]], resize: str
) -> Preprocessing:
    """Return what a model's config and a test pipeline do to images, by the name of its resize."""
    transform = _resize_of(pipeline, resize)
    return Preprocessing(
        _input_size(transform),
        tuple(model['data_preprocessor']['mean']),
        tuple(model['data_preprocessor']['std']),
        transform.get('antialias', False),
    )


def _describe_segmentor(model: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the name and arguments of the network in a segmentor's config."""
    backbone, head = model['backbone']['type'], model['decode_head']['type']
    network = NETWORK_OF_PARTS.get((backbone, head)) or NETWORK_OF_PARTS.get((None, head))
    if network is None:
        raise ValueError(f'{backbone} with {head} is none of its networks')
    return network.__name__, network.arguments_of_parts(model['backbone'], model['decode_head'])


def _resize_of(pipeline: Sequence[Mapping[str, Any]], resize: str) -> Mapping[str, Any]:
    """Return the one transform of a test pipeline that resizes images to a fixed size."""
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


def plain_key(key: str) -> str:
    """Drop what the adapters put before the names of the plain network."""
    return re.sub(rf'^({PARTS})\.net\.', r'\1.', key.removeprefix('module.'))


def read_config(text: str, names: tuple[str, ...]) -> dict[str, Any]:
    """Evaluate the assignments to some top-level names of a config."""
    return {
        target.id: _literal(statement.value)
        for statement in ast.parse(text).body
        if isinstance(statement, ast.Assign)
        for target in statement.targets
        if isinstance(target, ast.Name) and target.id in names
    }


def _literal(node: ast.expr) -> Any:
    """Evaluate literals and calls of ``dict`` with keywords."""
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


def load_classifier(path: str | Path) -> CSNetClassifier:
    """Build the classifier in a checkpoint of ``tools/train.py`` and load its weights.

    Returns:
        The classifier in eval mode on the CPU.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it holds no classifier made of a CSNet.
    """
    path = Path(path)
    checkpoint = read_checkpoint(path)
    try:
        config = read_config(checkpoint['meta']['cfg'], ('model', 'test_dataloader'))
        classifier = _build_classifier(config['model'])
        pipeline = config['test_dataloader']['dataset']['pipeline']
        classifier.preprocessing = read_preprocessing(
            config['model'], pipeline, 'sod_plugins.ResizeSaliency'
        )
        weights = {plain_key(key): value for key, value in checkpoint['state_dict'].items()}
        classifier.load_state_dict(weights)
    except (KeyError, TypeError, SyntaxError, ValueError, RuntimeError) as error:
        reason = f'it holds no {error}' if isinstance(error, KeyError) else error
        raise ValueError(
            f'{path} is no checkpoint of a classifier that tools/train.py made of a CSNet and its '
            f'fusion part ({reason}).'
        ) from error
    return classifier.eval()


def _build_classifier(model: Mapping[str, Any]) -> CSNetClassifier:
    parts = model['type'], model['backbone']['type'], (model.get('neck') or {}).get('type')
    if parts != (CLASSIFIER, 'sod_plugins.CSNet', 'sod_plugins.CSFNeck'):
        raise ValueError(f'its model is {" of ".join(map(str, parts))}')
    arguments = CSNet.arguments_of_parts(model['backbone'], model['neck'])
    return CSNetClassifier(CSNet(**arguments), model['num_classes'])
