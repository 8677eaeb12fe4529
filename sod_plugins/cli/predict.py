"""``sod predict``: saliency maps or salient instances of images."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sod_plugins._common.names import BACKENDS, IMAGE_FORMATS, OUTPUT_KINDS
from sod_plugins._common.reading import read_stream
from sod_plugins.cli.arguments import (
    STDOUT,
    add_exif,
    add_network_choice,
    add_path,
    let_threads_sleep,
    process_count,
    require_cuda,
)
from sod_plugins.cli.output import add_json, report, report_unreadable

if TYPE_CHECKING:
    from sod_plugins.inference import OutputOptions, PredictionSummary

HELP = 'save the saliency maps, cut-outs or salient instances of images'
STDIN = '-'
# Arguments that do not apply to instances.
_FOR_MAPS = (
    *('no_map', 'mask', 'cutout', 'crop', 'background', 'threshold', 'grow', 'foreground'),
    *('edges', 'crf', 'format', 'quality', 'suffix', 'watch', 'batch'),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        'paths',
        nargs='+',
        metavar='PATH',
        help='image, folder or quoted pattern such as "shots/**/*.jpg"; - reads one image from '
        'standard input and writes one output to standard output',
    )
    add_path(
        parser,
        '-o',
        '--out-dir',
        metavar='DIR',
        help='maps: DIR/<stem>.png; S4Net: DIR/instances.json',
    )
    add_network_choice(parser)
    _add_output_options(parser.add_argument_group('outputs'))
    _add_running(parser.add_argument_group('how it runs'))


def _add_output_options(group: Any) -> None:
    group.add_argument('--no-map', action='store_true', help='save no maps')
    group.add_argument('--mask', action='store_true', help='also save binary masks: DIR/mask/')
    group.add_argument('--cutout', action='store_true', help='also save RGBA cut-outs: DIR/cutout/')
    group.add_argument(
        '--overlay',
        action='store_true',
        help='also save tinted images: DIR/overlay/ (S4Net: always)',
    )
    group.add_argument(
        '--format',
        choices=IMAGE_FORMATS,
        help='of all outputs that it can store (default: png, overlays jpeg)',
    )
    group.add_argument(
        '--quality', type=int, metavar='1-100', help='quality of jpeg, webp and avif'
    )
    group.add_argument('--background', metavar='COLOR|IMAGE|blur', help='background of cut-outs')
    group.add_argument('--crop', action='store_true', help='crop cut-outs to what is salient')
    group.add_argument(
        '--threshold',
        type=float,
        metavar='0-1',
        help='saliency at which masks (default: 0.5) and cut-outs contain a pixel fully',
    )
    group.add_argument(
        '--grow',
        type=int,
        default=0,
        metavar='PIXELS',
        help='grow the region of masks and cut-outs; --grow=-2 shrinks it',
    )
    group.add_argument(
        '--foreground', action='store_true', help='remove the old background from soft edges'
    )
    group.add_argument('--edges', action='store_true', help='upsample maps along image edges')
    group.add_argument('--crf', action='store_true', help='refine maps with a CRF, which is slower')
    group.add_argument(
        '--suffix', default='', metavar='TEXT', help='text after the stem of every name'
    )


def _add_running(group: Any) -> None:
    group.add_argument(
        '--overwrite', action='store_true', help='predict images again whose outputs exist'
    )
    group.add_argument(
        '-r',
        '--recursive',
        action='store_true',
        help='include subfolders, and keep the folders below DIR',
    )
    add_exif(group)
    group.add_argument(
        '--watch', action='store_true', help='continue with images that arrive in the folders'
    )
    group.add_argument(
        '--shard', metavar='I/N', help='predict part I of N; sod merge then merges the parts'
    )
    group.add_argument(
        '--workers',
        type=process_count,
        default=2,
        metavar='N',
        help='threads that decode and encode (default: %(default)s)',
    )
    group.add_argument(
        '--batch', type=int, metavar='N', help='batch size (default: 8 on CUDA, else 1)'
    )
    group.add_argument(
        '--device', help='device, such as cpu or cuda:1 (default: cuda if available)'
    )
    group.add_argument(
        '--half', action='store_true', help='compute in half precision, on a CUDA device'
    )
    group.add_argument(
        '--backend',
        choices=BACKENDS,
        help='default: onnxruntime, if installed, for models of this package, the backend of an '
        'exported file, else torch; all but torch run on the CPU',
    )
    add_json(group)


def run(args: argparse.Namespace) -> int:
    """Predict saliency maps or instances of images."""
    let_threads_sleep()
    if STDIN in args.paths or args.out_dir == STDOUT:
        return _predict_stream(args)
    if args.out_dir is None:
        raise ValueError('no folder is named for the results. Add -o DIR.')
    network = _network(args)
    if getattr(network, 'task', 'saliency') == 'instances':
        return _find_instances(args, network)
    return _predict_maps(args, network)


def output_options(args: argparse.Namespace) -> OutputOptions:
    """Return the appearance of the outputs that the arguments request."""
    from sod_plugins.inference import Background, OutputOptions

    return OutputOptions(
        format=args.format,
        quality=args.quality,
        threshold=args.threshold,
        grow=args.grow,
        crop=args.crop,
        background=None if args.background is None else Background.read(args.background),
        foreground=args.foreground,
    )


def _network(args: argparse.Namespace) -> Any:
    """Return the name of a model for maps, which may not need torch, or else the open network."""
    from sod_plugins.zoo import find_model, model_card
    from sod_plugins.zoo.cards import default_model

    path = args.checkpoint
    if path is None:
        name = args.model or default_model('instances' if args.instances else 'saliency')
        if model_card(name).task == 'saliency' and not args.half:
            return f'zoo:{name}'
        path = find_model(name)
    from sod_plugins.inference import open_network

    network = open_network(path, args.backend)
    if not args.half:
        return network
    require_cuda(args.device)
    return network.half()


def _open_runner(args: argparse.Namespace, network: Any) -> Any:
    from sod_plugins.inference.manifest import identify
    from sod_plugins.inference.runners import open_runner

    model = identify(args.checkpoint) if args.checkpoint else None
    return open_runner(network, args.backend, args.device, model)


def _predict_maps(args: argparse.Namespace, network: Any) -> int:
    from sod_plugins.inference import DenseCRF, Shard, predict_files, watch_files

    options: dict[str, Any] = {
        'map': not args.no_map,
        'mask': args.mask,
        'cutout': args.cutout,
        'overlay': args.overlay,
        'options': output_options(args),
        'suffix': args.suffix,
        'overwrite': args.overwrite,
        'recursive': args.recursive,
        'exif': args.exif or 'apply',
        'edges': args.edges,
        'crf': DenseCRF() if args.crf else None,
        'workers': args.workers,
        'batch_size': args.batch,
    }
    runner = _open_runner(args, network)
    if args.watch:
        if args.shard:
            raise ValueError('--watch predicts all images that arrive: it has no shards.')
        if args.json:
            raise ValueError('--watch does not end, so --json could not print a document.')
        if not args.quiet:
            print(f'watching {", ".join(args.paths)}; Ctrl-C ends it', flush=True)
        for summary in watch_files(args.paths, args.out_dir, runner, **options):
            _report(args, summary, f'{len(summary.written)} images predicted')
            sys.stdout.flush()
    shard = Shard.parse(args.shard) if args.shard else None
    summary = predict_files(
        args.paths, args.out_dir, runner, shard=shard, progress=not args.quiet, **options
    )
    what = 'images predicted, their outputs' if args.no_map else 'saliency maps'
    return _report(args, summary, f'{len(summary.written)} {what} written to {args.out_dir}')


def _predict_stream(args: argparse.Namespace) -> int:
    """Write one output of one image to standard output."""
    from sod_plugins.inference import DenseCRF, InstancePredictor, encode_product
    from sod_plugins.inference.image_work import ImageWork

    asked = [kind for kind in OUTPUT_KINDS[1:] if getattr(args, kind)]
    if len(args.paths) != 1 or len(asked) > 1 or args.out_dir not in (None, STDOUT):
        raise ValueError(
            'standard input and output take one image and give one output: '
            'sod predict - --cutout > cutout.png'
        )
    if args.json:
        raise ValueError('standard output takes the image, so --json cannot print there too.')
    source: Any = read_stream(sys.stdin.buffer) if args.paths[0] == STDIN else Path(args.paths[0])
    network, options = _network(args), output_options(args)
    if getattr(network, 'task', 'saliency') == 'instances':
        product = asked[0] if asked else 'instances'
        predictor = InstancePredictor(network, args.device)
        content = encode_product(predictor, source, product, options).content
    else:
        kind = asked[0] if asked else OUTPUT_KINDS[0]
        runner = _open_runner(args, network)
        crf = DenseCRF() if args.crf else None
        work = ImageWork(runner, [kind], options, args.exif or 'apply', args.edges, crf)
        image = work.decode(source)
        content = work.render(image, *work.compute([image]))[kind].content
    sys.stdout.buffer.write(content)
    return 0


def _find_instances(args: argparse.Namespace, network: Any) -> int:
    from sod_plugins.inference import Shard, predict_instance_files

    chosen = [name for name in _FOR_MAPS if getattr(args, name)]
    if chosen:
        named = ', '.join(f'--{name.replace("_", "-")}' for name in chosen)
        raise ValueError(f'the model finds instances, and is asked for {named} of saliency maps.')
    summary = predict_instance_files(
        args.paths,
        args.out_dir,
        network,
        overwrite=args.overwrite,
        recursive=args.recursive,
        exif=args.exif or 'apply',
        device=args.device,
        shard=Shard.parse(args.shard) if args.shard else None,
        progress=not args.quiet,
    )
    done = f'instances of {len(summary.written)} images written to {args.out_dir}'
    return _report(args, summary, done)


def _report(args: argparse.Namespace, summary: PredictionSummary, text: str) -> int:
    """Report what was predicted and what was not, and return the exit status."""
    lines = [text]
    if args.crf and summary.written:
        lines.append(f'CRF: {summary.crf_seconds / len(summary.written):.2f} s a map')
    if summary.skipped:
        lines.append(f'{len(summary.skipped)} were there already (--overwrite predicts them again)')
    if summary.earlier:
        lines.append(f'{len(summary.earlier)} outputs of earlier runs in it were left out')
    document = {
        'out_dir': args.out_dir,
        **asdict(summary),
        'unreadable': {str(path): reason for path, reason in summary.unreadable.items()},
    }
    report(args, document, *lines)
    return report_unreadable(summary.unreadable)
