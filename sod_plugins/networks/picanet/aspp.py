"""PiCANet in DeepLab's atrous spatial pyramid pooling: features in, class scores out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from sod_plugins._common.arguments import records_arguments
from sod_plugins._common.choices import require_choice
from sod_plugins.layers.conv import AutocastConv2d
from sod_plugins.layers.picanet import AttentionConv, LocalAttentionPooling
from sod_plugins.layers.plain_context import LargeConv
from sod_plugins.networks.losses import check_labels, cross_entropy

Context = Literal['none', 'LC', 'AC', 'LAP']
CONTEXTS: tuple[Context, ...] = get_args(Context)
Join = Literal['output', 'input']
JOINS: tuple[Join, ...] = get_args(Join)


@records_arguments
class PiCANetASPP(nn.Module):
    """DeepLab's four branches, each with a local PiCANet parallel to its Fc6 (Sec. 5.6, Tab. 3).

    Paper: Liu, Han and Yang, IEEE TIP 2020, based on DeepLab-ASPP-L of Chen et al., TPAMI 2018. A
    branch consists of Fc6, 3x3 with its own dilation, and Fc7 and Fc8, both 1x1. ReLU and dropout
    follow Fc6 and Fc7, and the class scores of all branches are summed. The context covers a 7x7
    window of Pool5 with a third of Fc6's dilation, which spans the same pixels. Fc7 takes both,
    concatenated with Fc6 first.

    Args:
        in_channels: Channels of the features.
        num_classes: Number of classes.
        channels: Channels of Fc6 and Fc7.
        context: ``'none'``, which is DeepLab; ``'LC'``, a convolution; ``'AC'`` or ``'LAP'``.
        dilations: Dilation of Fc6 in each branch.
        context_kernel: Side of the context's window.
        context_dilations: Dilation of the window in each branch; None is a third of ``dilations``.
        context_channels: Channels of AC or LC, which the paper does not give; None means
            ``in_channels``, which LAP always has.
        context_norm: Whether BatchNorm precedes the ReLU after AC or LC, as in the paper's saliency
            network. Neither follows LAP, which averages features unchanged.
        attention_channels: Channels between the two convolutions that compute attention.
        attention_norm: Whether BatchNorm precedes the attention's sigmoid or softmax.
        join: Where the context joins Fc6, which the paper does not say: ``'output'``, after Fc6's
            ReLU and dropout; ``'input'``, before them, so that they act on both.
        pool: Whether to apply Pool5, a 3x3 max pooling, here; for VGG's conv5_3.
        batch_norm: Whether BatchNorm follows Fc6 and Fc7; DeepLab has none.
        dropout: Dropout probability.

    Raises:
        ValueError: The arguments do not describe a network.
    """

    def __init__(
        self,
        in_channels: int = 512,
        num_classes: int = 21,
        channels: int = 1024,
        context: Context = 'none',
        *,
        dilations: Sequence[int] = (6, 12, 18, 24),
        context_kernel: int = 7,
        context_dilations: Sequence[int] | None = None,
        context_channels: int | None = None,
        context_norm: bool = True,
        attention_channels: int = 128,
        attention_norm: bool = True,
        join: Join = 'output',
        pool: bool = False,
        batch_norm: bool = False,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        require_choice('context', context, CONTEXTS)
        require_choice('join', join, JOINS)
        if context_dilations is None:
            context_dilations = dilations if context == 'none' else _thirds(dilations)
        if len(context_dilations) != len(dilations):
            raise ValueError(
                f'context_dilations needs {len(dilations)} entries, one per branch, '
                f'got {tuple(context_dilations)}.'
            )
        self.out_channels = channels
        self.pool = nn.MaxPool2d(3, 1, padding=1) if pool else nn.Identity()
        self.branches = nn.ModuleList()
        for dilation, context_dilation in zip(dilations, context_dilations, strict=True):
            beside = None
            if context != 'none':
                beside = LocalContext(
                    context,
                    in_channels,
                    context_channels or in_channels,
                    context_kernel,
                    context_dilation,
                    norm=context_norm,
                    attention_channels=attention_channels,
                    attention_norm=attention_norm,
                )
            self.branches.append(
                ASPPBranch(
                    in_channels, num_classes, channels, dilation, beside, join, batch_norm, dropout
                )
            )

    def forward(self, features: Tensor) -> Tensor:
        """Map features (N, in_channels, H, W) to scores (N, num_classes, H, W), without softmax."""
        x = self.pool(features)
        return torch.stack([branch(x) for branch in self.branches]).sum(0)

    def losses(
        self, outputs: Tensor, labels: Tensor, ignore_value: float | None = None
    ) -> dict[str, Tensor]:
        """Compare scores, resized bilinearly, with the labels.

        Args:
            outputs: Scores of :meth:`forward`.
            labels: Class indices (N, 1, H, W), from 0.
            ignore_value: Pixels with this label are ignored; None ignores none.

        Returns:
            ``loss_ce``, the cross-entropy averaged over the pixels that are not ignored.

        Raises:
            ValueError: The labels have the wrong shape or are not classes.
        """
        check_labels(labels, len(outputs), outputs.shape[1], ignore_value)
        return {'loss_ce': cross_entropy(outputs, labels, ignore_value)}


class ASPPBranch(nn.Module):
    """One branch: Fc6 and the context in parallel, Fc7 on both, Fc8.

    Args:
        in_channels: Channels of the features (N, C, H, W).
        num_classes: Channels of the output (N, num_classes, H, W).
        channels: Channels of Fc6 and Fc7.
        dilation: Dilation of Fc6.
        context: The context module parallel to Fc6; None for none.
        join: See :class:`PiCANetASPP`.
        batch_norm: See :class:`PiCANetASPP`.
        dropout: See :class:`PiCANetASPP`.
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        channels: int,
        dilation: int,
        context: LocalContext | None,
        join: Join,
        batch_norm: bool,
        dropout: float,
    ) -> None:
        super().__init__()

        def normed(conv: nn.Conv2d) -> nn.Module:
            nn.init.kaiming_normal_(conv.weight, nonlinearity='relu')
            return nn.Sequential(conv, nn.BatchNorm2d(channels)) if batch_norm else conv

        read = channels + (context.out_channels if context else 0)
        self.join = join
        self.fc6 = normed(
            AutocastConv2d(in_channels, channels, 3, padding=dilation, dilation=dilation)
        )
        self.context = context
        self.fc7 = normed(nn.Conv2d(read, channels, 1))
        self.fc8 = nn.Conv2d(channels, num_classes, 1)
        nn.init.normal_(self.fc8.weight, std=0.01)
        self.end = nn.Sequential(nn.ReLU(), nn.Dropout(dropout))

    def forward(self, x: Tensor) -> Tensor:
        """Map features (N, C, H, W) to scores (N, num_classes, H, W)."""
        y = self.fc6(x)
        if self.context is None:
            y = self.end(y)
        elif self.join == 'input':
            y = self.end(torch.cat([y, self.context(x)], 1))
        else:
            y = torch.cat([self.end(y), self.context(x)], 1)
        scores: Tensor = self.fc8(self.end(self.fc7(y)))
        return scores


