"""No file is opened for writing but by ``sod_plugins._common.writing``."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# What opens files otherwise, and why it may.
EXCEPTIONS = {
    'sod_plugins/_common/writing.py': 'is the one way',
    'sod_plugins/_common/journal.py': 'appends whole lines, of which a killed run leaves all',
    'sod_plugins/checkpoints/downloads.py': 'goes on with a broken download, and locks',
    'tools/environment': 'runs before the package is installed',
    'tools/run_tests.py': 'runs before the package is installed',
    'tools/quickstart.py': 'runs before the package is installed',
}
WRITERS = {'writing', 'writing_text', 'writing_path'}
BUFFERS = {'BytesIO', 'StringIO'}
STREAMS = {'BinaryIO', 'TextIO', 'IO[bytes]', 'IO[str]', 'io.BytesIO'}
# Methods and functions that write to what they are given, at which place.
SAVERS = {'save': 0, 'savefig': 0, 'to_csv': 0, 'dump': 1, 'save_model': 1, 'save_file': 1}
SAVERS_OF = {('torch', 'save'): 1, ('np', 'save'): 0, ('onnx', 'save'): 1}


def wrong_writes(source: str) -> Iterator[str]:
    """Yield a line for each call that may write a file in another way."""
    tree = ast.parse(source)
    given = {name for node in ast.walk(tree) for name in _given_names(node)}
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and (reason := _why_wrong(call, given)):
            yield f'line {call.lineno}: {reason}'


def _given_names(node: ast.AST) -> Iterator[str]:
    """Yield names of what the writers, or a buffer in memory, give."""
    match node:
        case ast.withitem(ast.Call(func), ast.Name(name)) if _name(func) in WRITERS:
            yield name
        case ast.Assign(targets, ast.Call(func)) if _name(func) in BUFFERS:
            yield from (target.id for target in targets if isinstance(target, ast.Name))
        # In a temporary folder, whose files are then written as others are.
        case ast.Assign(targets, ast.Call(ast.Name('Path'), [ast.Name('folder'), *_])):
            yield from (target.id for target in targets if isinstance(target, ast.Name))
        case ast.arg(name, ast.expr() as kind) if ast.unparse(kind) in STREAMS:
            yield name


def _name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, 'id', '')


def _why_wrong(call: ast.Call, given: set[str]) -> str | None:
    name = _name(call.func)
    if name in {'write_text', 'write_bytes'} and isinstance(call.func, ast.Attribute):
        return f'.{name}() leaves half a file behind'
    if name in {'open', 'fdopen'} and any(mode in _modes(call) for mode in 'wax+'):
        return 'open() for writing'
    owner = call.func.value if isinstance(call.func, ast.Attribute) else None
    place = SAVERS_OF.get((getattr(owner, 'id', ''), name), SAVERS.get(name))
    if place is None or owner is None or len(call.args) <= place:
        return None
    if ast.unparse(owner) == 'safetensors.torch':  # which returns the bytes
        return None
    target = call.args[place]
    return None if isinstance(target, ast.Name) and target.id in given else f'.{name}() to a name'


def _modes(call: ast.Call) -> str:
    place = 1 if isinstance(call.func, ast.Name) else 0
    words = [*call.args[place : place + 1], *(k.value for k in call.keywords if k.arg == 'mode')]
    return ''.join(
        w.value for w in words if isinstance(w, ast.Constant) and isinstance(w.value, str)
    )


def test_files_are_written_in_one_way():
    found = [
        f'{path.relative_to(ROOT)}, {wrong}'
        for top in ('sod_plugins', 'tools')
        for path in sorted((ROOT / top).rglob('*.py'))
        if not str(path.relative_to(ROOT)).startswith(tuple(EXCEPTIONS))
        for wrong in wrong_writes(path.read_text('utf-8'))
    ]
    assert found == []


@pytest.mark.parametrize(
    'source',
    [
        "path.write_text('x')",
        "path.write_bytes(b'')",
        "open(path, 'w')",
        "path.open('ab')",
        "path.open(mode='x')",
        'figure.savefig(path)',
        'torch.save({}, path)',
        "Image.fromarray(x).save('a.png', format='PNG')",
        'json.dump({}, path)',
    ],
)
def test_other_ways_are_found(source):
    assert len(list(wrong_writes(source))) == 1


@pytest.mark.parametrize(
    'source',
    [
        "with writing(path) as file:\n    image.save(file, format='PNG')",
        'with writing_path(path) as unfinished:\n    figure.savefig(unfinished)',
        "write_text(path, 'x')",
        'stream = io.BytesIO()\nimage.save(stream)',
        "path.open('rb')",
        'path.open()',
    ],
)
def test_the_one_way_passes(source):
    assert list(wrong_writes(source)) == []
