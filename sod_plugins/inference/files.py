"""Prediction for files, folders and patterns, which can be interrupted and taken up again."""

from __future__ import annotations

import glob
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import nn
from tqdm import tqdm

from sod_plugins.data import DataError, image_files, list_files, read_image, require_writable
from sod_plugins.inference.backends import open_network
from sod_plugins.inference.dense_crf import DenseCRF
from sod_plugins.inference.outputs import save_cutout, save_map, save_overlay
from sod_plugins.inference.predictor import SaliencyPredictor


@dataclass
class PredictionSummary:
    """What :func:`predict_files` did with each image.

    Attributes:
        written: Images predicted in this run.
        skipped: Images whose pictures were all there before.
        unreadable: Images that could not be read, with the reason.
        crf_seconds: What refining the maps of this run took.
    """

    written: list[Path] = field(default_factory=list)
    skipped: list[Path] = field(default_factory=list)
    unreadable: dict[Path, str] = field(default_factory=dict)
    crf_seconds: float = 0.0


def collect_images(paths: Iterable[str | Path]) -> list[Path]:
    """List the images that files, folders and glob patterns name.

    A folder stands for the image files directly in it, not for those of its subfolders: the
    pattern ``folder/**/*.jpg`` reaches these. Hidden files and other extensions are left out of
    folders and patterns; a file named in full is taken as it is. An image named twice counts
    once.

    Raises:
        FileNotFoundError: A file is absent, or a folder or pattern holds no image.
    """
    images: dict[Path, Path] = {}
    for path in map(Path, paths):
        if path.is_file():
            found = [path]
        elif path.is_dir():
            found = image_files(path.iterdir())
        else:
            # Path.glob takes no absolute pattern.
            matches = glob.glob(str(path), recursive=True)  # noqa: PTH207
            found = image_files(map(Path, matches))
        if not found:
            what = 'has no image in it' if path.is_dir() else 'is no file, folder or pattern'
            raise FileNotFoundError(f"'{path}' {what}. Name images that exist.")
        images.update((image.resolve(), image) for image in found)
    return list(images.values())


def predict_files(
    paths: Sequence[str | Path],
    out_dir: str | Path,
    network: nn.Module | str | Path,
    *,
    cutout: bool = False,
    overlay: bool = False,
    overwrite: bool = False,
    crf: DenseCRF | None = None,
    backend: str | None = None,
    device: str | torch.device | None = None,
    progress: bool = True,
) -> PredictionSummary:
    """Predict every image that ``paths`` name and save its pictures under ``out_dir``.

    ``OUT/<stem>.png`` is the saliency map, ``OUT/cutout/<stem>.png`` the image with the map as
    its alpha channel, ``OUT/overlay/<stem>.png`` the image tinted by the map, all at the image's
    size. An image whose asked-for pictures are all there is skipped, so an interrupted run goes
    on where it stopped; whether the same checkpoint and options made them is not checked.

    Args:
        paths: Files, folders (not their subfolders) and glob patterns.
        out_dir: Folder for the pictures, made where it is absent.
        network: A checkpoint or an exported file, as for :func:`open_network`, or a network, as
            for :class:`SaliencyPredictor`.
        cutout: Save the cut-outs too.
        overlay: Save the overlays too.
        overwrite: Predict also what is done already.
        crf: Refines each map before any picture is made of it; None leaves them.
        backend: What runs the network in a file, as for :func:`open_network`.
        device: As for :class:`SaliencyPredictor`.
        progress: Show a progress bar.

    Returns:
        Which images were predicted, skipped or unreadable; the last stop nothing.

    Raises:
        FileNotFoundError: A path or the checkpoint does not exist; nothing has been written.
        OSError: ``out_dir`` cannot be made or written to; nothing has been written.
        ValueError: Two images would be saved under one name, or a picture over its own image, or
            the checkpoint cannot be read; nothing has been written.
    """
    images = collect_images(paths)
    targets = {image: _targets(image, Path(out_dir), cutout, overlay) for image in images}
    check_targets(targets)
    require_writable(out_dir)
    if not isinstance(network, nn.Module):
        network = open_network(network, backend)
    predictor = SaliencyPredictor(network, device)
    summary = PredictionSummary()
    for image in tqdm(images, desc='predict', unit='image', disable=not progress):
        if not overwrite and all(target.is_file() for target in targets[image].values()):
            summary.skipped.append(image)
            continue
        try:
            pixels = read_image(image)
        except DataError as error:
            summary.unreadable[image] = str(error)
            continue
        saliency = predictor.predict(pixels)
        if crf is not None:
            start = time.perf_counter()
            saliency = crf.refine(pixels, saliency)
            summary.crf_seconds += time.perf_counter() - start
        pictures = targets[image]
        save_map(pictures['map'], saliency)
        if cutout:
            save_cutout(pictures['cutout'], pixels, saliency)
        if overlay:
            save_overlay(pictures['overlay'], pixels, saliency)
        summary.written.append(image)
    return summary


def _targets(image: Path, out_dir: Path, cutout: bool, overlay: bool) -> dict[str, Path]:
    name = f'{image.stem}.png'
    targets = {'map': out_dir / name}
    if cutout:
        targets['cutout'] = out_dir / 'cutout' / name
    if overlay:
        targets['overlay'] = out_dir / 'overlay' / name
    return targets


def check_targets(targets: dict[Path, dict[str, Path]]) -> None:
    """Refuse a run that would write two images' pictures to one file, or one over an image.

    Args:
        targets: The pictures of each image, by kind; the first kind is always written.

    Raises:
        ValueError: If it would.
    """
    sources = defaultdict(list)
    for image, pictures in targets.items():
        sources[next(iter(pictures.values()))].append(image)
    for target, images in sources.items():
        if len(images) > 1:
            raise ValueError(
                f"{list_files(images)} would be saved under one name, '{target}'. "
                'Rename them, or predict them into different folders.'
            )
    originals = {image.resolve() for image in targets}
    for image, pictures in targets.items():
        for target in pictures.values():
            if target.resolve() in originals:
                raise ValueError(
                    f"The prediction of '{image}' would overwrite the image '{target}'. "
                    'Choose another output folder.'
                )
