"""The subcommands of ``sod``.

A subcommand is a module with ``HELP``, ``add_arguments`` and ``run``. It imports what it needs when
it runs, so that ``sod --version`` and ``sod --help`` answer at once.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from types import ModuleType

from sod_plugins import __version__
from sod_plugins._common.user_code import add_import_option
from sod_plugins.cli import (
    attention,
    average,
    completion,
    complexity,
    configs,
    convert,
    data_check,
    data_instances,
    data_synth,
    doctor,
    eval,
    eval_instances,
    export,
    extract,
    finetune,
    merge,
    models,
    predict,
    prune,
    report,
    serve,
    test,
    train,
)
from sod_plugins.cli.arguments import Parser, add_quiet

# The subcommands run by a host's trainer parse their own arguments.
HOST_VERBS: dict[str, ModuleType] = {'train': train, 'test': test}
VERBS: dict[str, ModuleType] = {
    'predict': predict,
    'merge': merge,
    'eval': eval,
    'eval-instances': eval_instances,
    'report': report,
    **HOST_VERBS,
    'finetune': finetune,
    'serve': serve,
    'models': models,
    'configs': configs,
    'convert': convert,
    'extract': extract,
    'average': average,
    'export': export,
    'prune': prune,
    'attention': attention,
    'complexity': complexity,
    'doctor': doctor,
    'completion': completion,
}
DATA_VERBS: dict[str, ModuleType] = {
    'check': data_check,
    'synth': data_synth,
    'instances': data_instances,
}


def build_parser() -> argparse.ArgumentParser:
    """Return the parser, whose result has the function to ``run`` and the verb's ``parser``."""
    parser = Parser(prog='sod', description='Salient object detection from the command line.')
    parser.add_argument('--version', action='version', version=f'sod_plugins {__version__}')
    verbs = parser.add_subparsers(metavar='VERB', required=True)
    _add_verbs(verbs, VERBS)
    data = verbs.add_parser('data', help='check, generate or convert data sets')
    _add_verbs(data.add_subparsers(metavar='VERB', required=True), DATA_VERBS)
    return parser


def run_host_verb(argv: Sequence[str]) -> int | None:
    """Run ``sod train`` or ``sod test`` and return the exit status; None for others."""
    if argv and argv[0] in HOST_VERBS:
        return int(HOST_VERBS[argv[0]].run(argv[1:]))
    return None


def _add_verbs(
    parent: argparse._SubParsersAction[Parser],  # the type has no public name
    verbs: Mapping[str, ModuleType],
) -> None:
    for name, module in verbs.items():
        parser = parent.add_parser(name, help=module.HELP)
        module.add_arguments(parser)
        add_import_option(parser)
        if name not in HOST_VERBS:
            add_quiet(parser)
        parser.set_defaults(run=module.run, parser=parser)
