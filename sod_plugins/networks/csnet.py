"""CSNet: a salient object detector of 100K parameters, as extractor, decoder and whole network.

Paper: Cheng et al., "A Highly Efficient Model to Study the Semantics of Salient Object Detection",
TPAMI; section and table numbers are those of this text. Where it and the released network
differ (18 blocks instead of 17, a factor of 100 on some weights) the released one is the default,
because only it has the published parameter counts; the arguments give the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

from torch import Tensor, nn

from sod_plugins.layers.goctconv import GOctConvNormAct, ILBlock, NormLayer, ParallelDilatedConv
from sod_plugins.networks.base import Extractor, SaliencyNetwork
from sod_plugins.networks.csnet_widths import (
    DILATIONS,
    STAGE_MULTIPLIERS,
    check_learned_widths,
    dilated_split,
    regular_block_widths,
    regular_fuse_channels,
)
from sod_plugins.ops.octave_conv import Maps
from sod_plugins.ops.resize import resize_bilinear

SMALLEST_INPUT = 16


def check_input_size(images: Tensor) -> None:
    """Refuse images (N, 3, H, W) of which the coarsest map would have no pixel.

    Raises:
        ValueError: If a side is shorter than 16 pixels.
    """
    if min(images.shape[-2:]) < SMALLEST_INPUT:
        raise ValueError(
            f'CSNet needs images of at least {SMALLEST_INPUT}x{SMALLEST_INPUT} pixels, got '
            f'{images.shape[-2]}x{images.shape[-1]}: resize them.'
        )


class CSNetExtractor(Extractor):
    """Feature extractor of CSNet: four stages of in-layer multi-scale blocks (Tab. 2).

    The last block of stages 2, 3 and 4 merges both scales into the high one, as the last block of
    stage 1 does where its output is asked for.

    Args:
        width: Factor on the channels of every stage; 1 means 20, 40, 80 and 80 channels.
        split_ratio: Share of the high and the low resolution, C_H and C_L.
        stage_blocks: Blocks per stage. The paper counts (3, 4, 6, 4); the released network opens
            stage 1 with one block more.
        out_indices: Stages (from 0) whose merged map is returned.
        weight_scale: Factor on the weights of depthwise convolutions; 1 is the paper's text.
        vanilla: Use vanilla OctConvs throughout (Tab. 6).
        block_widths: Output channels per scale of every block, for learned channels; they replace
            ``width`` and ``split_ratio``.

    Attributes:
        block_widths: Output channels per scale of every block.
        out_channels: Channels of each returned map.
        out_strides: Its stride in input pixels.

    Raises:
        ValueError: If an argument does not describe a network, or an input is smaller than 16x16.
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