class LocalContext(nn.Sequential):
    """AC or LC followed by BatchNorm and ReLU, or LAP alone.

    Args:
        kind: ``'LC'``, ``'AC'`` or ``'LAP'``.
        in_channels: Channels of the features (N, C, H, W).
        out_channels: Channels of AC and LC.
        kernel_size: Side of the window.
        dilation: Dilation of the window.
        norm: Whether to include the BatchNorm.
        attention_channels: See :class:`PiCANetASPP`.
        attention_norm: See :class:`PiCANetASPP`.

    Attributes:
        out_channels: Channels of the output (N, out_channels, H, W).
    """

    def __init__(
        self,
        kind: Context,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        dilation: int,
        *,
        norm: bool,
        attention_channels: int,
        attention_norm: bool,
    ) -> None:
        super().__init__()
        window = (kernel_size, dilation)
        if kind == 'LAP':
            self.out_channels = in_channels
            self.pool = LocalAttentionPooling(
                in_channels, *window, hidden_channels=attention_channels, batch_norm=attention_norm
            )
            return
        self.out_channels = out_channels
        if kind == 'LC':
            self.conv: nn.Module = LargeConv(in_channels, out_channels, *window)
        else:
            self.conv = AttentionConv(
                in_channels,
                out_channels,
                *window,
                hidden_channels=attention_channels,
                batch_norm=attention_norm,
            )
        if norm:
            self.norm = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU(inplace=True)


def _thirds(dilations: Sequence[int]) -> tuple[int, ...]:
    """Return the dilations with which 7x7 windows span what 3x3 windows span with the given."""
    if any(dilation % 3 for dilation in dilations):
        raise ValueError(
            f'dilations {tuple(dilations)} are not multiples of 3: give context_dilations.'
        )
    return tuple(dilation // 3 for dilation in dilations)
