"""The ``sod`` command: each verb calls a function that Python users can call too.

Exit status: 0 all done; 1 done, but some files could not be used (they are named); 2 nothing done.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from sod_plugins import __version__

if TYPE_CHECKING:
    from sod_plugins.inference import PredictionSummary

# The names in `metrics`, `data` and `inference`. Each verb imports what it needs when it runs, so
# that `sod --version` and `sod --help` answer at once.
PROTOCOLS = ('pysodmetrics', 'salmetric', 'fastsaliency', 'survey')
INSTANCE_PROTOCOLS = ('coco', 's4net')
SPLITS = ('train', 'val', 'test')
CODINGS = ('numbers', 'colours', 'masks', 'polygons', 'yolo')
BACKENDS = ('torch', 'onnxruntime', 'openvino')
PRUNING_RULES = ('gamma', 'filters', 'geometric_median')


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb and return the exit status.

    Args:
        argv: The words after ``sod``; by default those of the process.
    """
    args = _parser().parse_args(argv)
    try:
        return int(args.run(args))
    except (ValueError, OSError, ImportError) as error:
        print(f'sod: error: {error}', file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print('sod: interrupted; what is written is complete', file=sys.stderr)
        return 130


def _predict(args: argparse.Namespace) -> int:
    import torch

    from sod_plugins.inference import (
        DenseCRF,
        open_network,
        predict_files,
        predict_instance_files,
    )
    from sod_plugins.networks import S4Net

    # Weights that decay drove below 1e-38 would slow a CPU down by half.
    torch.set_flush_denormal(True)
    network = open_network(args.checkpoint, args.backend)
    if isinstance(network, S4Net):
        if args.cutout or args.crf:
            raise ValueError(
                f'{args.checkpoint} finds instances: --cutout and --crf are for saliency maps.'
            )
        summary = predict_instance_files(
            args.paths, args.out_dir, network, overwrite=args.overwrite, device=args.device
        )
        print(f'instances of {len(summary.written)} images written to {args.out_dir}')
        return _report_left_out(summary)
    summary = predict_files(
        args.paths,
        args.out_dir,
        network,
        cutout=args.cutout,
        overlay=args.overlay,
        overwrite=args.overwrite,
        crf=DenseCRF() if args.crf else None,
        device=args.device,
    )
    print(f'{len(summary.written)} saliency maps written to {args.out_dir}')
    if args.crf and summary.written:
        print(f'CRF: {summary.crf_seconds / len(summary.written):.2f} s a map')
    return _report_left_out(summary)


def _report_left_out(summary: PredictionSummary) -> int:
    """Say which images were not predicted, and return the exit status."""
    if summary.skipped:
        print(f'{len(summary.skipped)} were there already (--overwrite predicts them again)')
    if summary.unreadable:
        print(f'sod: error: unreadable images: {len(summary.unreadable)}', file=sys.stderr)
        print(*summary.unreadable.values(), sep='\n', file=sys.stderr)
        return 1
    return 0


def _eval(args: argparse.Namespace) -> int:
    from sod_plugins.metrics import (
        TableRow,
        TableStyle,
        evaluate_folders,
        evaluation_table,
        write_json,
        write_per_image_csv,
    )
    from sod_plugins.visualization.curves import require_matplotlib, save_curves

    tables: dict[TableStyle, Path | None] = {
        'csv': args.csv,
        'markdown': args.markdown,
        'latex': args.latex,
    }
    _require_writable_files([*tables.values(), args.json, args.per_image, args.curves])
    if args.curves:
        require_matplotlib()
    evaluation = evaluate_folders(
        args.pred_dir,
        args.gt_dir,
        protocol=args.protocol,
        list_file=args.list,
        workers=args.workers,
    )
    method = args.method or args.pred_dir.resolve().name
    row = TableRow(method, evaluation)
    print(evaluation_table([row]), end='')
    if args.json:
        write_json(evaluation, args.json)
    if args.per_image:
        write_per_image_csv(evaluation, args.per_image)
    for style, path in tables.items():
        if path:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(evaluation_table([row], style=style), encoding='utf-8')
    if args.curves:
        save_curves(args.curves, {method: evaluation.curves}, f'protocol: {args.protocol}')
    return 0


def _eval_instances(args: argparse.Namespace) -> int:
    from sod_plugins.metrics import evaluate_instances

    _require_writable_files([args.json])
    evaluation = evaluate_instances(
        args.ground_truth, args.predictions, protocol=args.protocol, occlusion=args.occlusion
    )
    print(evaluation.describe())
    print(evaluation.table(), end='')
    if args.json:
        evaluation.write_json(args.json)
    return 0


def _report(args: argparse.Namespace) -> int:
    from sod_plugins.metrics import read_json
    from sod_plugins.visualization.curves import save_curves
    from sod_plugins.visualization.facts import network_facts
    from sod_plugins.visualization.report import report_folder

    _require_writable_files([args.out, args.curves])
    others = {name: read_json(path) for name, path in args.compare}
    facts = network_facts(args.checkpoint) if args.checkpoint else {}
    if args.config:
        facts['config'] = f'{args.config}\n{args.config.read_text(encoding="utf-8")}'
    method = args.method or args.pred_dir.resolve().name
    evaluation = report_folder(
        args.out,
        args.pred_dir,
        args.data,
        list_file=args.list,
        protocol=args.protocol,
        workers=args.workers,
        title=args.title or f'{method} on {args.data.resolve().name}',
        method=method,
        others=others,
        facts=facts,
    )
    if args.curves:
        methods = {method: evaluation, **others}
        curves = {name: scores.curves for name, scores in methods.items()}
        save_curves(args.curves, curves, f'protocol: {args.protocol}')
    print(args.out)
    return 0


def _check_data(args: argparse.Namespace) -> int:
    from sod_plugins.data import FolderLayout, check_dataset

    layout = FolderLayout(
        root=args.root,
        image_dir=args.image_dir,
        mask_dir=args.mask_dir,
        list_file=args.list,
        image_prefix=args.image_prefix,
        image_suffix=args.image_suffix,
        mask_prefix=args.mask_prefix,
        mask_suffix=args.mask_suffix,
    )
    report = check_dataset(layout, preset=args.preset)
    print(report.format())
    return 0 if report.ok else 1


def _synthesise_data(args: argparse.Namespace) -> int:
    from sod_plugins.data import generate_scenes

    height, width = args.size
    folder = generate_scenes(
        args.out, args.count, seed=args.seed, size=(height, width), split=args.split, progress=True
    )
    print(f'{args.count} scenes in {folder}')
    return 0


def _convert_instances(args: argparse.Namespace) -> int:
    from sod_plugins.data import convert_instances, split_instances, write_instances

    counts = args.split and dict(zip(SPLITS, args.split, strict=True))
    files = {name: args.out / f'{name}.json' for name in SPLITS} if counts else {'': args.out}
    _require_writable_files([*files.values()])
    coco = convert_instances(
        args.root,
        args.coding,
        image_dir=args.image_dir,
        label_dir=args.label_dir,
        list_file=args.list,
        min_area=args.min_area,
        progress=True,
    )
    parts = split_instances(coco, counts, args.seed) if counts else {'': coco}
    for name, part in parts.items():
        write_instances(files[name], part)
        empty = len(part['images']) - len({a['image_id'] for a in part['annotations']})
        print(
            f'{files[name]}: {len(part["annotations"])} instances in {len(part["images"])} images, '
            f'{empty} of them without any'
        )
    return 0


def _extract(args: argparse.Namespace) -> int:
    from sod_plugins.networks import extract_network

    _require_writable_files([args.out])
    extract_network(args.training_checkpoint, args.out)
    print(args.out)
    return 0


def _export(args: argparse.Namespace) -> int:
    from sod_plugins.inference import export_network
    from sod_plugins.networks import load_network

    _require_writable_files([args.out])
    size = args.size and tuple(args.size)
    check = export_network(load_network(args.checkpoint), args.out, size=size, photo=args.photo)
    print(args.out)
    print(
        f'differs from torch by {check.saliency:.1e} in saliency and {check.logits:.1e} in logits '
        f'on {args.photo or "a drawn scene"}'
    )
    return 0


def _prune(args: argparse.Namespace) -> int:
    from sod_plugins.networks import CSNet, load_network, save_network
    from sod_plugins.networks.complexity import count_macs, count_macs_csnet, count_parameters
    from sod_plugins.optim import prune

    _require_writable_files([args.out])
    network = load_network(args.checkpoint)
    if not isinstance(network, CSNet):
        kind = type(network).__name__
        raise ValueError(f'{args.checkpoint} holds a network {kind!r}; only a CSNet can be pruned.')
    pruned = prune(
        network,
        threshold=args.threshold,
        ratio=args.ratio,
        rule=args.rule,
        at_least=args.at_least,
    )
    save_network(args.out, pruned)
    print(args.out)
    size = network.preprocessing.size
    for name, count in (
        ('parameters', count_parameters),
        ('MACs', lambda net: count_macs(net, size)),
        ("MACs, CSNet authors' counter", lambda net: count_macs_csnet(net, size)),
    ):
        before, after = count(network), count(pruned)
        print(f'{name + ":":30}{before:,} -> {after:,} ({after / before:.1%} left)')
    return 0


def _attention(args: argparse.Namespace) -> int:
    from sod_plugins.inference import save_attention

    _require_writable_files([args.out])
    save_attention(args.out, args.checkpoint, args.image, args.pixel, args.device)
    print(args.out)
    return 0


def _complexity(args: argparse.Namespace) -> int:
    from sod_plugins.visualization.facts import network_facts

    for name, value in network_facts(args.checkpoint, args.size and tuple(args.size)).items():
        print(f'{name + ":":30}{value}')
    return 0


def _require_writable_files(files: Sequence[Path | None]) -> None:
    """Refuse output files that could not be written, before any work."""
    from sod_plugins.data import require_writable

    for path in files:
        if path is None:
            continue
        if path.is_dir():
            raise IsADirectoryError(f"'{path}' is a folder. Name a file to write.")
        require_writable(path.parent)


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, without the usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f'{self.prog}: error: {message} ({self.prog} --help tells more)\n')


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog='sod', description='Salient object detection from the command line.')
    parser.add_argument('--version', action='version', version=f'sod_plugins {__version__}')
    verbs = parser.add_subparsers(metavar='VERB', required=True)
    _add_predict(verbs)
    _add_eval(verbs)
    _add_eval_instances(verbs)
    _add_report(verbs)
    _add_data(verbs)
    _add_network_verbs(verbs)
    return parser


