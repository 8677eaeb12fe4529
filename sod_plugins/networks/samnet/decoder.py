"""SAMNet's decoder, for any pyramid of maps.

Paper: Liu et al., "SAMNet: Stereoscopically Attentive Multi-scale Network for Lightweight Salient
Object Detection", IEEE TIP; section and table numbers refer to this text. The defaults are those of
the released network, the only one with the published number of parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from sod_plugins._common.arguments import records_arguments
from sod_plugins._common.choices import require_choice
from sod_plugins.layers.conv import ConvNormAct, DepthwiseSeparableConv
from sod_plugins.layers.global_context import GlobalContext
from sod_plugins.layers.stereoscopic_attention import require_batch
from sod_plugins.networks.base import SaliencyDecoder, Supervised
from sod_plugins.ops.resize import average_pool, resize_bilinear

POOL_SIZES = (1, 2, 3, 6)

Upsampling = Literal['saliency', 'logits']
UPSAMPLINGS: tuple[Upsampling, ...] = get_args(Upsampling)


class PyramidPooling(nn.Module):
    """Pyramid pooling module: the map itself with context of 1x1, 2x2, 3x3 and 6x6 regions.

    Args:
        in_channels: Channels of the input (N, in_channels, H, W).
        channels: Channels of the output; each context has a quarter of them.
    """

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        reduced = channels // len(POOL_SIZES)
        self.reduce = nn.ModuleList(ConvNormAct(in_channels, reduced) for _ in POOL_SIZES)
        self.fuse = ConvNormAct(in_channels + reduced * len(POOL_SIZES), channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, channels, H, W)."""
        size = (x.shape[-2], x.shape[-1])
        contexts = []
        for side, reduce in zip(POOL_SIZES, self.reduce, strict=True):
            if side == 1:
                require_batch(reduce, x)
            pooled = reduce(average_pool(x, (side, side)))
            contexts.append(resize_bilinear(pooled, size, align_corners=True))
        fused: Tensor = self.fuse(torch.cat((x, *contexts), 1))
        return fused


