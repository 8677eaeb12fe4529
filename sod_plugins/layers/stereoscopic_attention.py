"""Stereoscopically Attentive Multi-scale module.

Paper: Liu et al., "SAMNet: Stereoscopically Attentive Multi-scale Network for Lightweight Salient
Object Detection", IEEE TIP; equation numbers are those of this text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

from torch import Tensor, nn

from sod_plugins._common.choices import require_choice
from sod_plugins.layers.conv import ConvNormAct, DepthwiseSeparableConv
from sod_plugins.ops.branch_attention import branch_attention

Attention = Literal['none', 'channel', 'spatial', 'stereoscopic']
ATTENTIONS: tuple[Attention, ...] = get_args(Attention)


class StereoscopicAttention(nn.Module):
    """SAM (Sec. III): dilated branches, fused by attention over branches, and a residual.

    F_0 is a depthwise separable convolution of the input (Eq. 1), and F_i is a dilated one of F_0
    (Eq. 2). Their fusion passes through a 1x1 convolution with BatchNorm and is added to the input
    (Eq. 4). Both gates take the plain sum of the branches (Eq. 6).

    Args:
        channels: Channels C of input and output.
        dilations: Dilation of each branch F_1 .. F_N; () keeps only F_0, the single-branch module
            of Tab. IV.
        attention: How the branches are fused: ``'none'``, the sum F (Eq. 3); ``'channel'``, F^D
            (Eq. 10); ``'spatial'``, F^S (Eq. 12); ``'stereoscopic'``, F^V (Eq. 14).
        shared_spatial: Whether all branches share one spatial map, as in the released network; the
            paper's text has one per branch. By itself, a shared map would weight all branches
            equally, so ``'spatial'`` needs False.
        spatial_dilations: Dilations of the two convolutions of the spatial gate; the paper is
            silent, and the default is that of the release.
        reduction: Factor by which the spatial gate reduces its channels.

    Raises:
        ValueError: The arguments contradict each other, or a module with the channel gate is
            trained on a single image, for which its BatchNorm sees one value per channel.
    """

    def __init__(
        self,
        channels: int,
        dilations: Sequence[int] = (1, 2, 3),
        attention: Attention = 'stereoscopic',
        shared_spatial: bool = True,
        spatial_dilations: Sequence[int] = (2, 4),
        reduction: int = 4,
    ) -> None:
        super().__init__()
        require_choice('attention', attention, ATTENTIONS)
        if attention == 'spatial' and shared_spatial:
            raise ValueError(
                "attention='spatial' with one shared map weighs all branches alike: pass "
                'shared_spatial=False.'
            )
        if not dilations and attention != 'none':
            raise ValueError(
                f"A single branch needs no attention: pass attention='none', not {attention!r}."
            )
        count = len(dilations) + 1
        self.stem = DepthwiseSeparableConv(channels, channels)
        self.branches = nn.ModuleList(
            DepthwiseSeparableConv(channels, channels, dilation=d) for d in dilations
        )
        self.channel_gate = (
            ChannelGate(channels, count) if attention in ('channel', 'stereoscopic') else None
        )
        self.spatial_gate = (
            SpatialGate(channels, 1 if shared_spatial else count, spatial_dilations, reduction)
            if attention in ('spatial', 'stereoscopic')
            else None
        )
        self.fuse = ConvNormAct(channels, channels, act=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to the same shape."""
        first = self.stem(x)
        branches = [first, *(branch(first) for branch in self.branches)]
        total = sum(branches[1:], first)
        if self.channel_gate is None and self.spatial_gate is None:
            fused = total
        else:
            fused = branch_attention(
                branches,
                None if self.channel_gate is None else self.channel_gate(total),
                None if self.spatial_gate is None else self.spatial_gate(total),
            )
        out: Tensor = self.fuse(fused) + x
        return out


SAM = StereoscopicAttention  # the paper's acronym, and the former name


class ChannelGate(nn.Module):
    """Channel-wise attention logits d of every branch (Eq. 7 and 8): pooling and a 2-layer MLP."""

    def __init__(self, channels: int, branches: int) -> None:
        super().__init__()
        self.hidden = ConvNormAct(channels, channels)
        self.logits = nn.Conv2d(channels, branches * channels, 1, bias=False)

    def forward(self, total: Tensor) -> Tensor:
        """Map the sum of the branches (N, C, H, W) to logits (N, B, C)."""
        require_batch(self.hidden, total)
        pooled = total.mean((2, 3), keepdim=True)
        logits: Tensor = self.logits(self.hidden(pooled))
        return logits.view(total.shape[0], -1, total.shape[1])


class SpatialGate(nn.Sequential):
    """Spatial attention logits s (Eq. 11): (N, C, H, W) to (N, maps, H, W)."""

    def __init__(self, channels: int, maps: int, dilations: Sequence[int], reduction: int) -> None:
        super().__init__()
        reduced = channels // reduction
        if not reduced:
            raise ValueError(
                f'The spatial gate divides {channels} channels by {reduction} and has none left: '
                'use more channels or a smaller reduction.'
            )
        self.reduce = ConvNormAct(channels, reduced)
        self.context = nn.Sequential(
            *(DepthwiseSeparableConv(reduced, reduced, dilation=d) for d in dilations)
        )
        self.logits = nn.Conv2d(reduced, maps, 1, bias=False)


def require_batch(block: nn.Module, x: Tensor) -> None:
    """Check that pooled features are not normalised over a batch of one image.

    Raises:
        ValueError: The block's BatchNorm is in training mode and the batch holds one image.
    """
    training = any(m.training for m in block.modules() if isinstance(m, nn.BatchNorm2d))
    if training and x.shape[0] == 1:  # in this order, exporters keep the batch size dynamic
        raise ValueError(
            'BatchNorm of globally pooled features needs at least two images: train with a larger '
            'batch (and drop_last=True), or put its BatchNorm into eval mode.'
        )
