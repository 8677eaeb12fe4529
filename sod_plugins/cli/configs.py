"""``sod configs``: the configs that come with this package."""

from __future__ import annotations

import argparse

from sod_plugins.cli.completion import complete_by, config_names
from sod_plugins.cli.output import add_json, print_json

HELP = 'list the configs of this package, or print the path of one'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    name = parser.add_argument(
        'name', nargs='?', metavar='NAME', help='print the path of this config'
    )
    complete_by(name, config_names)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """List the configs, or print a path."""
    from sod_plugins.configs import config_path, list_configs, listed_path

    if args.name:
        paths = {args.name: config_path(args.name)}
    else:
        paths = {name: str(listed_path(name)) for name in list_configs()}
    if args.json:
        print_json([{'name': name, 'path': path} for name, path in paths.items()])
    else:
        print('\n'.join(paths.values() if args.name else paths))
    return 0
