r"""Show how ITDBU's maps change from pass to pass (Fig. 1 and 4), and measure it (Tab. 3).

    python tools/analysis_tools/itdbu_iterations.py itdbu.pth photo.jpg -o views
    python tools/analysis_tools/itdbu_iterations.py itdbu.pth data/msra10k/images \
        --list data/msra10k/test.txt --masks data/msra10k/masks

With -o, every map of an image is saved as DIR/<stem>/n<iteration>_<direction>_s<level>.png, and
all of them in one figure, DIR/<stem>.png (needs matplotlib). With --masks, the mean absolute error
of every side output is printed, and stands in the figures.

A side output is the map after the last step of a layer. Each is brought to the input's size and
then to the image's, in 8 bits (truncated), as `sod predict` does with the last one: the error of
S1 in the last iteration is that of `sod eval --protocol salmetric`.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from sod_plugins.data import (
    DataError,
    image_files,
    list_files,
    listed_stems,
    read_image,
    read_mask,
    require_writable,
    save_png,
)
from sod_plugins.inference import SaliencyPredictor, collect_images
from sod_plugins.networks import ITDBU, saliency_map, to_uint8
from sod_plugins.ops import resize_bilinear
from sod_plugins.optim.denormals import flush_denormals
from sod_plugins.visualization.curves import require_matplotlib, save_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Pixels = NDArray[np.uint8]
NAMES = {'top_down': 'top-down', 'bottom_up': 'bottom-up'}


class Pass(NamedTuple):
    """One way through the levels; iterations count from 1."""

    iteration: int
    direction: str


class Spot(NamedTuple):
    """Where a side output is; level 1 is the finest."""

    run: Pass
    level: int


@torch.inference_mode()
def side_maps(predictor: SaliencyPredictor, image: Pixels) -> dict[Spot, Pixels]:
    """Return every side output of an RGB image (H, W, 3), in 8 bits (H, W), in order."""
    batch = predictor.preprocessing.apply(image).to(predictor.device)
    maps = {}
    for output in predictor.network.side_outputs(batch, last_step_only=True):
        logits = resize_bilinear(output.logits.float(), tuple(batch.shape[-2:]))
        spot = Spot(Pass(output.iteration, output.direction), output.level)
        maps[spot] = to_uint8(saliency_map(logits, image.shape[:2]))[0, 0]
    return maps


def mean_absolute_errors(
    maps: Mapping[Spot, Pixels], mask: NDArray[np.float32]
) -> dict[Spot, float]:
    """Compare every map with the mask (H, W) in [0, 1]."""
    return {spot: float(np.abs(levels / 255 - mask).mean()) for spot, levels in maps.items()}


def save_views(
    folder: Path,
    stem: str,
    image: Pixels,
    maps: Mapping[Spot, Pixels],
    mask: NDArray[np.float32] | None,
) -> None:
    """Save every map of an image, and the figure of all."""
    for (run, level), levels in maps.items():
        save_png(folder / stem / f'n{run.iteration}_{run.direction}_s{level}.png', levels)
    save_figure(draw_overview(stem, image, maps, mask), folder / f'{stem}.png', dpi=110)


def draw_overview(
    title: str, image: Pixels, maps: Mapping[Spot, Pixels], mask: NDArray[np.float32] | None
) -> Figure:
    """Draw the passes from left to right, the levels from the coarsest down, as Tab. 3 has them."""
    from matplotlib.figure import Figure

    runs, levels_down = _axes(maps)
    row_height = 1.6 * image.shape[0] / image.shape[1] + 0.25
    size = (1 + len(runs)) * 1.6, len(levels_down) * row_height + 0.6
    figure = Figure(figsize=size, layout='constrained')
    figure.suptitle(title, fontsize=10)
    grid = figure.subplots(len(levels_down), 1 + len(runs), squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    references = {'photo': image} if mask is None else {'photo': image, 'ground truth': mask}
    for axes, (name, reference) in zip(grid[:, 0], references.items(), strict=False):
        axes.imshow(reference, cmap='gray', vmin=0, vmax=1)
        axes.set_title(name, fontsize=9)
    errors = {} if mask is None else mean_absolute_errors(maps, mask)
    for column, run in enumerate(runs, 1):
        for row, level in enumerate(levels_down):
            label = [] if row else [f'n = {run.iteration} {NAMES[run.direction]}']
            if (spot := Spot(run, level)) in maps:
                grid[row, column].imshow(maps[spot], cmap='gray', vmin=0, vmax=255)
                error = f', MAE {errors[spot]:.3f}' if errors else ''
                label.append(f'S{level}{error}')
            grid[row, column].set_title('\n'.join(label), fontsize=9)
    return figure


def format_table(errors: Sequence[Mapping[Spot, float]]) -> str:
    """Return the mean errors of some images as Markdown, laid out as Tab. 3."""
    runs, levels_down = _axes(errors[0])
    lines = [
        ['MAE', *(f'n = {n} {NAMES[direction]}' for n, direction in runs)],
        ['---', *('---:' for _ in runs)],
    ]
    for level in levels_down:
        cells = []
        for run in runs:
            values = [image[Spot(run, level)] for image in errors if Spot(run, level) in image]
            cells.append(f'{np.mean(values):.4f}' if values else '-')
        lines.append([f'S{level}', *cells])
    return ''.join(f'| {" | ".join(line)} |\n' for line in lines)


def main(argv: Sequence[str] | None = None) -> None:
    """Parse the command line, save the figures and print the table."""
    args = _parser().parse_args(argv)
    flush_denormals()
    try:
        if args.out_dir is None and args.masks is None:
            raise ValueError('there is nothing to do: name -o, --masks or both')
        if args.out_dir is not None:
            require_matplotlib()
            require_writable(args.out_dir)
        images = _select(collect_images(args.images), args.list)
        masks = _find_masks(images, args.masks)
        predictor = SaliencyPredictor(args.checkpoint, args.device)
        if not isinstance(predictor.network, ITDBU):
            kind = type(predictor.network).__name__
            raise ValueError(f"'{args.checkpoint}' is a {kind}, not an ITDBU.")
        errors = _show(predictor, images, masks, args.out_dir)
    except (OSError, ValueError, ImportError) as error:
        sys.exit(f'itdbu_iterations.py: error: {error}')
    if errors:
        print(f'{len(errors):,} images\n\n{format_table(errors)}', end='')


def _show(
    predictor: SaliencyPredictor,
    images: Sequence[Path],
    masks: Mapping[Path, Path],
    out_dir: Path | None,
) -> list[dict[Spot, float]]:
    """Save the figures of all images, and return the errors of those with masks."""
    errors = []
    for path in tqdm(images, 'iterations', unit='image'):
        image = read_image(path)
        mask = read_mask(masks[path]) if masks else None
        if mask is not None and mask.shape != image.shape[:2]:
            raise DataError(f"'{path}' and its mask '{masks[path]}' differ in size.")
        maps = side_maps(predictor, image)
        if mask is not None:
            errors.append(mean_absolute_errors(maps, mask))
        if out_dir is not None:
            save_views(out_dir, path.stem, image, maps, mask)
    return errors


def _axes(spots: Iterable[Spot]) -> tuple[list[Pass], list[int]]:
    """Return the passes in order, and the levels, coarsest first."""
    runs = dict.fromkeys(run for run, _ in spots)
    return list(runs), sorted({level for _, level in spots}, reverse=True)


def _select(images: Sequence[Path], list_file: Path | None) -> list[Path]:
    """Keep the images that a list names; refuse two of one stem."""
    by_stem = defaultdict(list)
    for path in images:
        by_stem[path.stem].append(path)
    stems = list(by_stem) if list_file is None else listed_stems(list_file)
    if missing := [stem for stem in stems if stem not in by_stem]:
        raise DataError(f"'{list_file}' names images that are not there: {list_files(missing)}.")
    if twice := [str(p) for stem in stems for p in by_stem[stem] if len(by_stem[stem]) > 1]:
        raise DataError(f'Images have one stem: {list_files(twice)}. Show them separately.')
    return [by_stem[stem][0] for stem in stems]


def _find_masks(images: Sequence[Path], folder: Path | None) -> dict[Path, Path]:
    if folder is None:
        return {}
    by_stem = {path.stem: path for path in image_files(folder.iterdir())}
    if missing := [str(path) for path in images if path.stem not in by_stem]:
        raise DataError(f"'{folder}' has no masks for {list_files(missing)}.")
    return {path: by_stem[path.stem] for path in images}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('checkpoint', type=Path, metavar='CHECKPOINT', help='an ITDBU')
    parser.add_argument(
        'images', nargs='+', metavar='IMAGE', help='image, folder or quoted pattern'
    )
    parser.add_argument('-o', '--out-dir', type=Path, metavar='DIR', help='save maps and figures')
    parser.add_argument('--masks', type=Path, metavar='DIR', help='masks, paired by their stems')
    parser.add_argument('--list', type=Path, metavar='FILE', help='images to take, one a line')
    parser.add_argument('--device', help='such as cpu or cuda:1 (default: cuda where there is one)')
    return parser


if __name__ == '__main__':
    main()
