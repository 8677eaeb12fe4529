"""Prediction for files, folders and patterns, which can be interrupted and taken up again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from sod_plugins._common.names import PICTURE_KINDS, ExifRule, PictureKind
from sod_plugins.data import list_files, require_writable
from sod_plugins.data.encoding import FORMATS
from sod_plugins.inference.collecting import find_images, picture_names
from sod_plugins.inference.image_work import DecodedImage, ImageWork
from sod_plugins.inference.manifest import Manifest
from sod_plugins.inference.outputs import DEFAULTS, picture_format
from sod_plugins.inference.pictures import PictureOptions, check_pictures
from sod_plugins.inference.pipeline import run_pipeline
from sod_plugins.inference.runners import Runner, open_runner
from sod_plugins.inference.shards import Shard

if TYPE_CHECKING:
    import torch
    from torch import nn

    from sod_plugins.inference.dense_crf import DenseCRF

Targets = dict[PictureKind, Path]


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
    network: nn.Module | Runner | str | Path | None = None,
    *,
    map: bool = True,
    mask: bool = False,
    cutout: bool = False,
    overlay: bool = False,
    options: PictureOptions = DEFAULTS,
    suffix: str = '',
    overwrite: bool = False,
    recursive: bool = False,
    exif: ExifRule = 'apply',
    edges: bool = False,
    crf: DenseCRF | None = None,
    backend: str | None = None,
    device: str | torch.device | None = None,
    workers: int = 2,
    batch_size: int | None = None,
    shard: Shard | None = None,
    ready: Callable[[Path], bool] | None = None,
    progress: bool = True,
) -> PredictionSummary:
    """Predict every image that ``paths`` name and save its pictures under ``out_dir``.

    ``OUT/<stem>.png`` is the saliency map, ``OUT/mask/<stem>.png`` the map as black and white,
    ``OUT/cutout/<stem>.png`` the image with the map as its alpha channel, and
    ``OUT/overlay/<stem>.jpg`` the image tinted by the map, all at the image's size. Images of one
    folder and stem keep their whole names: ``OUT/a.tiff.png``. An image whose asked-for pictures
    are all there is skipped, so an interrupted run goes on where it stopped;
    ``OUT/sod-predict.json`` says which model and options made them, and is checked. Where
    ``out_dir`` is the images' own folder, pictures that this package made there are no images.

    Decoding, network and encoding overlap. Where maps and masks alone are wanted, and the network
    takes its input antialiased, JPEGs are decoded at a reduced size. Models of the zoo that have an
    exported file need no torch where ONNX Runtime is installed.

    Args:
        paths: Files, folders and glob patterns.
        out_dir: Folder for the pictures, made where it is absent.
        network: A checkpoint or an exported file, as for :func:`open_network`; ``zoo:NAME``; by
            default the default model; a network, as for :class:`SaliencyPredictor`; or what
            :func:`~sod_plugins.inference.runners.open_runner` returned.
        map: Save the maps.
        mask: Save the masks.
        cutout: Save the cut-outs.
        overlay: Save the overlays.
        options: How the pictures look.
        suffix: What the pictures' names have after the stem.
        overwrite: Predict also what is done already.
        recursive: Take the subfolders of folders too, and keep the images' folders below
            ``out_dir``, see :func:`~sod_plugins.inference.collecting.find_images`.
        exif: ``'apply'`` turns images upright by the orientation that they state, ``'ignore'``
            leaves them as they are stored.
        edges: Enlarge the maps along the images' edges, and not bilinearly.
        crf: Refines each map before any picture is made of it; None leaves them.
        backend: What runs the network in a file, as for :func:`open_network`.
        device: As for :class:`SaliencyPredictor`.
        workers: Threads that decode and encode beside the network, each with a photo or two in
            memory; with 0, nothing overlaps.
        batch_size: Images that go through the network at once; by default 8 on CUDA, else 1.
        shard: The part of the images that this run predicts, if others predict the rest.
        ready: Whether an image may be read yet; the others are left for a later run.
        progress: Show a progress bar.

    Returns:
        Which images were predicted, skipped or unreadable; the last stop nothing.

    Raises:
        FileNotFoundError: A path or the checkpoint does not exist; nothing has been written.
        OSError: ``out_dir`` cannot be made or written to; nothing has been written.
        ValueError: Two images would be saved under one name, or a picture over its own image, the
            images are photos and masks of a data set, the pictures that are there were made by
            another model or other options, or the checkpoint cannot be read; nothing has been
            written.
    """
    asked = {'map': map, 'mask': mask, 'cutout': cutout, 'overlay': overlay}
    kinds = [kind for kind in PICTURE_KINDS if asked[kind]]
    check_pictures(kinds, options)
    if workers < 0:
        raise ValueError(f'workers is {workers}. Give 0 or more.')
    if batch_size is not None and batch_size < 1:
        raise ValueError(f'batch_size is {batch_size}. Give 1 or more.')
    found = find_images(paths, recursive=recursive, out_dir=out_dir)
    names = picture_names(found.names)
    targets = {
        image: _targets(name, Path(out_dir), kinds, options, suffix)
        for image, name in names.items()
    }
    check_targets(targets)
    require_writable(out_dir)
    runner = open_runner(network, backend, device)
    shard = shard or Shard()
    mine = [image for image in shard.take(targets) if ready is None or ready(image)]
    looks = describe_pictures(kinds, options, suffix, exif=exif, edges=edges, crf=crf)
    manifest = Manifest(shard.manifest(out_dir), runner.model, looks)
    manifest.begin(_any_there(targets[image] for image in mine), overwrite)
    summary = PredictionSummary(unreadable=dict(found.left_out), earlier=found.earlier)
    if not overwrite:
        summary.skipped = [i for i in mine if all(p.is_file() for p in targets[i].values())]
    skipped = set(summary.skipped)
    work = ImageWork(runner, kinds, options, exif, edges, crf)

    def save(image: Path, decoded: DecodedImage, small: Any) -> None:
        work.write(targets[image], decoded, small)

    results = run_pipeline(
        [image for image in mine if image not in skipped],
        work.decode,
        work.compute,
        save,
        workers=workers,
        batch_size=batch_size or runner.batch_size,
    )
    with tqdm(
        total=len(mine), initial=len(skipped), desc='predict', unit='image', disable=not progress
    ) as bar:
        for image, error in results:
            if error is None:
                summary.written.append(image)
            else:
                summary.unreadable[image] = str(error)
            bar.update()
    summary.crf_seconds = work.crf_seconds
    manifest.finish(**shard.results(names, mine, summary.unreadable))
    return summary


def describe_pictures(
    kinds: Sequence[PictureKind], options: PictureOptions, suffix: str, **prediction: Any
) -> dict[str, Any]:
    """Return what decides how the pictures of each kind look, as plain values for a manifest."""
    common = {name: str(value) for name, value in prediction.items()} | {'suffix': suffix}
    return {kind: {**common, **options.describe(kind)} for kind in kinds}


def _any_there(targets: Iterable[Mapping[PictureKind, Path]]) -> bool:
    return any(target.is_file() for pictures in targets for target in pictures.values())


def _targets(
    name: Path, out_dir: Path, kinds: Sequence[PictureKind], options: PictureOptions, suffix: str
) -> Targets:
    """Return where the pictures of an image go."""
    targets: Targets = {}
    for kind in kinds:
        end = FORMATS[picture_format(kind, options)].suffix
        folder = out_dir if kind == 'map' else out_dir / kind
        targets[kind] = folder / name.parent / f'{name.stem}{suffix}{end}'
    return targets


def check_targets(targets: Mapping[Path, Mapping[Any, Path]]) -> None:
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