_Verbs = argparse._SubParsersAction  # the type has no public name


def _add_predict(verbs: _Verbs[_Parser]) -> None:
    verb = verbs.add_parser(
        'predict', help='save the saliency maps or the salient instances of images'
    )
    verb.add_argument(
        'paths',
        nargs='+',
        metavar='PATH',
        help='image, folder (without its subfolders) or quoted pattern such as "shots/**/*.jpg"',
    )
    _add_path(
        verb,
        '-o',
        '--out-dir',
        metavar='DIR',
        required=True,
        help='maps: DIR/<stem>.png; S4Net: DIR/instances.json',
    )
    _add_path(verb, '--checkpoint', required=True, help='a network, or what sod export wrote')
    verb.add_argument('--cutout', action='store_true', help='RGBA cut-outs too: DIR/cutout/')
    verb.add_argument(
        '--overlay', action='store_true', help='tinted images too: DIR/overlay/ (S4Net: always)'
    )
    verb.add_argument('--crf', action='store_true', help="fit the maps to the photos' edges")
    verb.add_argument('--overwrite', action='store_true', help='predict again what is done')
    verb.add_argument('--device', help='such as cpu or cuda:1 (default: cuda where there is one)')
    verb.add_argument(
        '--backend',
        choices=BACKENDS,
        help='default: torch, or what reads the exported file; all others run on the CPU',
    )
    verb.set_defaults(run=_predict)


