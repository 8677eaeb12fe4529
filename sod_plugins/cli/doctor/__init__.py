"""``sod doctor``: examine packages, hosts, GPU, folders, weights and predictions.

Hosts are found by the metadata of installed packages, and imported in a child process only.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from sod_plugins.cli.output import add_json, print_json
from sod_plugins.cli.style import Style, paint

if TYPE_CHECKING:
    from sod_plugins.cli.doctor.finding import Finding

HELP = 'examine the installation: packages, GPU, folders, models, backends'
_STYLES: Mapping[str, Style] = {'ok': 'green', 'note': 'yellow', 'problem': 'red'}
_WIDTH = 28  # of a finding's status and name


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Examine, and return 1 if something is wrong."""
    from sod_plugins.cli.doctor.examination import examine, is_healthy

    findings = list(examine()) if args.json else _print_all(examine(), args.quiet)
    healthy = is_healthy(findings)
    if args.json:
        print_json({'healthy': healthy, 'findings': [finding.to_dict() for finding in findings]})
    else:
        count = sum(finding.status == 'problem' for finding in findings)
        text = f'{count} problem{"s" * (count > 1)} found' if count else 'nothing is wrong'
        if not (args.quiet and healthy):
            print(paint(text, 'red' if count else 'green'))
    return 0 if healthy else 1


def _print_all(findings: Iterable[Finding], quiet: bool) -> list[Finding]:
    """Print findings as they come, with ``quiet`` only the problems, and return them."""
    printed: list[Finding] = []
    for finding in findings:
        if not quiet and (not printed or printed[-1].section != finding.section):
            print(paint(finding.section, 'bold'))
        printed.append(finding)
        if quiet and finding.status != 'problem':
            continue
        status = paint(f'{finding.status:8}', _STYLES[finding.status])
        print(f'  {status}{finding.name:{_WIDTH - 10}} {finding.value}', flush=True)
        if finding.advice:
            print(f'{"":{_WIDTH + 1}}{paint(finding.advice, "dim")}', flush=True)
    return printed
