"""PiCANet in DeepLab's atrous spatial pyramid pooling: features in, class scores out."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from sod_plugins.layers.picanet import AttentionConv, LocalAttentionPooling
from sod_plugins.layers.plain_context import LargeConv
from sod_plugins.networks.losses import check_labels, cross_entropy

CONTEXTS = ('none', 'LC', 'AC', 'LAP')
JOINS = ('output', 'input')


class PiCANetASPP(nn.Module):
    """DeepLab's four branches, each with a local PiCANet beside its Fc6 (Sec. 5.6, Tab. 3).

    Paper: Liu, Han and Yang, IEEE TIP 2020, on DeepLab-ASPP-L of Chen et al., TPAMI 2018. A branch
    is Fc6, 3x3 with a dilation of its own, Fc7 and Fc8, both 1x1; ReLU and dropout follow Fc6 and
    Fc7, and the class scores of all branches add up. A context looks at a 7x7 window of Pool5 with
    a third of Fc6's dilation, which spans the same pixels, and Fc7 reads both, Fc6 first.

    Args:
        in_channels: Channels of the features.
        num_classes: Scores of every pixel.
        channels: Channels of Fc6 and of Fc7.
        context: ``'none'``, which is DeepLab; ``'LC'``, a convolution; ``'AC'`` or ``'LAP'``.
        dilations: Dilation of Fc6 in each branch.
        context_kernel: Side of the context's window.
        context_dilations: Dilation of the window in each branch; None is a third of ``dilations``.
        context_channels: Channels of AC or LC, which the paper does not say; None is
            ``in_channels``, which LAP always has.
        context_norm: Whether BatchNorm precedes the ReLU behind AC or LC, as in the paper's
            saliency network. Neither follows LAP, which averages features as they are.
        attention_channels: Channels between the two convolutions that make attention.
        attention_norm: Whether BatchNorm precedes the attention's sigmoid or softmax.
        join: Where the context meets Fc6, which the paper does not say: ``'output'``, behind Fc6's
            ReLU and dropout; ``'input'``, before them, so that they act on both.
        pool: Whether Pool5, the maximum of 3x3 pixels, is taken here; for VGG's conv5_3.
        batch_norm: Whether BatchNorm follows Fc6 and Fc7; DeepLab has none.
        dropout: Share of dropped values.

    Raises:
        ValueError: If the arguments do not describe a network.
    """

    def __init__(
        self,
        in_channels: int = 512,
        num_classes: int = 21,
        channels: int = 1024,
        context: str = 'none',
        *,
        dilations: Sequence[int] = (6, 12, 18, 24),
        context_kernel: int = 7,
        context_dilations: Sequence[int] | None = None,
        context_channels: int | None = None,
        context_norm: bool = True,
        attention_channels: int = 128,
        attention_norm: bool = True,
        join: str = 'output',
        pool: bool = False,
        batch_norm: bool = False,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        if context not in CONTEXTS:
            raise ValueError(f'context must be one of {CONTEXTS}, got {context!r}.')
        if join not in JOINS:
            raise ValueError(f'join must be one of {JOINS}, got {join!r}.')
        if context_dilations is None:
            context_dilations = dilations if context == 'none' else _thirds(dilations)
        if len(context_dilations) != len(dilations):
            raise ValueError(
                f'context_dilations needs {len(dilations)} entries, one per branch, '
                f'got {tuple(context_dilations)}.'
            )
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
        """Map features (N, in_channels, H, W) to scores (N, num_classes, H, W), no softmax."""
        x = self.pool(features)
        return torch.stack([branch(x) for branch in self.branches]).sum(0)

    def losses(
        self, outputs: Tensor, labels: Tensor, ignore_value: float | None = None
    ) -> dict[str, Tensor]:
        """Compare scores, resized bilinearly, with the labels.

        Args:
            outputs: Scores of :meth:`forward`.
            labels: Classes (N, 1, H, W), from 0 on.
            ignore_value: Pixels with this label do not count; None lets all count.

        Returns:
            ``loss_ce``, the cross-entropy averaged over the pixels that count.

        Raises:
            ValueError: If the labels do not fit.
        """
        check_labels(labels, len(outputs), outputs.shape[1], ignore_value)
        return {'loss_ce': cross_entropy(outputs, labels, ignore_value)}


class ASPPBranch(nn.Module):
    """One branch: Fc6 and the context side by side, Fc7 on both, Fc8.

    Args:
        in_channels: Channels of the features (N, C, H, W).
        num_classes: Channels of the result (N, num_classes, H, W).
        channels: Channels of Fc6 and Fc7.
        dilation: Dilation of Fc6.
        context: What Fc7 reads beside Fc6; None for nothing.
        join: See :class:`PiCANetASPP`, also for the rest.
        batch_norm: Likewise.
        dropout: Likewise.
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        channels: int,
        dilation: int,
        context: LocalContext | None,
        join: str,
        batch_norm: bool,
        dropout: float,
    ) -> None:
        super().__init__()

        def normed(conv: nn.Conv2d) -> nn.Module:
            nn.init.kaiming_normal_(conv.weight, nonlinearity='relu')
            return nn.Sequential(conv, nn.BatchNorm2d(channels)) if batch_norm else conv

        read = channels + (context.out_channels if context else 0)
        self.join = join
        self.fc6 = normed(nn.Conv2d(in_channels, channels, 3, padding=dilation, dilation=dilation))
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
    """AC or LC with BatchNorm and ReLU behind it, or LAP alone.

    Args:
        kind: ``'LC'``, ``'AC'`` or ``'LAP'``.
        in_channels: Channels of the features (N, C, H, W).
        out_channels: Channels of AC and LC.
        kernel_size: Side of the window.
        dilation: Its dilation.
        norm: Whether the BatchNorm is there.
        attention_channels: See :class:`PiCANetASPP`, also for the next.
        attention_norm: Likewise.

    Attributes:
        out_channels: Channels of the result (N, out_channels, H, W).
    """

    def __init__(
        self,
        kind: str,
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
    """Return the dilations by which 7x7 windows span what 3x3 windows with these span."""
    if any(dilation % 3 for dilation in dilations):
        raise ValueError(
            f'dilations {tuple(dilations)} are not multiples of 3: give context_dilations.'
        )
    return tuple(dilation // 3 for dilation in dilations)
