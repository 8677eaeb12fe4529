"""``sod serve``: predictions over HTTP, and a page for the browser."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Callable

from sod_plugins._common.limits import MOST_IN_BATCH, MOST_WORKERS
from sod_plugins._common.names import BACKENDS
from sod_plugins.cli.arguments import (
    add_network_choice,
    let_threads_sleep,
    positive,
    require_cuda,
    whole_number,
)

HELP = 'predict over HTTP, with a page for the browser'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_network_choice(parser)
    parser.add_argument(
        '--host',
        default='127.0.0.1',
        help='address to listen on; 0.0.0.0 accepts other machines (default: %(default)s)',
    )
    parser.add_argument('--port', type=int, default=7000, help='default: %(default)s')
    parser.add_argument(
        '--device', help='device, such as cpu or cuda:1 (default: cuda if available)'
    )
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
        type=origin,
        metavar='ORIGIN',
        help='allow pages of this origin to call the service, * for all; repeatable',
    )
    limits = parser.add_argument_group('limits')
    for name, kind, default, text in _LIMITS:
        limits.add_argument(name, type=kind, default=default, metavar='N', help=text)
    parser.add_argument(
        '--log-level',
        choices=('critical', 'error', 'warning', 'info', 'debug'),
        help='default: info, with --quiet warning',
    )


def origin(text: str) -> str:
    """Parse an origin as browsers send it, for ``type`` of an argument."""
    if text not in ('*', 'null') and not re.fullmatch(r'[a-z][a-z0-9+.-]*://[^/\s]+', text):
        raise argparse.ArgumentTypeError(
            f"'{text:.80}' is no origin such as https://example.org, without a path"
        )
    return text


_LIMITS: tuple[tuple[str, Callable[[str], float], float | None, str], ...] = (
    ('--max-mb', positive, 32.0, 'megabytes per request body (default: %(default)g)'),
    ('--max-megapixels', positive, 50.0, 'megapixels per image (default: %(default)g)'),
    ('--max-queue', whole_number(1, 1_000_000), 64, 'waiting requests (default: %(default)s)'),
    ('--time-limit', positive, 60.0, 'seconds of waiting and processing (default: %(default)g)'),
    (
        '--batch-size',
        whole_number(1, MOST_IN_BATCH, 'images'),
        None,
        'batch size of the network (default: 8 on a GPU, else 1)',
    ),
    (
        '--workers',
        whole_number(1, MOST_WORKERS, 'workers'),
        None,
        'threads that decode and encode (default: one per core, at most 8)',
    ),
)


def run(args: argparse.Namespace) -> int:
    """Serve until told to end."""
    let_threads_sleep()
    from sod_plugins.serve import ServiceSettings, open_model, serve

    if args.half:
        require_cuda(args.device)

    values = {
        'max_body': math.ceil(args.max_mb * (1 << 20)),
        'max_pixels': math.ceil(args.max_megapixels * 1e6),
        'max_queue': args.max_queue,
        'time_limit': args.time_limit,
        'workers': args.workers,
        'allow_urls': args.allow_urls,
        'origins': tuple(args.cors),
    }
    model = open_model(
        args.checkpoint if args.model is None else f'zoo:{args.model}',
        task='instances' if args.instances else 'saliency',
        backend=args.backend,
        device=args.device,
        half=args.half,
        batch_size=args.batch_size,
    )
    values['batch_size'] = model.batch_size
    settings = ServiceSettings(
        **{name: value for name, value in values.items() if value is not None}
    )
    level = args.log_level or ('warning' if args.quiet else 'info')
    serve(model, args.host, args.port, settings, level)
    return 0
