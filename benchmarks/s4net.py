"""The whole test step of S4Net by its parts: from a normalised image to masks at original size.

    python benchmarks/s4net.py [CHECKPOINT] [--backbone resnet50] [--roi ternary] [--repeats 10]

At the checkpoint's input size (320x320) and batch 1, for a photo of 640x480. On a CPU it is one
thread; on a CUDA device every part ends with a synchronisation, and the whole step without them
comes last. Post-processing is what turns maps into masks at the photo's size; its share is of the
sum of the parts, in the same run.

    backbone           images to maps
    neck and head      maps to the pyramid, objectness and boxes of all anchors
    proposals          sorting, decoding and suppression
    masks              RoI extractor and segmentation branch for all proposals
    post-processing    maps to masks of 640x480, cut off at their boxes
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from sod_plugins.networks import Detections, S4Net, load_network

WARM_UP = 2
PHOTO = (480, 640)
PARTS = ('backbone', 'neck and head', 'proposals', 'masks', 'post-processing')


class Clock:
    """Adds up what happens under a name."""

    def __init__(self, device: str) -> None:
        self.device = device
        self.times: dict[str, list[float]] = {}

    def now(self) -> float:
        """Return the time in seconds when all work so far is done."""
        if self.device == 'cuda':
            torch.cuda.synchronize()
        return time.perf_counter()

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Measure what happens inside."""
        start = self.now()
        yield
        self.times.setdefault(name, []).append(self.now() - start)


def photo_scale(images: Tensor) -> tuple[float, float]:
    return PHOTO[1] / images.shape[3], PHOTO[0] / images.shape[2]


def step(network: S4Net, images: Tensor) -> Tensor:
    """Find instances as a user does."""
    return network.masks_of(network.detect(images)[0], PHOTO, photo_scale(images))


def step_by_parts(network: S4Net, images: Tensor, clock: Clock) -> Tensor:
    """Do the same with a clock between the parts."""
    with clock.part('backbone'):
        maps = network.backbone(images)
    with clock.part('neck and head'):
        levels = network.neck(maps)
        outputs = network.bbox_head(levels)
    with clock.part('proposals'):
        sizes = [(images.shape[2], images.shape[3])]
        boxes, scores, found = (v[0] for v in network.bbox_head.propose(outputs, sizes))
    with clock.part('masks'):
        level = levels[network.bbox_head.strides.index(network.roi_extractor.stride)]
        rois = torch.cat([torch.zeros_like(boxes[:, :1]), boxes], 1)
        logits = network.mask_head(network.roi_extractor(level, rois))
        maps = logits[:, 0].sigmoid()
    with clock.part('post-processing'):
        detections = Detections(boxes[found], scores[found], maps[found])
        masks = network.masks_of(detections, PHOTO, photo_scale(images))
    return masks


def measure(network: S4Net, images: Tensor, repeats: int) -> None:
    clock = Clock(images.device.type)
    assert torch.equal(step(network, images), step_by_parts(network, images, clock))
    for repeat in range(WARM_UP + repeats):
        if repeat == WARM_UP:
            clock.times.clear()
        step_by_parts(network, images, clock)
        with clock.part('whole step'):
            step(network, images)
    medians = {name: 1e3 * statistics.median(times) for name, times in clock.times.items()}
    total = sum(medians[name] for name in PARTS)
    for name in PARTS:
        print(f'{name:>16}: {medians[name]:8.2f} ms {100 * medians[name] / total:6.1f}%')
    whole = medians['whole step']
    print(f'{"whole step":>16}: {whole:8.2f} ms, {1e3 / whole:.1f} images/s')


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split('\n\n')[0])
    parser.add_argument('checkpoint', nargs='?', help='an S4Net (default: untrained weights)')
    parser.add_argument('--backbone', default='resnet50', help='of untrained weights')
    parser.add_argument('--roi', default='ternary', help='of untrained weights')
    parser.add_argument('--layout', default='paper', help='of untrained weights')
    parser.add_argument('--repeats', type=int, default=10)
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)  # as `sod predict` does
    torch.manual_seed(0)
    network = S4Net(args.backbone, args.layout, roi=args.roi) if not args.checkpoint else None
    network = (network or load_network(args.checkpoint)).eval()
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    torch.backends.cudnn.benchmark = True  # shapes are fixed
    where = torch.cuda.get_device_name() if device == 'cuda' else platform.machine()
    size = network.preprocessing.size
    print(
        f'torch {torch.__version__} on {where}, input {size[0]}x{size[1]}, photo '
        f'{PHOTO[0]}x{PHOTO[1]}, medians of {args.repeats}, load {os.getloadavg()[0]:.1f}'
    )
    measure(network.to(device), torch.randn(1, 3, *size, device=device), args.repeats)


if __name__ == '__main__':
    main()