def _add_eval(verbs: _Verbs[_Parser]) -> None:
    verb = verbs.add_parser('eval', help='compare saliency maps with ground truth')
    verb.add_argument('pred_dir', type=Path, metavar='PRED_DIR')
    verb.add_argument('gt_dir', type=Path, metavar='GT_DIR')
    _add_evaluation_options(verb)
    _add_path(verb, '--json', help='write measures and curves')
    _add_path(verb, '--per-image', help='write the measures of every image as CSV')
    _add_path(verb, '--csv', help='write the table as CSV')
    _add_path(verb, '--markdown', help='write the table as Markdown')
    _add_path(verb, '--latex', help='write the table as LaTeX')
    verb.set_defaults(run=_eval)


def _add_eval_instances(verbs: _Verbs[_Parser]) -> None:
    verb = verbs.add_parser('eval-instances', help='compare salient instances with ground truth')
    verb.add_argument(
        'predictions',
        type=Path,
        metavar='PREDICTIONS',
        help="instances.json of sod predict, or COCO's list of results",
    )
    verb.add_argument(
        'ground_truth', type=Path, metavar='GROUND_TRUTH', help="COCO's JSON of the instances"
    )
    verb.add_argument(
        '--protocol',
        choices=INSTANCE_PROTOCOLS,
        default=INSTANCE_PROTOCOLS[0],
        help='default: %(default)s',
    )
    verb.add_argument(
        '--occlusion',
        type=float,
        default=0.1,
        metavar='SHARE',
        help='images with occlusion: two boxes share so much of the smaller (default: %(default)s)',
    )
    _add_path(verb, '--json', help='write the measures')
    verb.set_defaults(run=_eval_instances)


