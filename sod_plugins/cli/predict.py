"""``sod predict``: saliency maps or salient instances of images."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sod_plugins._common.names import BACKENDS, IMAGE_FORMATS, OUTPUT_KINDS
from sod_plugins._common.reading import read_stream
from sod_plugins._common.text import counted
from sod_plugins.cli.arguments import (
    STDOUT,
    add_exif,
    add_network_choice,
    add_path,
    let_threads_sleep,
    require_cuda,
    worker_count,
)
from sod_plugins.cli.output import add_json, report, report_unreadable

if TYPE_CHECKING:
    from sod_plugins._common.names import OutputKind, Product
    from sod_plugins.inference import OutputOptions, PredictionSummary

HELP = 'save the saliency maps, cut-outs or salient instances of images'
STDIN = '-'
# Options and the outputs that they change.
_CHANGES = {
    'crop': ('cutout',),
    'background': ('cutout',),
    'foreground': ('cutout',),
    'threshold': ('mask', 'cutout'),
    'grow': ('mask', 'cutout'),
}
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
        type=worker_count,
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
        task = 'instances' if args.instances else 'saliency'
        name = default_model(task) if args.model is None else args.model
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
    _require_effect(args)
    runner = _open_runner(args, network)
    if args.watch:
        if args.shard is not None:
            raise ValueError('--watch predicts all images that arrive: it has no shards.')
        if args.json:
            raise ValueError('--watch does not end, so --json could not print a document.')
        if not args.quiet:
            print(f'watching {", ".join(args.paths)}; Ctrl-C ends it', flush=True)
        for summary in watch_files(args.paths, args.out_dir, runner, **options):
            _report(args, summary, f'{counted(len(summary.written), "image")} predicted')
            sys.stdout.flush()
    shard = None if args.shard is None else Shard.parse(args.shard)
    summary = predict_files(
        args.paths, args.out_dir, runner, shard=shard, progress=not args.quiet, **options
    )
    count = len(summary.written)
    what = (
        f'outputs of {counted(count, "image")}' if args.no_map else counted(count, 'saliency map')
    )
    return _report(args, summary, f'{what} written to {args.out_dir}')


def _require_effect(args: argparse.Namespace) -> None:
    """Refuse options of outputs that are not asked for: nothing would show that they do nothing."""
    for name, outputs in _CHANGES.items():
        if getattr(args, name) and not any(getattr(args, output) for output in outputs):
            needed = ' or '.join(f'--{output}' for output in outputs)
            raise ValueError(f'--{name} changes nothing here. Add {needed}.')
    if args.format in ('jpeg', 'avif') and not (args.cutout or args.overlay):
        raise ValueError(f'maps and masks are never {args.format}. Add --cutout or --overlay.')
    lossy = (None, 'jpeg', 'webp', 'avif') if args.overlay else ('jpeg', 'webp', 'avif')
    if args.quality and not ((args.cutout or args.overlay) and args.format in lossy):
        raise ValueError(
            '--quality changes nothing here: it is for cut-outs and overlays as jpeg, webp or '
            'avif. Add --format.'
        )


def _predict_stream(args: argparse.Namespace) -> int:
    """Write one output of one image to standard output."""
    asked = [kind for kind in OUTPUT_KINDS[1:] if getattr(args, kind)]
    if args.out_dir not in (None, STDOUT):
        raise ValueError(
            f'an image from standard input has no name below {args.out_dir}. Leave -o out: '
            'sod predict - > map.png'
        )
    if len(args.paths) != 1 or len(asked) > 1:
        raise ValueError(
            'standard input and output take one image and give one output: '
            'sod predict - --cutout > cutout.png'
        )
    if args.json:
        raise ValueError('standard output takes the image, so --json cannot print there too.')
    for name in ('watch', 'shard', 'suffix'):
        if getattr(args, name):
            raise ValueError(f'--{name} is for folders, not for one image by standard output.')
    network, options = _network(args), output_options(args)
    finds_instances = getattr(network, 'task', 'saliency') == 'instances'
    kind = asked[0] if asked else None
    if sys.stdout.isatty() and (kind or not finds_instances):
        name = kind or 'map'
        raise ValueError(
            f'the {name} would be printed on the terminal. Name a file: sod predict - > {name}.png'
        )
    if finds_instances:
        content = _encode_instances(args, network, kind or 'instances', options)
    else:
        _require_effect(args)
        content = _encode_saliency(args, network, kind or 'map', options)
    sys.stdout.buffer.write(content)
    return 0


def _encode_saliency(
    args: argparse.Namespace, network: Any, kind: OutputKind, options: OutputOptions
) -> bytes:
    from sod_plugins.inference import DenseCRF
    from sod_plugins.inference.image_work import ImageWork

    runner = _open_runner(args, network)
    crf = DenseCRF() if args.crf else None
    work = ImageWork(runner, [kind], options, args.exif or 'apply', args.edges, crf)
    image = work.decode(_source(args))
    return work.render(image, *work.compute([image]))[kind].content


def _encode_instances(
    args: argparse.Namespace, network: Any, kind: Product, options: OutputOptions
) -> bytes:
    from sod_plugins.inference import InstancePredictor, encode_product

    predictor = InstancePredictor(network, args.device)
    return encode_product(predictor, _source(args), kind, options).content


def _source(args: argparse.Namespace) -> Any:
    """Return the one image: the bytes of standard input, or a path."""
    name = args.paths[0]
    return read_stream(sys.stdin.buffer) if name == STDIN else Path(name)


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
        shard=None if args.shard is None else Shard.parse(args.shard),
        progress=not args.quiet,
    )
    done = f'instances of {counted(len(summary.written), "image")} written to {args.out_dir}'
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