@records_arguments
class SAMNetDecoder(SaliencyDecoder):
    """Decoder of SAMNet (Sec. III-C, Fig. 2), for any pyramid of at least two maps.

    From the coarsest map on, R = G(L(S) + Up(previous R)), where L is a 1x1 convolution with
    BatchNorm and G a depthwise separable convolution to the channels of the next finer level. At
    the coarsest level, the pyramid pooling of its map takes the place of the previous R.

    In training every level R_l has a map and a loss (Eq. 17). ``loss_bce`` is the binary
    cross-entropy of R_1; ``loss_bce_r2``, ... are those of the others, times ``side_loss_weight``.
    Maps are resized to the mask as ``upsampling`` says, without the clamp, see
    :func:`upsample_logits`.

    Args:
        in_channels: Channels of each map, finest first.
        channels: Channels of each level after its lateral convolution; by default
            ``in_channels``, as released.
        pyramid_pooling: Whether to include pyramid pooling (Tab. IV).
        kernel_sizes: Kernel of each G, finest first; by default 5, or 3 for the two coarsest
            levels. The paper does not say; the default is that of the release.
        dilations: Dilation of each G, finest first; by default 2, or 1 for the coarsest level.
        dropout: Probability of dropping a channel before each classifier in training.
        upsampling: What is resized to the size of the mask, with aligned corners: ``'saliency'``,
            as released, or ``'logits'``.
        global_context: Hidden channels of a :class:`GlobalContext` on the coarsest level, which the
            paper does not have; None omits it.
        side_loss_weight: Weight lambda of the losses of R_2, ....

    Raises:
        ValueError: The arguments contradict each other, or a network with pyramid pooling is
            trained on a single image (BatchNorm of pooled features needs two).
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        channels: Sequence[int] | None = None,
        pyramid_pooling: bool = True,
        kernel_sizes: Sequence[int] | None = None,
        dilations: Sequence[int] | None = None,
        dropout: float = 0.1,
        upsampling: Upsampling = 'saliency',
        global_context: int | None = None,
        side_loss_weight: float = 0.4,
    ) -> None:
        super().__init__()
        require_choice('upsampling', upsampling, UPSAMPLINGS)
        levels = len(in_channels)
        if levels < 2:
            raise ValueError(f'SAMNetDecoder needs at least two maps, got {in_channels=}.')
        channels = tuple(in_channels if channels is None else channels)
        kernels = tuple(kernel_sizes or (5,) * (levels - 2) + (3, 3))
        rates = tuple(dilations or (2,) * (levels - 1) + (1,))
        given = {'channels': channels, 'kernel_sizes': kernels, 'dilations': rates}
        for name, values in given.items():
            if len(values) != levels:
                raise ValueError(f'{name} needs {levels} entries, one per map, got {values}.')
        if any(kernel % 2 == 0 for kernel in kernels):
            raise ValueError(f'kernel_sizes must be odd, so that maps keep their size: {kernels}.')
        self.channels = channels
        self.out_channels = channels[0]
        self.upsampling = upsampling
        self.side_loss_weight = side_loss_weight
        self.laterals = nn.ModuleList(
            ConvNormAct(c_in, c, act=False) for c_in, c in zip(in_channels, channels, strict=True)
        )
        self.pooling = PyramidPooling(in_channels[-1], channels[-1]) if pyramid_pooling else None
        self.context = GlobalContext(channels[-1], global_context) if global_context else None
        fused = (channels[0], *channels[:-1])
        self.fusions = nn.ModuleList(
            DepthwiseSeparableConv(c, out, kernel, dilation=rate)
            for c, out, kernel, rate in zip(channels, fused, kernels, rates, strict=True)
        )
        self.classifiers = nn.ModuleList(
            nn.Sequential(nn.Dropout2d(dropout), nn.Conv2d(c, 1, 1)) for c in fused
        )

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Map a pyramid (N, C_i, H_i, W_i), finest first, to logits (N, 1, H_i, W_i).

        Returns:
            In training one map per level, see :meth:`training_outputs`; in evaluation only R1.
        """
        if self.training:
            return self.training_outputs(maps)
        return [self.classifiers[0](self._levels(maps)[-1])]

    def training_outputs(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Return logits (N, 1, H_i, W_i), R1 first, then from the coarsest: R5, ..., R2."""
        *sides, finest = self._levels(maps)
        main: Tensor = self.classifiers[0](finest)
        classifiers = reversed(self.classifiers[1:])
        return [main, *(classify(x) for classify, x in zip(classifiers, sides, strict=True))]

    def supervised(
        self, outputs: Tensor | Sequence[Tensor], size: tuple[int, int]
    ) -> dict[str, Supervised]:
        """Resize the logits of R1, R5, R4, R3 and R2 to the size of the masks."""
        maps = [outputs] if isinstance(outputs, Tensor) else outputs
        terms = {}
        for position, logits in enumerate(maps):
            suffix = f'_r{len(maps) + 1 - position}' if position else ''
            weight = self.side_loss_weight if position else 1.0
            resized = upsample_logits(logits, size, self.upsampling, clamp=False)
            terms[suffix] = Supervised(resized, weight)
        return terms

    def _levels(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Return R of every level, coarsest first."""
        fused = []
        above = None
        for level in reversed(range(len(maps))):
            lateral = self.laterals[level](maps[level])
            if above is not None:
                size = (lateral.shape[-2], lateral.shape[-1])
                lateral = lateral + resize_bilinear(above, size, align_corners=True)
            else:
                lateral = self._add_context(lateral, maps[level])
            above = self.fusions[level](lateral)
            fused.append(above)
        return fused

    def _add_context(self, lateral: Tensor, coarsest: Tensor) -> Tensor:
        """Add pyramid pooling and global attention, if enabled, to the coarsest level."""
        if self.pooling is not None:
            lateral = lateral + self.pooling(coarsest)
        return lateral if self.context is None else self.context(lateral)


def upsample_logits(
    logits: Tensor, size: tuple[int, int], upsampling: Upsampling = 'saliency', clamp: bool = True
) -> Tensor:
    """Resize logits (N, 1, h, w) to (N, 1, *size) as SAMNet does, with aligned corners.

    Args:
        logits: The logits of a level.
        size: Height and width of the output, in pixels.
        upsampling: ``'saliency'`` resizes their sigmoid and returns its logits, clamped to
            [1e-6, 1 - 1e-6] and in float32; ``'logits'`` resizes the logits themselves.
        clamp: False omits the clamp, for a loss: a pixel that is wrong beyond the clamp would get
            no gradient.
    """
    if upsampling == 'logits':
        return resize_bilinear(logits, size, align_corners=True)
    logits = logits.float()
    saliency = resize_bilinear(logits.sigmoid(), size, align_corners=True)
    if clamp:
        return torch.logit(saliency, eps=1e-6)
    # 1 - saliency would lose values close to 0; adding 1e-38 keeps both logarithms finite.
    background = resize_bilinear((-logits).sigmoid(), size, align_corners=True)
    tiny = torch.finfo(saliency.dtype).tiny
    return (saliency + tiny).log() - (background + tiny).log()