def _add_report(verbs: _Verbs[_Parser]) -> None:
    verb = verbs.add_parser('report', help='write one HTML page about an evaluation')
    verb.add_argument('pred_dir', type=Path, metavar='PRED_DIR')
    _add_path(verb, '--data', metavar='DIR', required=True, help='data set of the predictions')
    _add_path(verb, '-o', '--out', required=True, help='the page')
    _add_evaluation_options(verb)
    verb.add_argument('--title', help='heading (default: METHOD on DIR)')
    _add_path(verb, '--checkpoint', help='show the parameters and MACs of this network')
    _add_path(verb, '--config', help='show this config')
    verb.add_argument(
        '--compare',
        type=_named_file,
        action='append',
        default=[],
        metavar='NAME=FILE',
        help='draw the curves of another method too; FILE is from sod eval --json; repeatable',
    )
    verb.set_defaults(run=_report)


def _add_evaluation_options(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        '--protocol', choices=PROTOCOLS, default=PROTOCOLS[0], help='default: %(default)s'
    )
    _add_path(verb, '--list', help='text file of the images to score, one stem or path a line')
    verb.add_argument('--method', help="the method's name (default: that of PRED_DIR)")
    _add_path(verb, '--curves', help='write PR and F-measure curves as FILE.png and FILE.pdf')
    verb.add_argument(
        '--workers',
        type=_process_count,
        default=0,
        metavar='N',
        help='further processes (default: 0)',
    )


def _add_data(verbs: _Verbs[_Parser]) -> None:
    data = verbs.add_parser('data', help='check or generate data sets')
    data_verbs = data.add_subparsers(metavar='VERB', required=True)

    check = data_verbs.add_parser('check', help='read a data set and say what it holds')
    check.add_argument('root', type=Path, metavar='DIR')
    check.add_argument('--preset', metavar='NAME', help='compare with a published set, as duts-tr')
    _add_path(check, '--list', help='text file that selects images, one stem or path a line')
    for role in ('image', 'mask'):
        check.add_argument(f'--{role}-dir', metavar='DIR', help=f'folder of {role}s below the root')
        for part in ('prefix', 'suffix'):
            check.add_argument(
                f'--{role}-{part}', default='', metavar='TEXT', help=f'{part} of {role} names'
            )
    check.set_defaults(run=_check_data)

    synth = data_verbs.add_parser('synth', help='generate scenes with salient objects')
    synth.add_argument('out', type=Path, metavar='OUT', help='a new or empty folder')
    synth.add_argument('--count', type=int, default=1000, metavar='N', help='default: %(default)s')
    synth.add_argument('--seed', type=int, default=0, metavar='N', help='default: %(default)s')
    synth.add_argument('--size', type=int, nargs=2, default=(120, 160), metavar=('HEIGHT', 'WIDTH'))
    synth.add_argument(
        '--split', choices=SPLITS, default='train', help='splits have no scene in common'
    )
    synth.set_defaults(run=_synthesise_data)
    _add_instances(data_verbs)


def _add_instances(verbs: _Verbs[_Parser]) -> None:
    verb = verbs.add_parser('instances', help='convert labels of instances to the JSON of COCO')
    verb.add_argument('root', type=Path, metavar='DIR')
    verb.add_argument(
        '--coding', choices=CODINGS, required=True, help='what the labels are (see docs/data.md)'
    )
    _add_path(verb, '-o', '--out', required=True, help='the file, or the folder of a split')
    verb.add_argument('--image-dir', metavar='DIR', help='folder of images below the root')
    verb.add_argument('--label-dir', metavar='DIR', help='folder of labels below the root')
    _add_path(verb, '--list', help='text file that selects images, one stem or path a line')
    verb.add_argument(
        '--min-area', type=int, metavar='N', help='regions of fewer pixels become background'
    )
    verb.add_argument(
        '--split',
        type=int,
        nargs=3,
        metavar=('TRAIN', 'VAL', 'TEST'),
        help='draw parts of so many images: train.json, val.json, test.json',
    )
    verb.add_argument('--seed', type=int, default=0, metavar='N', help='of the split (default: 0)')
    verb.set_defaults(run=_convert_instances)


