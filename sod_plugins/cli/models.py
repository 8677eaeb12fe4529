"""``sod models``: the models of this package and their cards."""

from __future__ import annotations

import argparse

from sod_plugins.cli.completion import complete_by, model_names
from sod_plugins.cli.output import print_json
from sod_plugins.cli.style import paint

HELP = 'list the models of this package, or show the card of one'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    name = parser.add_argument(
        'name', nargs='?', metavar='NAME', help='show the card of this model'
    )
    complete_by(name, model_names)
    parser.add_argument('--task', help='list the models of one task: saliency or instances')
    form = parser.add_mutually_exclusive_group()
    form.add_argument('--json', action='store_true', help='print JSON')
    form.add_argument('--markdown', action='store_true', help='print the table of the docs')
    form.add_argument(
        '--metafile',
        metavar='COLLECTION',
        help='print the entry of the model NAME for the metafile.yml next to its recipe',
    )


def run(args: argparse.Namespace) -> int:
    """List the models, or show a card."""
    from sod_plugins.zoo import DEFAULT_MODELS, list_models, model_card
    from sod_plugins.zoo.tables import metafile_entry, models_markdown

    if args.metafile:
        card = model_card(args.name) if args.name else None
        if card is None or not card.recipe:
            raise ValueError('--metafile is for one model that has a recipe: give its NAME.')
        print(metafile_entry(card, args.metafile), end='')
        return 0
    if args.name:
        card = model_card(args.name)
        if args.json:
            print_json(card.to_dict())
        else:
            print(card.describe())
        return 0
    if args.markdown:
        print(models_markdown(args.task or 'saliency'), end='')
        return 0
    cards = [model_card(name) for name in list_models(args.task)]
    if not cards and not args.json:
        print(f'no model of this version finds {args.task}')
    if args.json:
        print_json([card.to_dict() for card in cards])
        return 0
    width = max((len(card.name) for card in cards), default=0)
    for card in cards:
        default = ' (default)' if card.name in DEFAULT_MODELS.values() else ''
        facts = f'{card.task:9}  {card.parameters:>10,} parameters'
        name = paint(f'{card.name:{width}}', 'bold')
        print(f'{name}  {facts}  {card.summary}{paint(default, "green")}')
    return 0