class CrossStageFusion(nn.Module):
    """Cross-stage fusion part of CSNet (Sec. 4.3, Tab. 1) without its last 1x1 convolution.

    A 1x1 gOctConv across the stages, parallel dilated convolutions in each scale and a 1x1 gOctConv
    to one scale, for any pyramid of halving maps.

    Args:
        in_channels: Channels of each map, finest first; each has half the size of the one before.
        fuse_channels: Channels of each scale after the first gOctConv; by default a third of
            ``in_channels`` (see :func:`regular_fuse_channels`).
        dilated_channels: Per scale, the channels of each dilation; by default equal shares, the
            remainder in the last.
        channels: Channels of the fused map; by default the sum of ``fuse_channels``.
        out_scale: Scale of the fused map: 0 is the finest, -1 the coarsest, which classification
            takes (Sec. 5.1.2).
        weight_scale: Factor on the weights of the dilated convolutions; 1 for plain ones.
        coarsening: ``'max_pool'``, or ``'bilinear'`` as in CSF on ResNet.
        norm_layer: Makes a normalisation from a number of channels.

    Attributes:
        fuse_channels: As given or found by default, like the next two.
        dilated_channels: Likewise.
        channels: Likewise.

    Raises:
        ValueError: If the widths do not fit each other.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        fuse_channels: Sequence[int] | None = None,
        dilated_channels: Sequence[Sequence[int]] | None = None,
        channels: int | None = None,
        *,
        out_scale: int = 0,
        weight_scale: float = 100.0,
        coarsening: str = 'max_pool',
        norm_layer: NormLayer = nn.BatchNorm2d,
    ) -> None:
        super().__init__()
        in_channels = tuple(in_channels)
        if fuse_channels is None:
            fuse_channels = regular_fuse_channels(in_channels)
        if dilated_channels is None:
            dilated_channels = tuple(dilated_split(c) for c in fuse_channels)
        if not len(in_channels) == len(fuse_channels) == len(dilated_channels):
            raise ValueError(
                f'{type(self).__name__} needs as many scales in fuse_channels and '
                f'dilated_channels as in in_channels, got {in_channels=}, {fuse_channels=}, '
                f'{dilated_channels=}.'
            )
        if channels is None:
            channels = sum(fuse_channels)
        self.fuse_channels = tuple(fuse_channels)
        self.dilated_channels = tuple(tuple(widths) for widths in dilated_channels)
        self.channels = channels
        self.fuse = GOctConvNormAct(
            in_channels,
            fuse_channels,
            1,
            plain_weight_scale=weight_scale,
            coarsening=coarsening,
            norm_layer=norm_layer,
        )
        # A scale without channels keeps its index.
        self.dilated = nn.ModuleList(
            ParallelDilatedConv(c, out, DILATIONS, weight_scale=weight_scale, norm_layer=norm_layer)
            if c and sum(out)
            else nn.Identity()
            for c, out in zip(fuse_channels, dilated_channels, strict=True)
        )
        self.dilated_widths = tuple(
            sum(out) if c else 0 for c, out in zip(fuse_channels, dilated_channels, strict=True)
        )
        merged = range(len(in_channels))[out_scale] * (0,) + (channels,)
        self.merge = GOctConvNormAct(
            self.dilated_widths,
            merged,
            1,
            plain_weight_scale=weight_scale,
            coarsening=coarsening,
            norm_layer=norm_layer,
        )

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Map (N, C_i, H_i, W_i) per scale, finest first, to (N, channels, H_s, W_s)."""
        fused: Maps = self.fuse(maps)
        dilated = [
            layer(x) if width else None
            for layer, width, x in zip(self.dilated, self.dilated_widths, fused, strict=True)
        ]
        merged: Tensor = self.merge(dilated)[-1]
        return merged


class CSFDecoder(CrossStageFusion):
    """Cross-stage fusion part of CSNet with its 1x1 classifier: from stages to saliency logits.

    Takes the arguments of :class:`CrossStageFusion` but ``out_scale``, which is the finest.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        fuse_channels: Sequence[int] | None = None,
        dilated_channels: Sequence[Sequence[int]] | None = None,
        channels: int | None = None,
        *,
        weight_scale: float = 100.0,
        coarsening: str = 'max_pool',
        norm_layer: NormLayer = nn.BatchNorm2d,
    ) -> None:
        super().__init__(
            in_channels,
            fuse_channels,
            dilated_channels,
            channels,
            weight_scale=weight_scale,
            coarsening=coarsening,
            norm_layer=norm_layer,
        )
        self.classifier = nn.Conv2d(self.channels, 1, 1)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Map (N, C_i, H_i, W_i) per scale, finest first, to logits (N, 1, H_0, W_0)."""
        logits: Tensor = self.classifier(super().forward(maps))
        return logits


