"""What the verbs of ``sod`` do: each takes its parsed arguments and returns the exit status."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sod_plugins.inference import PredictionSummary


def predict(args: argparse.Namespace) -> int:
    """Write saliency maps or instances of images."""
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


def evaluate(args: argparse.Namespace) -> int:
    """Score a folder of saliency maps."""
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


def evaluate_instances(args: argparse.Namespace) -> int:
    """Score instances in COCO's form."""
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


def report(args: argparse.Namespace) -> int:
    """Write the page about an evaluation."""
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


def check_data(args: argparse.Namespace) -> int:
    """Read a data set and say what it holds."""
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


def synthesise_data(args: argparse.Namespace) -> int:
    """Generate scenes."""
    from sod_plugins.data import generate_scenes

    height, width = args.size
    folder = generate_scenes(
        args.out, args.count, seed=args.seed, size=(height, width), split=args.split, progress=True
    )
    print(f'{args.count} scenes in {folder}')
    return 0


def convert_instances(args: argparse.Namespace) -> int:
    """Write labels of instances in COCO's form."""
    from sod_plugins.data import SPLITS, convert_instances, split_instances, write_instances

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


def extract(args: argparse.Namespace) -> int:
    """Take the network out of a training checkpoint."""
    from sod_plugins.networks import extract_network

    _require_writable_files([args.out])
    extract_network(args.training_checkpoint, args.out)
    print(args.out)
    return 0


def export(args: argparse.Namespace) -> int:
    """Write a network for another engine, checked against torch."""
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


def prune(args: argparse.Namespace) -> int:
    """Remove channels of a CSNet."""
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


def attention(args: argparse.Namespace) -> int:
    """Draw where chosen pixels look."""
    from sod_plugins.inference import save_attention

    _require_writable_files([args.out])
    save_attention(args.out, args.checkpoint, args.image, args.pixel, args.device)
    print(args.out)
    return 0


def complexity(args: argparse.Namespace) -> int:
    """Count parameters and multiply-accumulates."""
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
