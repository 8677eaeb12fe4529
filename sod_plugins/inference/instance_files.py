"""Salient instances of files, folders and patterns, in COCO's JSON and drawn over the images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from tqdm import tqdm

from sod_plugins.data import DataError, read_image, read_instances, require_writable, save_png
from sod_plugins.data.instances import Coco, new_coco, write_instances
from sod_plugins.data.rle import compress_rle, encode_rle
from sod_plugins.inference.files import PredictionSummary, check_targets, collect_images
from sod_plugins.inference.instance_predictor import InstancePredictor, Instances
from sod_plugins.visualization.instance_overlays import SHOWN, draw_instances

INSTANCES, OVERLAY = 'instances.json', 'overlay'


def predict_instance_files(
    paths: Sequence[str | Path],
    out_dir: str | Path,
    network: nn.Module | str | Path,
    *,
    overwrite: bool = False,
    device: str | torch.device | None = None,
    progress: bool = True,
) -> PredictionSummary:
    """Find the salient instances of every image that ``paths`` name.

    ``OUT/instances.json`` holds ``images`` with their ``file_name`` and ``annotations`` with
    ``segmentation`` (compressed RLE), ``bbox`` (left, top, width, height in pixels of the image),
    ``score`` and ``category_id`` 1, best first. ``OUT/overlay/<stem>.png`` shows those of a score
    of 0.4 or more. Images that the file has already, and whose overlay is there, are skipped; an
    interrupted run writes what it has.

    Args:
        paths: Files, folders (not their subfolders) and glob patterns.
        out_dir: Folder for the results, made where it is absent.
        network: As for :class:`InstancePredictor`.
        overwrite: Forget an older file and predict all images.
        device: As for :class:`InstancePredictor`.
        progress: Show a progress bar.

    Returns:
        Which images were predicted, skipped or unreadable; the last stop nothing.

    Raises:
        FileNotFoundError: A path or the checkpoint does not exist; nothing has been written.
        OSError: ``out_dir`` cannot be made or written to; nothing has been written.
        ValueError: Two images would be saved under one name, or the checkpoint or an older
            ``instances.json`` cannot be used; nothing has been written.
    """
    images = collect_images(paths)
    out_dir = Path(out_dir)
    overlays = {image: out_dir / OVERLAY / f'{image.stem}.png' for image in images}
    check_targets({image: {OVERLAY: overlay} for image, overlay in overlays.items()})
    require_writable(out_dir)
    file = out_dir / INSTANCES
    coco = read_instances(file, predicted=True) if file.exists() and not overwrite else new_coco()
    done = {image['file_name'] for image in coco['images']}
    predictor = InstancePredictor(network, device)
    summary = PredictionSummary()
    try:
        for image in tqdm(images, desc='predict', unit='image', disable=not progress):
            if image.name in done and overlays[image].is_file():
                summary.skipped.append(image)
                continue
            try:
                pixels = read_image(image)
            except DataError as error:
                summary.unreadable[image] = str(error)
                continue
            found = predictor.predict(pixels)
            save_instance_overlay(overlays[image], pixels, found)
            _append(coco, image.name, found)
            summary.written.append(image)
    finally:
        if summary.written:
            write_instances(file, coco)
    return summary


def save_instance_overlay(
    path: str | Path, image: NDArray[np.uint8], found: Instances, min_score: float = SHOWN
) -> None:
    """Save the image ``(H, W, 3)`` with its instances of at least a score drawn over it, as PNG."""
    save_png(path, draw_instances(image, found.masks, found.scores, found.boxes, min_score))


def _append(coco: Coco, file_name: str, found: Instances) -> None:
    """Add an image and its instances; what the file said of the image before is dropped."""
    stale = {image['id'] for image in coco['images'] if image['file_name'] == file_name}
    if stale:
        coco['images'] = [image for image in coco['images'] if image['id'] not in stale]
        coco['annotations'] = [a for a in coco['annotations'] if a['image_id'] not in stale]
    index = 1 + max((image['id'] for image in coco['images']), default=0)
    first = 1 + max((annotation['id'] for annotation in coco['annotations']), default=0)
    height, width = found.masks.shape[1:]
    coco['images'].append({'id': index, 'file_name': file_name, 'height': height, 'width': width})
    for number, (box, score, mask) in enumerate(
        zip(found.boxes.tolist(), found.scores.tolist(), found.masks, strict=True)
    ):
        x1, y1, x2, y2 = box
        coco['annotations'].append(
            {
                'id': first + number,
                'image_id': index,
                'category_id': 1,
                'segmentation': compress_rle(encode_rle(mask)),
                'bbox': [round(v, 3) for v in (x1, y1, x2 - x1, y2 - y1)],
                'area': int(mask.sum()),
                'iscrowd': 0,
                'score': round(score, 6),
            }
        )
