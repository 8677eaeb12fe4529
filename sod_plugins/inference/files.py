"""Prediction for files, folders and patterns, which can be interrupted and resumed."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from sod_plugins._common.limits import MOST_IN_BATCH, MOST_WORKERS, require_number
from sod_plugins._common.names import OUTPUT_KINDS, ExifRule, OutputKind
from sod_plugins.data import list_files, require_writable
from sod_plugins.data.decoding import stated_pixels
from sod_plugins.data.encoding import FORMATS
from sod_plugins.inference.collecting import find_images, output_names, resolved
from sod_plugins.inference.image_work import ImageWork, PreparedImage
from sod_plugins.inference.manifest import Manifest
from sod_plugins.inference.outputs import DEFAULTS, output_format
from sod_plugins.inference.pipeline import run_pipeline
from sod_plugins.inference.rendering import OutputOptions, check_outputs
from sod_plugins.inference.runners import Runner, open_runner
from sod_plugins.inference.shards import Shard

if TYPE_CHECKING:
    import torch
    from torch import nn

    from sod_plugins.inference.dense_crf import DenseCRF

LONGEST_NAME = 255  # bytes, of file systems in common use
Targets = dict[OutputKind, Path]


# Of all images in memory together, at 15 to 25 bytes a pixel; a larger one is processed alone.
MOST_PIXELS = 96_000_000


@dataclass
class PredictionSummary:
    """The result of :func:`predict_files`.

    Attributes:
        written: Images predicted in this run.
        skipped: Images whose outputs all existed before.
        unreadable: Images that could not be read, or whose format is not read, with the reason.
        earlier: Outputs of earlier runs among the named files, which were ignored.
        crf_seconds: Time spent refining the maps of this run.
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
    options: OutputOptions = DEFAULTS,
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
    """Predict every image named by ``paths``, and save its outputs under ``out_dir``.

    ``OUT/<stem>.png`` is the saliency map, ``OUT/mask/<stem>.png`` the binary mask,
    ``OUT/cutout/<stem>.png`` the image with the map as its alpha channel, and
    ``OUT/overlay/<stem>.jpg`` the image tinted by the map, all at the size of the image. Images
    with the same folder and stem keep their full names: ``OUT/a.tiff.png``. Images whose requested
    outputs all exist are skipped, so an interrupted run continues where it stopped;
    ``OUT/sod-predict.json`` records the model and options, and is checked. If ``out_dir`` is the
    folder of the images, images in it that this package made are not inputs.

    Decoding, network and encoding overlap. If only maps and masks are requested, and the network
    takes antialiased input, JPEGs are decoded at reduced size. Models of the zoo with an exported
    file do not need torch if ONNX Runtime is installed.

    Args:
        paths: Files, folders and glob patterns.
        out_dir: The output folder, created if it does not exist.
        network: A checkpoint or an exported file, as for :func:`open_network`; ``zoo:NAME``; a
            network, as for :class:`SaliencyPredictor`; or what
            :func:`~sod_plugins.inference.runners.open_runner` returned. By default the default
            model.
        map: Whether to save the maps.
        mask: Whether to save the masks.
        cutout: Whether to save the cut-outs.
        overlay: Whether to save the overlays.
        options: The appearance of the outputs.
        suffix: Text after the stem in the names of the outputs.
        overwrite: Whether to predict images again whose outputs exist.
        recursive: Whether to include subfolders, and to keep the folders of the images below
            ``out_dir``, see :func:`~sod_plugins.inference.collecting.find_images`.
        exif: ``'apply'`` turns images upright by their stated orientation; ``'ignore'`` reads them
            as stored.
        edges: Whether to upsample the maps along the edges of the images, instead of bilinearly.
        crf: Refines each map before outputs are made from it; None for no refinement.
        backend: The backend for a file, as for :func:`open_network`.
        device: As for :class:`SaliencyPredictor`.
        workers: Number of threads that decode and encode in parallel to the network, each with one
            or two images in memory, of ``MOST_PIXELS`` at most together or alone if it has more;
            with 0, nothing overlaps.
        batch_size: Number of images that the network processes at once; by default 8 on CUDA,
            else 1.
        shard: The part of the images to predict in this run, if other runs predict the rest.
        ready: Returns whether an image may be read yet; others are left for a later run.
        progress: Whether to show a progress bar.

    Returns:
        The images predicted, skipped and unreadable; the latter do not stop the run.

    Raises:
        FileNotFoundError: A path or the checkpoint does not exist; nothing has been written.
        OSError: ``out_dir`` cannot be created or written to; nothing has been written.
        ValueError: Two images would be saved under one name, an output would overwrite its image,
            the images are images and masks of a data set, existing outputs were made by another
            model or with other options, or the checkpoint cannot be read; nothing has been
            written.
    """
    asked = {'map': map, 'mask': mask, 'cutout': cutout, 'overlay': overlay}
    kinds = [kind for kind in OUTPUT_KINDS if asked[kind]]
    check_outputs(kinds, options)
    require_number('workers', workers, 0, MOST_WORKERS)
    if batch_size is not None:
        require_number('batch_size', batch_size, 1, MOST_IN_BATCH, 'images')
    if {'/', os.sep, '\0'} & set(suffix):
        raise ValueError(f'suffix is {suffix!r}. Give text that may stand within a file name.')
    found = find_images(paths, recursive=recursive, out_dir=out_dir)
    names = output_names(found.names)
    targets = {
        image: _targets(name, Path(out_dir), kinds, options, suffix)
        for image, name in names.items()
    }
    check_targets(targets)
    require_writable(out_dir)
    runner = open_runner(network, backend, device)
    shard = shard or Shard()
    mine = [image for image in shard.take(targets) if ready is None or ready(image)]
    looks = describe_outputs(kinds, options, suffix, exif=exif, edges=edges, crf=crf)
    manifest = Manifest(shard.manifest(out_dir), runner.model, looks)
    manifest.begin(_any_there(targets[image] for image in mine), overwrite)
    summary = PredictionSummary(unreadable=dict(found.left_out), earlier=found.earlier)
    if not overwrite:
        summary.skipped = [i for i in mine if all(p.is_file() for p in targets[i].values())]
    skipped = set(summary.skipped)
    work = ImageWork(runner, kinds, options, exif, edges, crf)

    def save(image: Path, decoded: PreparedImage, small: Any) -> None:
        work.write(targets[image], decoded, small)

    results = run_pipeline(
        [image for image in mine if image not in skipped],
        work.decode,
        work.compute,
        save,
        workers=workers,
        batch_size=batch_size or runner.batch_size,
        weigh=_pixels,
        capacity=MOST_PIXELS,
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


def _pixels(image: Path) -> int:
    """Return the weight of an image: its pixels, or as much as may be if they are not known."""
    return stated_pixels(image) or MOST_PIXELS


def describe_outputs(
    kinds: Sequence[OutputKind], options: OutputOptions, suffix: str, **prediction: Any
) -> dict[str, Any]:
    """Return the settings that determine the outputs of each kind, as plain values."""
    common = {name: str(value) for name, value in prediction.items()} | {'suffix': suffix}
    return {kind: {**common, **options.describe(kind)} for kind in kinds}


def _any_there(targets: Iterable[Mapping[OutputKind, Path]]) -> bool:
    return any(target.is_file() for outputs in targets for target in outputs.values())


def _targets(
    name: Path, out_dir: Path, kinds: Sequence[OutputKind], options: OutputOptions, suffix: str
) -> Targets:
    """Return the output paths of an image."""
    targets: Targets = {}
    for kind in kinds:
        end = FORMATS[output_format(kind, options)].suffix
        folder = out_dir if kind == 'map' else out_dir / kind
        targets[kind] = folder / name.parent / f'{name.stem}{suffix}{end}'
    return targets


def check_targets(targets: Mapping[Path, Mapping[Any, Path]]) -> None:
    """Check that no two outputs share a file, and that no output overwrites an image.

    Args:
        targets: The output paths of each image, by kind.

    Raises:
        ValueError: A file would be overwritten, or its name would be too long.
    """
    sources = defaultdict(list)
    for image, outputs in targets.items():
        for target in outputs.values():
            sources[target].append(image)
    for target, images in sources.items():
        if len(images) > 1:
            raise ValueError(
                f"{list_files(images)} would be saved under one name, '{target}'. "
                'Keep their folders (recursive=True, --recursive), rename them, or predict them '
                'into different folders.'
            )
        if len(os.fsencode(target.name)) > LONGEST_NAME:
            raise ValueError(
                f"'{target}' would have a name of more than {LONGEST_NAME} bytes. Shorten that of "
                f"'{images[0]}', or the suffix."
            )
    originals = {resolved(image) for image in targets}
    for image, outputs in targets.items():
        for target in outputs.values():
            if resolved(target) in originals:
                raise ValueError(
                    f"The prediction of '{image}' would overwrite the image '{target}'. "
                    'Choose another output folder.'
                )
