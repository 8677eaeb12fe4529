"""Predict the salient instances of files, folders and patterns, as COCO JSON and overlays."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from tqdm import tqdm

from sod_plugins._common.names import ExifRule
from sod_plugins._common.writing import write_bytes
from sod_plugins.data import DataError, Instances, encode_image, read_image, require_writable
from sod_plugins.data.instance_file import InstanceFile
from sod_plugins.inference.collecting import find_images, output_names
from sod_plugins.inference.files import PredictionSummary, check_targets
from sod_plugins.inference.instance_predictor import InstancePredictor
from sod_plugins.inference.manifest import Manifest, identify
from sod_plugins.inference.shards import Shard
from sod_plugins.visualization.instance_overlays import SHOWN, draw_instances

INSTANCES, OVERLAY = 'instances', 'overlay'


def predict_instance_files(
    paths: Sequence[str | Path],
    out_dir: str | Path,
    network: nn.Module | str | Path,
    *,
    overwrite: bool = False,
    recursive: bool = False,
    exif: ExifRule = 'apply',
    device: str | torch.device | None = None,
    shard: Shard | None = None,
    progress: bool = True,
) -> PredictionSummary:
    """Find the salient instances of every image named by ``paths``.

    ``OUT/instances.json`` holds ``images`` with their ``file_name`` and ``annotations`` with
    ``segmentation`` (compressed RLE), ``bbox`` (left, top, width, height in pixels of the image),
    ``score`` and ``category_id`` 1, best first. ``OUT/overlay/<stem>.jpg`` shows those with scores
    of at least 0.5; images with the same folder and stem keep their full names there. Images that
    are in the file and have an overlay are skipped.

    While the run lasts, its images are lines in ``OUT/instances.jsonl``, which are merged into the
    file at the end or when the run is interrupted. After a kill the next run continues after them.
    Only one run at a time may write to a folder.

    Args:
        paths: Files, folders and glob patterns.
        out_dir: The output folder, created if it does not exist.
        network: As for :class:`InstancePredictor`.
        overwrite: Whether to discard an older file and predict all images.
        recursive: Whether to include subfolders, and to keep the folders of the images in the
            overlays and in ``file_name``.
        exif: As for :func:`predict_files`.
        device: As for :class:`InstancePredictor`.
        shard: The part of the images to predict in this run, if other runs predict the rest.
        progress: Whether to show a progress bar.

    Returns:
        The images predicted, skipped and unreadable; the latter do not stop the run.

    Raises:
        FileNotFoundError: A path or the checkpoint does not exist; nothing has been written.
        OSError: ``out_dir`` cannot be created or written to, or another run writes to it; nothing
            has been written.
        ValueError: Two images would be saved under one name, they are images and masks of a data
            set, or the checkpoint or an older ``instances.json`` cannot be used; nothing has been
            written.
    """
    out_dir = Path(out_dir)
    found = find_images(paths, recursive=recursive, out_dir=out_dir)
    images = found.names
    names = output_names(images)
    overlays = {
        image: (out_dir / OVERLAY / name).with_suffix('.jpg') for image, name in names.items()
    }
    check_targets({image: {OVERLAY: overlay} for image, overlay in overlays.items()})
    require_writable(out_dir)
    predictor = InstancePredictor(network, device)
    summary = PredictionSummary(unreadable=dict(found.left_out), earlier=found.earlier)
    shard = shard or Shard()
    mine = shard.take(images)
    manifest = Manifest(shard.manifest(out_dir), identify(network), {INSTANCES: {'exif': exif}})
    with InstanceFile(shard.instances(out_dir), overwrite=overwrite) as file:
        manifest.begin(any(images[image].as_posix() in file for image in mine), overwrite)
        for image in tqdm(mine, desc='predict', unit='image', disable=not progress):
            name = images[image].as_posix()
            if name in file and overlays[image].is_file():
                summary.skipped.append(image)
                continue
            try:
                pixels = read_image(image, exif)
            except DataError as error:
                summary.unreadable[image] = str(error)
                continue
            instances = predictor.predict(pixels)
            save_instance_overlay(overlays[image], pixels, instances)
            file.add(name, instances)
            summary.written.append(image)
    manifest.finish(**shard.results(names, mine, summary.unreadable))
    return summary


def save_instance_overlay(
    path: str | Path, image: NDArray[np.uint8], found: Instances, min_score: float = SHOWN
) -> None:
    """Save the image ``(H, W, 3)`` with its instances of at least a score drawn over it.

    The format is JPEG if the path ends in ``.jpg`` or ``.jpeg``, else PNG.
    """
    drawn = draw_instances(image, found.masks, found.scores, found.boxes, min_score)
    is_jpeg = Path(path).suffix.lower() in ('.jpg', '.jpeg')
    write_bytes(path, encode_image(drawn, 'jpeg' if is_jpeg else 'png'))
