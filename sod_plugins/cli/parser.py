"""The verbs of ``sod`` and their arguments."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NoReturn

from sod_plugins import __version__
from sod_plugins.cli import commands

# As in `metrics`, `data` and `inference`, which a test compares. Each verb imports what it needs
# when it runs, so that `sod --version` and `sod --help` answer at once.
PROTOCOLS = ('pysodmetrics', 'salmetric', 'fastsaliency', 'survey')
INSTANCE_PROTOCOLS = ('coco', 's4net')
SPLITS = ('train', 'val', 'test')
CODINGS = ('numbers', 'colours', 'masks', 'polygons', 'yolo')
BACKENDS = ('torch', 'numba', 'onnxruntime', 'openvino')
PRUNING_RULES = ('gamma', 'filters', 'geometric_median')
OCCLUSION = 0.1


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, without the usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f'{self.prog}: error: {message} ({self.prog} --help tells more)\n')


def build_parser() -> argparse.ArgumentParser:
    """Return the parser, whose result has the command to ``run``."""
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
    verb.set_defaults(run=commands.predict)


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
    verb.set_defaults(run=commands.evaluate)


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
        default=OCCLUSION,
        metavar='SHARE',
        help='images with occlusion: two boxes share so much of the smaller (default: %(default)s)',
    )
    _add_path(verb, '--json', help='write the measures')
    verb.set_defaults(run=commands.evaluate_instances)


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
        type=named_file,
        action='append',
        default=[],
        metavar='NAME=FILE',
        help='draw the curves of another method too; FILE is from sod eval --json; repeatable',
    )
    verb.set_defaults(run=commands.report)


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
    check.set_defaults(run=commands.check_data)

    synth = data_verbs.add_parser('synth', help='generate scenes with salient objects')
    synth.add_argument('out', type=Path, metavar='OUT', help='a new or empty folder')
    synth.add_argument('--count', type=int, default=1000, metavar='N', help='default: %(default)s')
    synth.add_argument('--seed', type=int, default=0, metavar='N', help='default: %(default)s')
    synth.add_argument('--size', type=int, nargs=2, default=(120, 160), metavar=('HEIGHT', 'WIDTH'))
    synth.add_argument(
        '--split', choices=SPLITS, default='train', help='splits have no scene in common'
    )
    synth.set_defaults(run=commands.synthesise_data)
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
    verb.set_defaults(run=commands.convert_instances)


def _add_network_verbs(verbs: _Verbs[_Parser]) -> None:
    extract = verbs.add_parser('extract', help='take the network out of a training checkpoint')
    extract.add_argument('training_checkpoint', type=Path, metavar='TRAINING_CHECKPOINT')
    extract.add_argument('out', type=Path, metavar='OUT')
    extract.set_defaults(run=commands.extract)

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
    export.set_defaults(run=commands.export)

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
    prune.set_defaults(run=commands.prune)

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
    attention.set_defaults(run=commands.attention)

    complexity = verbs.add_parser('complexity', help='count parameters and multiply-accumulates')
    complexity.add_argument('checkpoint', type=Path, metavar='CHECKPOINT')
    complexity.add_argument(
        '--size',
        type=int,
        nargs=2,
        metavar=('HEIGHT', 'WIDTH'),
        help="input to count for (default: the checkpoint's)",
    )
    complexity.set_defaults(run=commands.complexity)


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


def named_file(text: str) -> tuple[str, Path]:
    """Read NAME=FILE, an argument's ``type``."""
    name, equals, path = text.partition('=')
    if not (name and equals and path):
        raise argparse.ArgumentTypeError(f"'{text}' is not of the form NAME=FILE")
    return name, Path(path)
