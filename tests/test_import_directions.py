"""The package's imports point one way only, and its inner part never meets a host.

``ops -> layers -> networks -> {openmmlab, inference} -> cli``: read as "may be imported by".
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
    'triton',
}

# Part of the package -> the other parts that it may import.
ARROWS = {
    'ops': set(),
    'layers': {'ops'},
    'networks': {'ops', 'layers'},
    'optim': {'ops', 'layers', 'networks'},
    'data': set(),
    'metrics': {'data'},
    'visualization': {'networks', 'data', 'metrics'},
    'inference': {'ops', 'layers', 'networks', 'data', 'visualization'},
    'registry': set(),
    'openmmlab': {
        *('registry', 'ops', 'layers', 'networks', 'optim', 'data', 'metrics', 'visualization'),
    },
    'cli': {'ops', 'networks', 'optim', 'data', 'metrics', 'inference', 'visualization'},
}
INNER = set(ARROWS) - {'registry', 'openmmlab'}

# Other people's packages: the ones a part may import at all, hosts and optional ones apart.
NUMERIC = {'numpy', 'scipy', 'PIL', 'tqdm'}
THIRD_PARTY = {
    'ops': {'torch'},
    'layers': {'torch'},
    'networks': {'torch', 'numpy'},
    'optim': {'torch'},
    'data': NUMERIC,
    'metrics': NUMERIC,
    'visualization': {'torch', *NUMERIC},
    'inference': {'torch', *NUMERIC},
    'registry': {'mmengine'},
    'openmmlab': {'torch', 'mmengine', 'mmcv', *NUMERIC},
    'cli': {'torch', *NUMERIC},
}
# Role folders of openmmlab/ that may import one host more.
ROLE_HOSTS = {
    'decode_heads': {'mmseg'},
    'segmentors': {'mmseg'},
    'packing': {'mmseg'},
    'roi_extractors': {'mmdet'},
    'dense_heads': {'mmdet'},
    'mask_heads': {'mmdet'},
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
        other = rest[0]
        is_part = other in ARROWS and other != part
        return f'{part} may not import {other}' if is_part and other not in ARROWS[part] else None
    if top in OPTIONAL:
        return 'an optional requirement is imported where it is used' if at_load else None
    if top in sys.stdlib_module_names:
        return None
    roles = (ROLE_HOSTS[folder] for folder in path.parts if folder in ROLE_HOSTS)
    allowed = THIRD_PARTY[part].union(*roles)
    return None if top in allowed else f'{part} may not import {top}'


def test_imports_point_one_way() -> None:
    assert wrong_arrows(PACKAGE) == []


@pytest.mark.parametrize(
    ('path', 'source'),
    [
        ('ops/a.py', 'from sod_plugins.layers import GOctConv'),
        ('ops/a.py', 'from sod_plugins import networks'),
        ('ops/a.py', 'import sod_plugins.cli'),
        ('layers/a.py', 'from ..networks.csnet import CSNet'),
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
