"""The backbone of CSNet.

Paper: Cheng et al., "A Highly Efficient Model to Study the Semantics of Salient Object Detection",
TPAMI; section and table numbers refer to this text. Where it and the released network differ (18
blocks instead of 17, a factor of 100 on some weights), the release is the default, because only it
has the published parameter counts; the arguments select the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from torch import Tensor, nn

from sod_plugins.layers.goctconv import ILBlock
from sod_plugins.networks.backbones.csnet_widths import STAGE_MULTIPLIERS, regular_block_widths
from sod_plugins.networks.base import Extractor
from sod_plugins.ops.octave_conv import Maps

SMALLEST_INPUT = 16


class CSNetBackbone(Extractor):
    """Backbone of CSNet: four stages of in-layer multi-scale blocks (Tab. 2).

    The last block of stages 2, 3 and 4 merges both scales into the high one, and so does the last
    block of stage 1 if its output is requested.

    Args:
        width: Factor on the channels of every stage; 1 means 20, 40, 80 and 80 channels.
        split_ratio: Fractions of high- and low-resolution channels, C_H and C_L.
        stage_blocks: Blocks per stage. The paper counts (3, 4, 6, 4); the released network has one
            more block in stage 1.
        out_indices: Stages (from 0) whose merged map is returned.
        weight_scale: Factor on the weights of depthwise convolutions; 1 as in the paper's text.
        vanilla: Whether to use vanilla OctConvs throughout (Tab. 6).
        block_widths: Output channels per scale of every block, for learned channels; they replace
            ``width`` and ``split_ratio``.

    Attributes:
        block_widths: Output channels per scale of every block.
        out_channels: Channels of each returned map.
        out_strides: Stride of each returned map in input pixels.

    Raises:
        ValueError: An argument does not describe a network, or an input is smaller than 16x16.
    """

    def __init__(
        self,
        width: float = 1.0,
        split_ratio: tuple[float, float] = (1, 1),
        stage_blocks: Sequence[int] = (4, 4, 6, 4),
        out_indices: Sequence[int] = (1, 2, 3),
        weight_scale: float = 100.0,
        vanilla: bool = False,
        block_widths: Sequence[Sequence[int]] | None = None,
    ) -> None:
        super().__init__()
        if len(stage_blocks) != len(STAGE_MULTIPLIERS) or min(stage_blocks) < 1:
            raise ValueError(f'stage_blocks needs four positive numbers, got {stage_blocks}.')
        if not out_indices or not set(out_indices) <= set(range(len(stage_blocks))):
            raise ValueError(f'out_indices needs stages from 0 to 3, got {out_indices}.')
        self.out_indices = tuple(sorted(out_indices))
        if block_widths is None:
            block_widths = regular_block_widths(width, split_ratio, stage_blocks, self.out_indices)
        elif len(block_widths) != sum(stage_blocks):
            raise ValueError(
                f'block_widths needs {sum(stage_blocks)} entries, one per block of '
                f'{stage_blocks=}, got {len(block_widths)}.'
            )

        self.block_widths = tuple(tuple(widths) for widths in block_widths)
        self.stages = nn.ModuleList()
        channels: tuple[int, ...] = (3,)
        ends = list(accumulate(stage_blocks))
        for stage, (blocks, end) in enumerate(zip(stage_blocks, ends, strict=True)):
            widths = self.block_widths[end - blocks : end]
            if stage in self.out_indices and len(widths[-1]) != 1:
                raise ValueError(
                    f'The last block of stage {stage} is returned and must have one scale, got '
                    f'widths {widths[-1]}.'
                )
            modules = []
            for block, out in enumerate(widths):
                opens = block == 0
                kernel_size, stride = (3 if opens else 1), (2 if opens and stage else 1)
                modules.append(
                    ILBlock(
                        channels,
                        out,
                        kernel_size,
                        stride=stride,
                        vanilla=vanilla,
                        weight_scale=weight_scale,
                    )
                )
                channels = out
            self.stages.append(nn.Sequential(*modules))
        self.out_channels = tuple(self.block_widths[ends[i] - 1][0] for i in self.out_indices)
        self.out_strides = tuple(2**i for i in self.out_indices)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Map normalised images (N, 3, H, W) to one map (N, C, H // s, W // s) per out index."""
        check_input_size(images)
        maps: Maps = [images]
        outputs = []
        for index, stage in enumerate(self.stages):
            maps = stage(maps)
            if index in self.out_indices:
                outputs.append(maps[0])
        return tuple(outputs)  # type: ignore[arg-type]  # a merged map is never None


CSNetExtractor = CSNetBackbone  # the former name


def check_input_size(images: Tensor) -> None:
    """Reject images (N, 3, H, W) for which the coarsest map would have no pixel.

    Raises:
        ValueError: A side is shorter than 16 pixels.
    """
    if min(images.shape[-2:]) < SMALLEST_INPUT:
        raise ValueError(
            f'CSNet needs images of at least {SMALLEST_INPUT}x{SMALLEST_INPUT} pixels, got '
            f'{images.shape[-2]}x{images.shape[-1]}: resize them.'
        )
