"""CSNet: a salient object detector of 100K parameters, as a complete network.

Paper: Cheng et al., "A Highly Efficient Model to Study the Semantics of Salient Object Detection",
TPAMI; section and table numbers refer to this text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from sod_plugins.networks.backbones.csnet import CSNetBackbone
from sod_plugins.networks.backbones.csnet_widths import check_learned_widths
from sod_plugins.networks.base import Parts, SaliencyNetwork
from sod_plugins.networks.csnet.decoder import CSFDecoder, LastMapClassifier
from sod_plugins.networks.registry import register_network


@register_network
class CSNet(SaliencyNetwork):
    """CSNet (Sec. 4): the backbone and the cross-stage fusion part, from images to logits.

    ``CSNet(width=w)`` has 210,985 / 298,633 / 455,631 / 645,565 / 788,631 parameters for w = 1,
    1.2, 1.5, 1.8, 2. Any input size from 16x16 works. If a size is odd, the coarser scale drops the
    last row or column; on the way back, maps are resized to the exact size of the finer scale, and
    the logits to that of the input.

    Args:
        width: Factor k of "CSNet x k".
        split_ratio: Fractions of high- and low-resolution channels, C_H and C_L.
        stage_blocks: Blocks of each stage; the paper's text has (3, 4, 6, 4).
        fuse_stages: Stages (from 1) that the fusion takes: (4,), (3, 4), (2, 3, 4) or (1, 2, 3, 4).
            () omits the fusion and puts a 1x1 classifier on stage 4: the extractor of Tab. 6.
        weight_scale: Factor on the weights of depthwise and dilated convolutions (released: 100).
        learned_widths: Channels found by pruning, instead of ``width`` and ``split_ratio``: a
            mapping of ``blocks`` (output channels per scale of every block), ``fuse`` (per scale),
            ``dilated`` (per scale and dilation) and ``merged`` (before the classifier).
        vanilla: Whether to use vanilla OctConvs in the blocks (Tab. 6).

    Raises:
        ValueError: The arguments do not describe a network.
    """

    folds_norms = True
    parts: ClassVar[Parts] = {'backbone': CSNetBackbone, 'decode_head': CSFDecoder}
    backbone: CSNetBackbone

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
        super().__init__()
        learned = learned_widths or {}
        if learned_widths is not None:
            check_learned_widths(learned_widths, fusion=bool(stages))
        self.backbone = CSNetBackbone(
            width,
            split_ratio,
            stage_blocks,
            [s - 1 for s in stages] or [3],
            weight_scale,
            vanilla,
            learned.get('blocks'),
        )
        channels = self.backbone.out_channels
        self.decode_head = (
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

    @classmethod
    def arguments_of_parts(cls, parts: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments of the CSNet that consists of a backbone and a decoder.

        Raises:
            ValueError: The decoder differs from that of a CSNet.
        """
        extractor, decoder = parts['backbone'], parts['decode_head']
        given, widths = extractor.arguments, decoder.arguments
        if widths['coarsening'] != 'max_pool' or widths['weight_scale'] != given['weight_scale']:
            raise ValueError('its decoder differs from that of a CSNet')
        shared = ('width', 'split_ratio', 'stage_blocks', 'weight_scale', 'vanilla')
        arguments = {name: given[name] for name in shared}
        arguments['fuse_stages'] = tuple(index + 1 for index in extractor.out_indices)
        learned = [widths[name] for name in ('fuse_channels', 'dilated_channels', 'channels')]
        if given['block_widths'] or any(width is not None for width in learned):
            arguments['learned_widths'] = _widths(extractor, decoder)
        return arguments


def _widths(extractor: CSNetBackbone, decoder: CSFDecoder) -> dict[str, Any]:
    """Return the channels of the two parts as ``learned_widths``."""
    return {
        'blocks': extractor.block_widths,
        'fuse': decoder.fuse_channels,
        'dilated': decoder.dilated_channels,
        'merged': decoder.channels,
    }