def _add_network_verbs(verbs: _Verbs[_Parser]) -> None:
    extract = verbs.add_parser('extract', help='take the network out of a training checkpoint')
    extract.add_argument('training_checkpoint', type=Path, metavar='TRAINING_CHECKPOINT')
    extract.add_argument('out', type=Path, metavar='OUT')
    extract.set_defaults(run=_extract)

    export = verbs.add_parser('export', help='write a network for ONNX Runtime or OpenVINO')
    export.add_argument('checkpoint', type=Path, metavar='CHECKPOINT')
    _add_path(export, '-o', '--out', metavar='FILE.onnx|FILE.xml', required=True, help='the file')
    _add_path(export, '--photo', help='photo to check the file with (default: a drawn scene)')
    export.add_argument(
        '--size',
        type=int,
        nargs=2,
        metavar=('HEIGHT', 'WIDTH'),
        help="size of the input (default: the checkpoint's)",
    )
    export.set_defaults(run=_export)

    prune = verbs.add_parser('prune', help='remove dispensable channels from a CSNet')
    prune.add_argument('checkpoint', type=Path, metavar='CHECKPOINT')
    _add_path(prune, '-o', '--out', metavar='OUT.pth', required=True, help='the smaller network')
    extent = prune.add_mutually_exclusive_group(required=True)
    extent.add_argument(
        '--threshold',
        type=float,
        metavar='T',
        help='remove channels of a lower score (paper: 1e-20)',
    )
    extent.add_argument(
        '--ratio',
        type=float,
        metavar='R',
        help='share of the parameters to leave; all layers and scales lose the same share',
    )
    prune.add_argument(
        '--rule',
        choices=PRUNING_RULES,
        default=PRUNING_RULES[0],
        help='what a channel is scored by (default: %(default)s, of its normalisation)',
    )
    prune.add_argument(
        '--at-least',
        type=int,
        default=0,
        metavar='N',
        help='channels that a layer keeps whatever the threshold (default: %(default)s)',
    )
    prune.set_defaults(run=_prune)

    attention = verbs.add_parser('attention', help='draw where pixels look, in a PiCANet')
    attention.add_argument('image', type=Path, metavar='IMAGE')
    _add_path(attention, '--checkpoint', required=True, help='a PiCANet')
    attention.add_argument(
        '--pixel',
        type=_pixel,
        action='append',
        required=True,
        metavar='X,Y',
        help='where to look from, in pixels of the photo from 0; may be repeated',
    )
    _add_path(attention, '-o', '--out', metavar='OUT.png', required=True, help='the figure')
    attention.add_argument('--device', help='such as cpu or cuda:1')
    attention.set_defaults(run=_attention)

    complexity = verbs.add_parser('complexity', help='count parameters and multiply-accumulates')
    complexity.add_argument('checkpoint', type=Path, metavar='CHECKPOINT')
    complexity.add_argument(
        '--size',
        type=int,
        nargs=2,
        metavar=('HEIGHT', 'WIDTH'),
        help="input to count for (default: the checkpoint's)",
    )
    complexity.set_defaults(run=_complexity)


def _add_path(
    verb: argparse.ArgumentParser,
    *names: str,
    help: str,
    metavar: str = 'FILE',
    required: bool = False,
) -> None:
    verb.add_argument(*names, type=Path, metavar=metavar, help=help, required=required)


def _process_count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of processes")
    return int(text)


def _pixel(text: str) -> tuple[int, int]:
    x, _, y = text.partition(',')
    if not (x.isdecimal() and y.isdecimal()):
        raise argparse.ArgumentTypeError(f"'{text}' is not of the form X,Y, two numbers from 0")
    return int(x), int(y)


def _named_file(text: str) -> tuple[str, Path]:
    name, equals, path = text.partition('=')
    if not (name and equals and path):
        raise argparse.ArgumentTypeError(f"'{text}' is not of the form NAME=FILE")
    return name, Path(path)


if __name__ == '__main__':
    sys.exit(main())
