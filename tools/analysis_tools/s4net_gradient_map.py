r"""Show which features S4Net's masks depend on, in the box and around it (Fig. 6 of the paper).

    python tools/analysis_tools/s4net_gradient_map.py data/pennfudan/annotations/val.json \
        data/pennfudan/images ternary=ternary.pth binary=binary.pth roi-align=align.pth -o fig6.png

For the largest instance of an image, the features that enter the RoI extractor's masking or
sampling are held, and the loss of its mask is differentiated with respect to them, the box being
that of the ground truth: |gradient|, summed over the channels (Sec. 3.4). The figure (needs
matplotlib) shows the photo with the box (orange) and the expanded box (blue), and the map of every
network. Printed is which share of it lies in the box, between the boxes and outside both, by area,
as the mean over all images of the annotations (or of --count).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from sod_plugins.cli.arguments import named_file
from sod_plugins.data import DataError, read_image, read_instances, require_writable
from sod_plugins.data.instances import annotations_by_image
from sod_plugins.data.rle import bounding_box, decode_segmentation
from sod_plugins.layers import mask_loss
from sod_plugins.networks import S4Net, load_network
from sod_plugins.ops import resize_bilinear, roi_masks
from sod_plugins.visualization.curves import require_matplotlib, save_figure

ALPHA = 1 / 3
PLACES = ('box', 'around', 'outside')


@dataclass(frozen=True)
class Instance:
    """An instance of a photo.

    Attributes:
        image: (H, W, 3) uint8, RGB.
        mask: (H, W), bool.
        box: x1, y1, x2, y2 in pixels, x2 and y2 excluded.
    """

    image: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    box: tuple[float, float, float, float]


def largest_instances(annotations: Path, images: Path, count: int | None) -> list[Instance]:
    """Return the largest instance of each image that has any, at most ``count``."""
    coco = read_instances(annotations, images)
    by_image = annotations_by_image(coco)
    found = []
    for entry in coco['images']:
        size = (entry['height'], entry['width'])
        masks = [decode_segmentation(a['segmentation'], size) for a in by_image[entry['id']]]
        if not masks or (count is not None and len(found) == count):
            continue
        mask = max(masks, key=np.count_nonzero)
        left, top, width, height = bounding_box(mask)
        box = (float(left), float(top), float(left + width), float(top + height))
        found.append(Instance(read_image(images / entry['file_name']), mask, box))
    if not found:
        raise DataError(f"'{annotations}' has no instance.")
    return found


def gradient_map(network: S4Net, instance: Instance) -> tuple[Tensor, Tensor]:
    """Return the gradient map (h, w) of Sec. 3.4, and the box (4,) in pixels of the input."""
    images = network.preprocessing.apply(instance.image)
    size = (images.shape[2], images.shape[3])
    height, width = instance.mask.shape
    scale = torch.tensor([size[1] / width, size[0] / height])
    box = torch.tensor(instance.box) * scale.repeat(2)
    mask = resize_bilinear(torch.from_numpy(instance.mask)[None, None].float(), size)[0]
    extractor = network.roi_extractor
    with torch.no_grad():
        levels = network.neck(network.backbone(images))
        held = extractor.conv(levels[network.bbox_head.strides.index(extractor.stride)])
    held.requires_grad_()
    logits = network.mask_head(extractor.extract(held, torch.cat([torch.zeros(1), box])[None]))
    map_size = (logits.shape[2], logits.shape[3])
    loss = mask_loss(logits, *network.mask_frame.targets(mask, box[None], map_size))
    (gradient,) = torch.autograd.grad(loss, held)
    return gradient[0].abs().sum(0), box


def shares(gradients: Tensor, box: Tensor, stride: int) -> dict[str, float]:
    """Return which share of a gradient map lies in the box, around it and outside both."""
    roi = torch.cat([torch.zeros(1), box])[None]
    size = (gradients.shape[0], gradients.shape[1])
    inside = roi_masks(roi, size, 1 / stride, 'binary')[0]
    expanded = roi_masks(roi, size, 1 / stride, 'expanded', ALPHA)[0]
    parts = (inside, expanded - inside, 1 - expanded)
    total = gradients.sum().clamp(min=torch.finfo(torch.float32).tiny)
    return {
        place: float((gradients * part).sum() / total)
        for place, part in zip(PLACES, parts, strict=True)
    }


def save_maps(
    path: Path, instances: Sequence[Instance], maps: Sequence[Mapping[str, Tensor]]
) -> None:
    """Draw a row for each instance: the photo, then the map of every network."""
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    names = list(maps[0])
    rows, columns = len(instances), 1 + len(names)
    figure = Figure(figsize=(2.6 * columns, 2.6 * rows + 0.3), layout='constrained')
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes, instance, gradients in zip(grid, instances, maps, strict=True):
        height, width = instance.mask.shape
        x1, y1, x2, y2 = instance.box
        dx, dy = ALPHA * (x2 - x1), ALPHA * (y2 - y1)
        axes[0].imshow(instance.image)
        for axis, name in zip(axes[1:], names, strict=True):
            axis.imshow(gradients[name].numpy(), cmap='inferno', extent=(0, width, height, 0))
            axis.set_aspect('equal')
        for axis in axes:
            for margin_x, margin_y, color in ((0, 0, 'darkorange'), (dx, dy, 'deepskyblue')):
                corner = (x1 - margin_x, y1 - margin_y)
                sides = (x2 - x1 + 2 * margin_x, y2 - y1 + 2 * margin_y)
                axis.add_patch(Rectangle(corner, *sides, fill=False, color=color))
            axis.set(xlim=(0, width), ylim=(height, 0), xticks=[], yticks=[])
    for axis, name in zip(grid[0], ['photo', *names], strict=True):
        axis.set_title(name)
    save_figure(figure, path, dpi=120)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the tool; by default with the arguments of the process."""
    args = _parser().parse_args(argv)
    try:
        require_matplotlib()
        require_writable(args.out.parent)
        networks = {name: _load(path) for name, path in args.networks}
        instances = largest_instances(args.annotations, args.images, args.count)
    except (OSError, ValueError, ImportError) as error:
        sys.exit(f's4net_gradient_map.py: error: {error}')
    maps: list[dict[str, Tensor]] = []
    found: dict[str, list[dict[str, float]]] = {name: [] for name in networks}
    for instance in tqdm(instances, 'gradients', unit='image'):
        maps.append({})
        for name, network in networks.items():
            maps[-1][name], box = gradient_map(network, instance)
            found[name].append(shares(maps[-1][name], box, network.roi_extractor.stride))
    save_maps(args.out, instances[: args.rows], maps[: args.rows])
    print(f'{len(instances)} instances\n\n| network | {" | ".join(PLACES)} |\n|---|---|---|---|')
    for name, values in found.items():
        means = [np.mean([v[place] for v in values]) for place in PLACES]
        print(f'| {name} | {" | ".join(f"{100 * mean:.1f}%" for mean in means)} |')


def _load(path: Path) -> S4Net:
    network: Any = load_network(path)
    if not isinstance(network, S4Net):
        raise ValueError(f"'{path}' is a {type(network).__name__}, not an S4Net.")
    return network


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('annotations', type=Path, metavar='ANNOTATIONS', help="COCO's JSON")
    parser.add_argument('images', type=Path, metavar='IMAGES', help='folder of its images')
    parser.add_argument(
        'networks', type=named_file, nargs='+', metavar='NAME=FILE', help='checkpoints of S4Net'
    )
    parser.add_argument('-o', '--out', type=Path, metavar='FILE', required=True, help='the figure')
    parser.add_argument('--count', type=int, metavar='N', help='images to take (default: all)')
    parser.add_argument(
        '--rows', type=int, default=4, metavar='N', help='in the figure; default: 4'
    )
    return parser


if __name__ == '__main__':
    main()