class CSNet(SaliencyNetwork):
    """CSNet (Sec. 4): the extractor and the cross-stage fusion part, from images to logits.

    ``CSNet(width=w)`` has 210,985 / 298,633 / 455,631 / 645,565 / 788,631 parameters for w = 1,
    1.2, 1.5, 1.8, 2. Any input size from 16x16 on works: where a size is odd, the coarser scale
    drops the last row or column; on the way back, maps are resized to the exact size of the finer
    scale, and the logits to that of the input.

    Args:
        width: Factor k of "CSNet x k".
        split_ratio: C_H and C_L, the shares of high- and low-resolution channels.
        stage_blocks: Blocks of each stage; the paper's text has (3, 4, 6, 4).
        fuse_stages: Stages (from 1) that the fusion reads: (4,), (3, 4), (2, 3, 4) or (1, 2, 3, 4);
            () leaves the fusion out, with a 1x1 classifier on stage 4: the extractor of Tab. 6.
        weight_scale: Factor on the weights of depthwise and dilated convolutions (released: 100).
        learned_widths: Channels found by pruning, in place of ``width`` and ``split_ratio``: a
            mapping of ``blocks`` (output channels per scale of every block), ``fuse`` (per scale),
            ``dilated`` (per scale and dilation) and ``merged`` (before the classifier).
        vanilla: Use vanilla OctConvs in the blocks (Tab. 6).

    Raises:
        ValueError: If the arguments do not describe a network.
    """

    def __init__(
        self,
        width: float = 1.0,
        split_ratio: tuple[float, float] = (1, 1),
        stage_blocks: Sequence[int] = (4, 4, 6, 4),
        fuse_stages: Sequence[int] = (2, 3, 4),
        weight_scale: float = 100.0,
        learned_widths: Mapping[str, Any] | None = None,
        vanilla: bool = False,
    ) -> None:
        stages = tuple(fuse_stages)
        if stages != tuple(range(5 - len(stages), 5)):
            raise ValueError(
                'fuse_stages must be (), (4,), (3, 4), (2, 3, 4) or (1, 2, 3, 4), '
                f'got {tuple(fuse_stages)}.'
            )
        super().__init__(
            {
                'width': width,
                'split_ratio': tuple(split_ratio),
                'stage_blocks': tuple(stage_blocks),
                'fuse_stages': stages,
                'weight_scale': weight_scale,
                'learned_widths': None if learned_widths is None else dict(learned_widths),
                'vanilla': vanilla,
            }
        )
        learned = learned_widths or {}
        if learned_widths is not None:
            check_learned_widths(learned_widths, fusion=bool(stages))
        self.backbone = CSNetExtractor(
            width,
            split_ratio,
            stage_blocks,
            [s - 1 for s in stages] or [3],
            weight_scale,
            vanilla,
            learned.get('blocks'),
        )
        channels = self.backbone.out_channels
        self.decode_head: nn.Module = (
            CSFDecoder(
                channels,
                learned.get('fuse'),
                learned.get('dilated'),
                learned.get('merged'),
                weight_scale=weight_scale,
            )
            if stages
            else LastMapClassifier(channels)
        )

    @staticmethod
    def arguments_of_parts(backbone: Mapping[str, Any], head: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments of the network that a registered backbone and head make.

        Args:
            backbone: Config of ``sod_plugins.CSNet``.
            head: Config of ``sod_plugins.CSFHead``.

        Raises:
            ValueError: If they make another network than a CSNet.
        """
        norm = (head.get('norm_cfg') or {}).get('type', 'BN')
        same_scale = backbone.get('weight_scale', 100.0) == head.get('weight_scale', 100.0)
        coarsening = head.get('coarsening', 'max_pool')
        if norm not in ('BN', 'SyncBN') or coarsening != 'max_pool' or not same_scale:
            raise ValueError('its CSFHead differs from the decoder of a CSNet')
        shared = ('width', 'split_ratio', 'stage_blocks', 'weight_scale', 'vanilla')
        arguments = {name: backbone[name] for name in shared if name in backbone}
        out_indices = backbone.get('out_indices', (1, 2, 3))
        arguments['fuse_stages'] = tuple(i + 1 for i in out_indices)
        decoder_names = ('fuse_channels', 'dilated_channels', 'channels')
        decoder_widths = {name: head[name] for name in decoder_names if head.get(name) is not None}
        block_widths = backbone.get('block_widths')
        if decoder_widths or block_widths:
            extractor = CSNetExtractor(
                out_indices=out_indices,
                block_widths=block_widths,
                **{name: backbone[name] for name in shared if name in backbone},
            )
            decoder = CSFDecoder(extractor.out_channels, **decoder_widths)
            arguments['learned_widths'] = _widths(extractor, decoder)
        return arguments

    def forward(self, images: Tensor) -> Tensor:
        """Map normalised images (N, 3, H, W) to logits (N, 1, H, W)."""
        logits: Tensor = self.decode_head(self.backbone(images))
        return resize_bilinear(logits, (images.shape[-2], images.shape[-1]))


class LastMapClassifier(nn.Module):
    """A 1x1 classifier on the coarsest map: the head of an extractor without fusion (Tab. 6)."""

    def __init__(self, in_channels: Sequence[int]) -> None:
        super().__init__()
        self.classifier = nn.Conv2d(in_channels[-1], 1, 1)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Map a pyramid to logits (N, 1, H, W) at its last map's size."""
        logits: Tensor = self.classifier(maps[-1])
        return logits


def _widths(extractor: CSNetExtractor, decoder: CSFDecoder) -> dict[str, Any]:
    """Describe the channels of two parts as ``learned_widths``."""
    return {
        'blocks': extractor.block_widths,
        'fuse': decoder.fuse_channels,
        'dilated': decoder.dilated_channels,
        'merged': decoder.channels,
    }
