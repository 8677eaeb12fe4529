"""``sod serve``: predictions over HTTP, and a page for the browser."""

from __future__ import annotations

import argparse
from pathlib import Path

from sod_plugins._common.names import BACKENDS

HELP = 'predict over HTTP, with a page for the browser'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    network = parser.add_mutually_exclusive_group()
    network.add_argument(
        '--model', metavar='NAME', help='a model that sod models lists (default: sod-small)'
    )
    network.add_argument(
        '--checkpoint', type=Path, metavar='FILE', help='a network, or what sod export wrote'
    )
    network.add_argument(
        '--instances', action='store_true', help='salient instances, by the default model for them'
    )
    parser.add_argument(
        '--host',
        default='127.0.0.1',
        help='address to listen at; 0.0.0.0 lets other machines in (default: %(default)s)',
    )
    parser.add_argument('--port', type=int, default=7000, help='default: %(default)s')
    parser.add_argument('--device', help='such as cpu or cuda:1 (default: cuda where there is one)')
    parser.add_argument('--backend', choices=BACKENDS, help='as for sod predict')
    parser.add_argument('--half', action='store_true', help='compute in half precision')
    parser.add_argument(
        '--allow-urls',
        action='store_true',
        help='let GET /api/remove?url= fetch images from public addresses',
    )
    parser.add_argument(
        '--cors',
        action='append',
        default=[],
        metavar='ORIGIN',
        help='let pages of this origin call the service, * for all; repeatable',
    )
    limits = parser.add_argument_group('limits')
    for name, kind, default, text in _LIMITS:
        limits.add_argument(name, type=kind, default=default, metavar='N', help=text)
    parser.add_argument(
        '--log-level',
        choices=('critical', 'error', 'warning', 'info', 'debug'),
        default='info',
        help='default: %(default)s',
    )


_LIMITS: tuple[tuple[str, type, float | None, str], ...] = (
    ('--max-mb', float, 32.0, 'megabytes of a body (default: %(default)g)'),
    ('--max-megapixels', float, 50.0, 'of an image (default: %(default)g)'),
    ('--max-queue', int, 64, 'requests that wait (default: %(default)s)'),
    ('--time-limit', float, 60.0, 'seconds of waiting and work (default: %(default)g)'),
    ('--batch-size', int, None, 'images through the network at once (default: 8 on a GPU, else 1)'),
    ('--workers', int, None, 'threads that decode and encode (default: one a core, at most 8)'),
)


def run(args: argparse.Namespace) -> int:
    """Serve until told to end."""
    from sod_plugins.serve import ServiceSettings, open_model, serve

    values = {
        'max_body': round(args.max_mb * (1 << 20)),
        'max_pixels': round(args.max_megapixels * 1e6),
        'max_queue': args.max_queue,
        'time_limit': args.time_limit,
        'workers': args.workers,
        'allow_urls': args.allow_urls,
        'origins': tuple(args.cors),
    }
    model = open_model(
        args.checkpoint or (args.model and f'zoo:{args.model}'),
        task='instances' if args.instances else 'saliency',
        backend=args.backend,
        device=args.device,
        half=args.half,
        batch_size=args.batch_size,
    )
    values['batch_size'] = model.batch_size
    settings = ServiceSettings(**{name: value for name, value in values.items() if value})
    serve(model, args.host, args.port, settings, args.log_level)
    return 0
