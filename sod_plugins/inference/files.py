"""Prediction for files, folders and patterns, which can be interrupted and taken up again."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import nn
from tqdm import tqdm

from sod_plugins._common.names import ExifRule
from sod_plugins.data import DataError, list_files, read_photo, require_writable
from sod_plugins.inference.backends import open_network
from sod_plugins.inference.collecting import find_images, picture_names
from sod_plugins.inference.dense_crf import DenseCRF
from sod_plugins.inference.outputs import save_cutout, save_map, save_overlay
from sod_plugins.inference.predictor import SaliencyPredictor


@dataclass
class PredictionSummary:
    """What :func:`predict_files` did with each image.

    Attributes:
        written: Images predicted in this run.
        skipped: Images whose pictures were all there before.
        unreadable: Images that could not be read, or whose format is not, with the reason.
        earlier: Pictures of earlier runs among the files named, which were left out.
        crf_seconds: What refining the maps of this run took.
    """

    written: list[Path] = field(default_factory=list)
    skipped: list[Path] = field(default_factory=list)
    unreadable: dict[Path, str] = field(default_factory=dict)
    earlier: list[Path] = field(default_factory=list)
    crf_seconds: float = 0.0


def predict_files(
    paths: Sequence[str | Path],
    out_dir: str | Path,
    network: nn.Module | str | Path,
    *,
    cutout: bool = False,
    overlay: bool = False,
    overwrite: bool = False,
    recursive: bool = False,
    exif: ExifRule = 'apply',
    crf: DenseCRF | None = None,
    backend: str | None = None,
    device: str | torch.device | None = None,
    progress: bool = True,
) -> PredictionSummary:
    """Predict every image that ``paths`` name and save its pictures under ``out_dir``.

    ``OUT/<stem>.png`` is the saliency map, ``OUT/cutout/<stem>.png`` the image with the map as
    its alpha channel, ``OUT/overlay/<stem>.png`` the image tinted by the map, all at the image's
    size. Images of one folder and stem keep their whole names: ``OUT/a.tiff.png``. An image whose
    asked-for pictures are all there is skipped, so an interrupted run goes on where it stopped;
    whether the same checkpoint and options made them is not checked. Where ``out_dir`` is the
    images' own folder, pictures that this package made there are no images.

    Args:
        paths: Files, folders and glob patterns.
        out_dir: Folder for the pictures, made where it is absent.
        network: A checkpoint or an exported file, as for :func:`open_network`, or a network, as
            for :class:`SaliencyPredictor`.
        cutout: Save the cut-outs too.
        overlay: Save the overlays too.
        overwrite: Predict also what is done already.
        recursive: Take the subfolders of folders too, and keep the images' folders below
            ``out_dir``, see :func:`~sod_plugins.inference.collecting.find_images`.
        exif: ``'apply'`` turns images upright by the orientation that they state, ``'ignore'``
            leaves them as they are stored.
        crf: Refines each map before any picture is made of it; None leaves them.
        backend: What runs the network in a file, as for :func:`open_network`.
        device: As for :class:`SaliencyPredictor`.
        progress: Show a progress bar.

    Returns:
        Which images were predicted, skipped or unreadable; the last stop nothing.

    Raises:
        FileNotFoundError: A path or the checkpoint does not exist; nothing has been written.
        OSError: ``out_dir`` cannot be made or written to; nothing has been written.
        ValueError: Two images would be saved under one name, or a picture over its own image, the
            images are photos and masks of a data set, or the checkpoint cannot be read; nothing has
            been written.
    """
    found = find_images(paths, recursive=recursive, out_dir=out_dir)
    targets = {
        image: _targets(name, Path(out_dir), cutout, overlay)
        for image, name in picture_names(found.names).items()
    }
    check_targets(targets)
    require_writable(out_dir)
    if not isinstance(network, nn.Module):
        network = open_network(network, backend)
    predictor = SaliencyPredictor(network, device)
    summary = PredictionSummary(unreadable=dict(found.left_out), earlier=found.earlier)
    for image in tqdm(found.names, desc='predict', unit='image', disable=not progress):
        if not overwrite and all(target.is_file() for target in targets[image].values()):
            summary.skipped.append(image)
            continue
        try:
            photo = read_photo(image, exif)
        except DataError as error:
            summary.unreadable[image] = str(error)
            continue
        saliency = predictor.predict(photo.pixels)
        if crf is not None:
            start = time.perf_counter()
            saliency = crf.refine(photo.pixels, saliency)
            summary.crf_seconds += time.perf_counter() - start
        pictures = targets[image]
        save_map(pictures['map'], saliency)
        if cutout:
            save_cutout(pictures['cutout'], photo, saliency)
        if overlay:
            save_overlay(pictures['overlay'], photo, saliency)
        summary.written.append(image)
    return summary


def _targets(name: Path, out_dir: Path, cutout: bool, overlay: bool) -> dict[str, Path]:
    targets = {'map': out_dir / name}
    if cutout:
        targets['cutout'] = out_dir / 'cutout' / name
    if overlay:
        targets['overlay'] = out_dir / 'overlay' / name
    return targets


def check_targets(targets: dict[Path, dict[str, Path]]) -> None:
    """Refuse a run that would write two images' pictures to one file, or one over an image.

    Args:
        targets: The pictures of each image, by kind.

    Raises:
        ValueError: If it would.
    """
    sources = defaultdict(list)
    for image, pictures in targets.items():
        for target in pictures.values():
            sources[target].append(image)
    for target, images in sources.items():
        if len(images) > 1:
            raise ValueError(
                f"{list_files(images)} would be saved under one name, '{target}'. "
                'Keep their folders (recursive=True, --recursive), rename them, or predict them '
                'into different folders.'
            )
    originals = {image.resolve() for image in targets}
    for image, pictures in targets.items():
        for target in pictures.values():
            if target.resolve() in originals:
                raise ValueError(
                    f"The prediction of '{image}' would overwrite the image '{target}'. "
                    'Choose another output folder.'
                )
