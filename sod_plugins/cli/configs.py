"""``sod configs``: the configs that come with this package."""

from __future__ import annotations

import argparse

HELP = 'list the configs of this package, or print the path of one'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument('name', nargs='?', metavar='NAME', help='print the path of this config')


def run(args: argparse.Namespace) -> int:
    """List the configs, or print a path."""
    from sod_plugins.configs import config_path, list_configs

    print(config_path(args.name) if args.name else '\n'.join(list_configs()))
    return 0
