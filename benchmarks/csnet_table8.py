"""Run-time of CSNets and of light-weight networks for other tasks on one core (Tab. 7 and 8).

    python benchmarks/csnet_table8.py [--repeats 30] [--large] [--size 224 224]

One process, one thread, one image, PyTorch layer by layer with nothing fused, as the paper
measured; weights are random. The networks take turns, one run each, so that other work on the
machine disturbs all alike; a run counts after three for warming up. Every network ends with logits
at the size of the image. Wall-clock time is what an image takes, CPU time leaves out what other
processes took; the ratio to CSNet-L x1 is that of the medians of CPU time.

With mmseg, the networks of configs/csnet are measured: CGNet, BiSeNet, ShuffleNetV2 and
EfficientNet-Lite0 with a 1x1 classifier. --large adds PiCANet on VGG-16 and, with mmseg, CSF+R.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
from collections.abc import Mapping
from pathlib import Path

import torch
from timing import take_turns
from torch import Tensor, nn

from sod_plugins.analysis.complexity import count_macs, count_parameters
from sod_plugins.networks import CSNet, PiCANet
from sod_plugins.ops import resize_bilinear

CONFIGS = Path(__file__).parents[1] / 'configs/csnet'
LIGHT = {
    'CGNet': 'cgnet_1xb24-300e_duts-224x224.py',
    'ShuffleNetV2 x2': 'shufflenet-v2-x2_1xb24-300e_duts-224x224.py',
    'EfficientNet-Lite0': 'efficientnet-lite0_1xb24-300e_duts-224x224.py',
    'BiSeNet R18': 'bisenetv1_r18_1xb24-300e_duts-224x224.py',
}
LARGE = {'CSF+R': 'csf_resnet50_1xb1-24e_duts-original-size.py'}
REFERENCE = 'CSNet-L x1'
# Channels of the released networks, which pruning found.
LEARNED_X1 = {
    'blocks': (
        *((8, 10), (9, 10), (10, 10), (10, 10)),
        *((19, 13), (19, 17), (20, 12), (34,)),
        *((24, 21), (26, 27), (22, 18), (19, 18), (23, 18), (38,)),
        *((18, 29), (25, 24), (26, 20), (50,)),
    ),
    'fuse': (12, 24, 24),
    'dilated': ((1, 2, 2, 2, 4), (1, 4, 4, 4, 5), (2, 2, 4, 5, 4)),
    'merged': 60,
}
LEARNED_X2 = {
    'blocks': (
        *((13, 10), (13, 12), (18, 11), (18, 12)),
        *((28, 21), (34, 22), (31, 29), (51,)),
        *((23, 26), (27, 26), (25, 20), (17, 21), (19, 25), (38,)),
        *((18, 31), (31, 27), (26, 44), (64,)),
    ),
    'fuse': (17, 38, 32),
    'dilated': ((2, 1, 2, 2, 1), (0, 6, 6, 7, 5), (0, 1, 3, 7, 7)),
    'merged': 79,
}


class SegmentorLogits(nn.Module):
    """A segmentor of mmseg without its data samples, from images to logits of their size."""

    def __init__(self, segmentor: nn.Module) -> None:
        super().__init__()
        self.backbone = segmentor.get_submodule('backbone')
        self.decode_head = segmentor.get_submodule('decode_head')

    def forward(self, images: Tensor) -> Tensor:
        """Map normalised images (N, 3, H, W) to logits (N, 1, H, W)."""
        logits: Tensor = self.decode_head(self.backbone(images))
        return resize_bilinear(logits, (images.shape[-2], images.shape[-1]))


def from_configs(names: Mapping[str, str]) -> dict[str, nn.Module]:
    """Build the networks of configs, or say why not."""
    try:
        from mmengine.config import Config
        from mmengine.registry import MODELS, DefaultScope

        import sod_plugins.openmmlab  # noqa: F401  # registers its modules
    except ImportError as error:
        print(f'{", ".join(names)} are left out: {error}')
        return {}
    networks: dict[str, nn.Module] = {}
    with DefaultScope.overwrite_default_scope('mmseg'):
        for name, file in names.items():
            networks[name] = SegmentorLogits(MODELS.build(Config.fromfile(CONFIGS / file).model))
    return networks


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split('\n\n')[0])
    parser.add_argument('--size', type=int, nargs=2, default=(224, 224))
    parser.add_argument('--repeats', type=int, default=30)
    parser.add_argument('--large', action='store_true', help='measure PiCANet and CSF+R too')
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    # A fresh network of any weight scale takes as long; without the factor none overflows.
    networks: dict[str, nn.Module] = {
        REFERENCE: CSNet(learned_widths=LEARNED_X1, weight_scale=1.0),
        'CSNet-L x2': CSNet(width=2.0, learned_widths=LEARNED_X2, weight_scale=1.0),
        **{f'CSNet x{k:g}': CSNet(k, weight_scale=1.0) for k in (1.0, 1.2, 1.5, 1.8, 2.0)},
        **from_configs({**LIGHT, **(LARGE if args.large else {})}),
    }
    if args.large:
        networks['PiCANet VGG-16'] = PiCANet()
    for network in networks.values():
        network.eval()
    torch.set_flush_denormal(True)  # as `sod predict` does; numpy's import warns of it
    size = (args.size[0], args.size[1])
    print(
        f'torch {torch.__version__} on {platform.processor() or platform.machine()}, 1 thread, '
        f'{size[0]}x{size[1]}, medians of {args.repeats}, load {os.getloadavg()[0]:.1f}\n'
    )
    times = take_turns(networks, torch.randn(1, 3, *size), args.repeats)
    ms = {
        name: (1e3 * statistics.median(side.wall), 1e3 * statistics.median(side.cpu))
        for name, side in times.items()
    }
    print(f'| network | parameters | convolutions | ms | CPU ms | x {REFERENCE} |')
    print('|---|---:|---:|---:|---:|---:|')
    for name, network in networks.items():
        print(
            f'| {name} | {count_parameters(network):,} | {count_macs(network, size) / 1e9:.2f}G '
            f'| {ms[name][0]:.1f} | {ms[name][1]:.1f} | {ms[name][1] / ms[REFERENCE][1]:.2f} |'
        )


if __name__ == '__main__':
    main()
