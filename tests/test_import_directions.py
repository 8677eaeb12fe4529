"""The package's imports point one way only, and its inner part never meets a host.

Two stairs on one floor, ``_common``: ``data -> metrics -> visualization``, without torch, and
``ops -> {layers, transforms} -> networks -> checkpoints -> {optim, analysis} -> zoo -> inference ->
{serve, openmmlab, detectron2} -> cli``, which may use the first from ``optim`` upwards and in
``transforms``. Read an arrow as "may be imported by".
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import sod_plugins

PACKAGE = Path(sod_plugins.__file__).parent
HOSTS = {'mmengine', 'mmcv', 'mmseg', 'mmdet', 'detectron2', 'cv2', 'torchvision'}
OPTIONAL = {
    *('matplotlib', 'numba', 'onnx', 'onnxruntime', 'openvino', 'pycocotools', 'pydensecrf'),
    *('argcomplete', 'triton', 'ray', 'pyarrow'),
}

# Part of the package -> the other parts that it may import, beside `_common`.
FIRST_STAIR = {'data', 'metrics', 'visualization'}
TO_NETWORKS = {'ops', 'layers', 'networks'}
TO_CHECKPOINTS = TO_NETWORKS | {'checkpoints'}
TO_ANALYSIS = TO_CHECKPOINTS | {'optim', 'analysis', 'transforms'}
ARROWS = {
    '_common': set(),
    'configs': set(),
    'data': set(),
    'metrics': {'data'},
    'visualization': {'data', 'metrics'},
    'ops': set(),
    'layers': {'ops'},
    'transforms': {'ops', *FIRST_STAIR},
    'networks': {'ops', 'layers'},
    'checkpoints': TO_NETWORKS,
    'optim': TO_CHECKPOINTS | FIRST_STAIR,
    'analysis': TO_CHECKPOINTS | FIRST_STAIR,
    'zoo': TO_ANALYSIS | FIRST_STAIR,
    'inference': TO_ANALYSIS | FIRST_STAIR | {'zoo'},
    'registry': set(),
    'openmmlab': {*TO_ANALYSIS, *FIRST_STAIR, 'zoo', 'inference', 'registry', 'configs'},
    'detectron2': {*TO_ANALYSIS, *FIRST_STAIR, 'zoo', 'inference', 'configs'},
    'serve': {*FIRST_STAIR, 'zoo', 'inference'},
    'cli': {*TO_ANALYSIS, *FIRST_STAIR, 'zoo', 'inference', 'serve', 'configs'},
}
METHODS = {'csnet', 'itdbu', 'picanet', 's4net', 'samnet'}
INNER = set(ARROWS) - {'registry', 'openmmlab', 'detectron2'}
# `networks` imports upwards in one place: a module `__getattr__` for names that moved up.
EXCEPTIONS = {('networks/__init__.py', part) for part in ('analysis', 'checkpoints', 'inference')}

# Other people's packages: the ones a part may import at all, hosts and optional ones apart.
NUMERIC = {'numpy', 'scipy', 'PIL', 'tqdm'}
THIRD_PARTY = {
    '_common': set(),
    'configs': set(),
    'data': NUMERIC,
    'metrics': NUMERIC,
    'visualization': NUMERIC,
    'ops': {'torch', 'numpy'},  # the compiled loops of octave convolution are over arrays
    'layers': {'torch'},
    'transforms': {'torch', *NUMERIC},
    'networks': {'torch', 'numpy'},
    'checkpoints': {'torch', 'numpy', 'safetensors', 'tqdm'},
    'optim': {'torch', 'numpy'},
    'analysis': {'torch', 'numpy'},
    'zoo': {'torch', 'numpy', 'safetensors'},
    'inference': {'torch', *NUMERIC},
    'registry': {'mmengine'},
    'openmmlab': {'torch', 'mmengine', 'mmcv', *NUMERIC},
    'detectron2': {'torch', 'detectron2', 'fvcore', 'omegaconf', *NUMERIC},
    'serve': {'anyio', 'fastapi', 'fastapi_offline', 'httpcore', 'prometheus_client', 'pydantic'}
    | {'starlette', 'uvicorn', *NUMERIC},
    'cli': {'torch', *NUMERIC},
}
# Folders and modules of openmmlab/ that may import one host more.
ROLE_HOSTS = {
    'decode_heads': {'mmseg'},
    'segmentors': {'mmseg'},
    'pack_saliency_inputs.py': {'mmseg'},
    'ssd_head.py': {'mmdet'},
    'detectors': {'mmdet'},
}


def module_name(path: Path, root: Path) -> str:
    """``root/networks/csnet.py`` -> ``sod_plugins.networks.csnet``."""
    parts = path.relative_to(root).with_suffix('').parts
    return '.'.join(('sod_plugins', *(part for part in parts if part != '__init__')))


def imports_of(path: Path, root: Path) -> Iterator[tuple[str, bool]]:
    """Yield every imported module's full name, and whether it is imported as the file loads."""
    package = module_name(path, root).split('.')
    if path.name != '__init__.py':
        package.pop()
    tree = ast.parse(path.read_text('utf-8'), path)
    at_load = set(_load_time_nodes(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node in at_load) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            base = '.'.join([*base, *([node.module] if node.module else [])])
            # `from sod_plugins import ops` imports the part `ops`, not only the package.
            yield from ((f'{base}.{alias.name}', node in at_load) for alias in node.names)


def _load_time_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """Walk what runs unguarded when a module loads: no functions, no ``try``, no ``if``."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Try, ast.If)):
            yield child
            yield from _load_time_nodes(child)


def wrong_arrows(root: Path) -> list[str]:
    """Return one line for each import in the package folder ``root`` that is not allowed."""
    return [
        f'{path.relative_to(root)} imports {target}: {reason}'
        for path in sorted(root.rglob('*.py'))
        for target, at_load in imports_of(path, root)
        if (reason := _why_wrong(path.relative_to(root), target, at_load))
    ]


def _why_wrong(path: Path, target: str, at_load: bool) -> str | None:
    part = path.parts[0].removesuffix('.py')
    top, *rest = target.split('.')
    if part == '__init__':
        allowed = top == '__future__'
        return None if allowed else 'the package itself imports nothing'
    if part not in ARROWS:
        return f'{part} has no row in the table of arrows'
    if top == 'sod_plugins':
        return _why_wrong_part(path, part, rest)
    if top in OPTIONAL:
        return 'an optional requirement is imported where it is used' if at_load else None
    if top in sys.stdlib_module_names:
        return None
    roles = (ROLE_HOSTS[folder] for folder in path.parts if folder in ROLE_HOSTS)
    allowed = THIRD_PARTY[part].union(*roles)
    return None if top in allowed else f'{part} may not import {top}'


def _why_wrong_part(path: Path, part: str, target: list[str]) -> str | None:
    other = target[0]
    if part == other == 'networks':
        return _why_wrong_in_networks(path, target)
    if other in {part, '_common'} or other not in ARROWS or other in ARROWS[part]:
        return None
    return None if (path.as_posix(), other) in EXCEPTIONS else f'{part} may not import {other}'


def _why_wrong_in_networks(path: Path, target: list[str]) -> str | None:
    """Backbones know no method, and no method knows another."""
    here = path.parts[1] if len(path.parts) > 2 else None
    there = target[1] if len(target) > 1 else None
    wrong = here and there in METHODS and there != here
    return f'networks/{here} may not import networks/{there}' if wrong else None


def test_imports_point_one_way() -> None:
    assert wrong_arrows(PACKAGE) == []


@pytest.mark.parametrize(
    ('path', 'source'),
    [
        ('ops/a.py', 'from sod_plugins.layers import GOctConv'),
        ('ops/a.py', 'from sod_plugins import networks'),
        ('ops/a.py', 'import sod_plugins.cli'),
        ('layers/a.py', 'from ..networks.csnet import CSNet'),
        ('networks/backbones/a.py', 'from sod_plugins.networks.csnet import CSNet'),
        ('networks/itdbu/a.py', 'from sod_plugins.networks.samnet.decoder import SAMNetDecoder'),
        ('networks/a.py', 'from sod_plugins.checkpoints import load_network'),
        ('_common/a.py', 'from sod_plugins.data import read_image'),
        ('metrics/a.py', 'from sod_plugins.optim import prune'),
        ('networks/a.py', 'from .. import openmmlab'),
        ('networks/a.py', 'def build():\n    from mmseg.models import EncoderDecoder'),
        ('networks/__init__.py', 'from ..optim import pruning'),
        ('data/a.py', 'import torch'),
        ('metrics/a/b.py', 'from ...networks import CSNet'),
        ('visualization/a.py', 'from matplotlib import pyplot'),
        ('inference/a.py', 'import cv2'),
        ('registry.py', 'from sod_plugins.openmmlab import models'),
        ('openmmlab/models/backbones/a.py', 'from mmseg.registry import MODELS'),
        ('openmmlab/models/decode_heads/a.py', 'from mmdet.registry import MODELS'),
        ('__init__.py', 'from sod_plugins.networks import CSNet'),
        ('unheard_of/a.py', 'import os'),
    ],
)
def test_a_wrong_arrow_is_found(tmp_path: Path, path: str, source: str) -> None:
    file = tmp_path / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(source, 'utf-8')
    assert len(wrong_arrows(tmp_path)) == 1


def test_right_arrows_pass(tmp_path: Path) -> None:
    (tmp_path / 'networks').mkdir()
    source = (
        'from __future__ import annotations\n'
        'import math\n'
        'import torch.nn as nn\n'
        'from ..ops import resize_bilinear\n'
        'from .csnet import CSNet\n'
        'from sod_plugins import __version__\n'
        'def export():\n    import onnxruntime\n'
    )
    (tmp_path / 'networks' / 'a.py').write_text(source, 'utf-8')
    assert wrong_arrows(tmp_path) == []


IMPORT_ALL = """
import importlib, json, sys

class NoHost:
    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] in hosts:
            raise ImportError(f'the inner part imports {name}')

hosts, modules = json.loads(sys.argv[1])
sys.meta_path.insert(0, NoHost())
for module in modules:
    importlib.import_module(module)
print(json.dumps(sorted(sys.modules.keys() & set(hosts))))
"""


def test_inner_part_imports_without_any_host() -> None:
    paths = [path for part in INNER for path in (PACKAGE / part).rglob('*.py')]
    # Importing ``__main__`` would run the command.
    modules = sorted(module_name(p, PACKAGE) for p in paths if p.name != '__main__.py')
    for part in ('ops', 'layers', 'networks', 'optim', 'data', 'metrics', 'inference'):
        assert f'sod_plugins.{part}' in modules
    done = subprocess.run(
        [sys.executable, '-c', IMPORT_ALL, json.dumps([sorted(HOSTS | OPTIONAL), modules])],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == []
