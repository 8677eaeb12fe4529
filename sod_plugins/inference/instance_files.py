"""Salient instances of files, folders and patterns, in COCO's JSON and drawn over the images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from tqdm import tqdm

from sod_plugins.data import DataError, Instances, read_image, require_writable, save_png
from sod_plugins.data.instance_file import InstanceFile
from sod_plugins.inference.files import PredictionSummary, check_targets, collect_images
from sod_plugins.inference.instance_predictor import InstancePredictor
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
    of 0.4 or more. Images that the file has already, and whose overlay is there, are skipped.

    While the run lasts, its images are in ``OUT/instances.jsonl``, a line each, which join the file
    at the end or when the run is interrupted. After a kill the next run goes on behind them. One
    run at a time may write to a folder.

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
        OSError: ``out_dir`` cannot be made or written to, or another run writes to it; nothing has
            been written.
        ValueError: Two images would be saved under one name, or the checkpoint or an older
            ``instances.json`` cannot be used; nothing has been written.
    """
    images = collect_images(paths)
    out_dir = Path(out_dir)
    overlays = {image: out_dir / OVERLAY / f'{image.stem}.png' for image in images}
    check_targets({image: {OVERLAY: overlay} for image, overlay in overlays.items()})
    require_writable(out_dir)
    predictor = InstancePredictor(network, device)
    summary = PredictionSummary()
    with InstanceFile(out_dir / INSTANCES, overwrite=overwrite) as file:
        for image in tqdm(images, desc='predict', unit='image', disable=not progress):
            if image.name in file and overlays[image].is_file():
                summary.skipped.append(image)
                continue
            try:
                pixels = read_image(image)
            except DataError as error:
                summary.unreadable[image] = str(error)
                continue
            found = predictor.predict(pixels)
            save_instance_overlay(overlays[image], pixels, found)
            file.add(image.name, found)
            summary.written.append(image)
    return summary


def save_instance_overlay(
    path: str | Path, image: NDArray[np.uint8], found: Instances, min_score: float = SHOWN
) -> None:
    """Save the image ``(H, W, 3)`` with its instances of at least a score drawn over it, as PNG."""
    save_png(path, draw_instances(image, found.masks, found.scores, found.boxes, min_score))
