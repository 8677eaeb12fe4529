"""Import modules in a child process, so that a broken one cannot end the parent."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from sod_plugins.inference.onnx_runtime import import_onnx_runtime

SECONDS = 300  # for all modules of a child: imports from a cold disk take a minute
_MARK = '@sod '  # marks our lines among those that modules print
_CODE = (
    'import json, sys\n'
    'sys.path[:] = json.loads(sys.argv[1])\n'
    'from sod_plugins.cli.doctor.{module} import {function}\n'
    '{function}(json.loads(sys.argv[2]))\n'
)


@dataclass(frozen=True)
class Probed:
    """The result of importing a module.

    Attributes:
        error: The reason of its failure; None if it succeeded.
        version: Its ``__version__``.
        facts: Further facts about modules with an entry in ``FACTS``.
    """

    error: str | None = None
    version: str = ''
    facts: Mapping[str, Any] = field(default_factory=dict)


def probe(modules: Sequence[str]) -> dict[str, Probed]:
    """Import modules in a child process, in order, and return the result of each."""
    results: dict[str, Probed] = {}
    while left := [name for name in modules if name not in results]:
        lines, end = run_child('probe', 'import_all', left)
        for line in lines:
            name = line.pop('module')
            results[name] = Probed(**line)
        if unfinished := [name for name in left if name not in results]:
            results[unfinished[0]] = Probed(f'the import ended Python: {end}')
    return results


def run_child(
    module: str, function: str, argument: Any, seconds: float = SECONDS
) -> tuple[list[Any], str]:
    """Run a function of this folder in a child process with the same ``sys.path``.

    Args:
        module: The module of this folder.
        function: A function that takes one value and passes results to :func:`tell`.
        argument: The value, as JSON can hold it.
        seconds: The time limit.

    Returns:
        The results, and one line about how the process ended, such as the message of an exception.
    """
    code = _CODE.format(module=module, function=function)
    words = [sys.executable, '-c', code, json.dumps(sys.path), json.dumps(argument)]
    try:
        done = subprocess.run(
            words, capture_output=True, encoding='utf-8', errors='replace', timeout=seconds
        )
        output, end = done.stdout, _end(done.returncode, done.stderr)
    except subprocess.TimeoutExpired as late:
        output = late.stdout.decode('utf-8', 'replace') if isinstance(late.stdout, bytes) else ''
        end = f'it took longer than {seconds:g} seconds'
    lines = [line for line in output.split('\n') if line.startswith(_MARK)]
    return [json.loads(line[len(_MARK) :]) for line in lines], end


def tell(result: Any) -> None:
    """Pass a result to the parent process."""
    print(f'\n{_MARK}{json.dumps(result)}', flush=True)


def import_all(modules: Sequence[str]) -> None:
    """Import modules one after the other, and tell the parent process of each."""
    for name in modules:
        result: dict[str, Any] = {'module': name}
        try:
            module = import_onnx_runtime() if name == 'onnxruntime' else import_module(name)
            result['version'] = str(getattr(module, '__version__', ''))
            if name in FACTS:
                result['facts'] = FACTS[name](module)
        except (Exception, SystemExit) as error:
            result['error'] = f'{type(error).__name__}: {error}'
        tell(result)


def _end(status: int, errors: str) -> str:
    if status < 0:
        return f'signal {signal.Signals(-status).name}'
    lines = errors.strip().splitlines()
    return lines[-1] if lines else f'exit status {status}'


def _torch_facts(torch: Any) -> dict[str, Any]:
    """Return what torch was built for, and which devices it can use."""
    facts: dict[str, Any] = {'built_for': torch.version.cuda, 'devices': [], 'error': None}
    if torch.version.cuda is None:
        return facts
    facts['architectures'] = torch.cuda.get_arch_list()
    try:
        torch.cuda.init()  # unlike is_available, says why it fails
        for index in range(torch.cuda.device_count()):
            capability = torch.cuda.get_device_capability(index)
            device = {'name': torch.cuda.get_device_name(index), 'capability': capability}
            facts['devices'].append(device)
            if float(torch.ones(8, device=f'cuda:{index}').sum()) != 8:
                raise RuntimeError(f'cuda:{index} computes a wrong sum')
    except Exception as error:
        facts['error'] = str(error).splitlines()[0]
    return facts


def _ops_facts(ops: Any) -> dict[str, Any]:
    return {'cuda': ops.get_compiling_cuda_version()}


# Facts about a module besides its version. Hosts are named, never imported, by the parent process.
FACTS: dict[str, Callable[[Any], dict[str, Any]]] = {'torch': _torch_facts, 'mmcv.ops': _ops_facts}
