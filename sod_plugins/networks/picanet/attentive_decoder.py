"""One decoder of PiCANet: features, their context and a classifier (Fig. 3b)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from sod_plugins.layers.picanet import ContextAttention
from sod_plugins.networks.picanet.settings import CONVOLUTIONS, ContextOptions, build_context
from sod_plugins.ops.resize import resize_bilinear


class Decoded(NamedTuple):
    """The outputs of one decoder D_i.

    Attributes:
        logits: Its map before the sigmoid, (N, num_classes, H_i, W_i).
        output: Dec_i, (N, C_(i-1), H_i, W_i).
        features: F_i, (N, C_i, H_i, W_i); without context, this and the following are None.
        attended: The attended features, of the same size as F_i.
        attention: The weights (N, K*K, H_i, W_i); None for plain pooling and convolutions.
    """

    logits: Tensor
    output: Tensor
    features: Tensor | None
    attended: Tensor | None
    attention: Tensor | None


class AttentiveDecoder(nn.Module):
    """One decoder D_i (Fig. 3b), see :class:`PiCANetDecoder`.

    Args:
        level: The index i, from 1 for the finest.
        tap_channels: Channels of the encoder map.
        channels: C_i, of F_i and of the previous decoder.
        out_channels: C_(i-1), of the output.
        num_classes: Channels of the logits.
        context: Kind of context, or None.
        options: Sizes of the context module.
        deepest: Whether there is no previous decoder; F_i is then the encoder map, projected by a
            1x1 convolution and a ReLU if the channels differ.
        tap_norm: Whether the encoder map passes through BatchNorm and ReLU.
        doubles: Whether the previous decoder is upsampled by a transposed convolution.

    Attributes:
        level: The index i.
        context: The context module; None if there is none.
    """

    def __init__(
        self,
        level: int,
        tap_channels: int,
        channels: int,
        out_channels: int,
        num_classes: int,
        context: str | None,
        options: ContextOptions,
        *,
        deepest: bool,
        tap_norm: bool,
        doubles: bool,
    ) -> None:
        super().__init__()
        self.level = level
        self.tap = (
            nn.Sequential(nn.BatchNorm2d(tap_channels), nn.ReLU()) if tap_norm else nn.Identity()
        )
        self.upsample = LearnedUpsampling(channels) if doubles else None
        self.concatenates = context not in CONVOLUTIONS
        both = tap_channels + (0 if deepest else channels)
        self.context: nn.Module | None = None
        self.fuse: nn.Module | None = None
        if context is None:
            merge: list[nn.Module] = [nn.Conv2d(both, out_channels, 1)]
        else:
            if not deepest or tap_channels != channels:
                self.fuse = nn.Sequential(nn.Conv2d(both, channels, 1), nn.ReLU(inplace=True))
            module = build_context(context, channels, out_channels, options)
            self.context = module
            merge = []
            if self.concatenates:
                merge.append(nn.Conv2d(channels + module.out_channels, out_channels, 1))
        self.merge = nn.Sequential(*merge, nn.BatchNorm2d(out_channels), nn.ReLU(inplace=True))
        self.classifier = nn.Conv2d(out_channels, num_classes, 1)

    def forward(self, tap: Tensor, previous: Tensor | None) -> Decoded:
        """Decode an encoder map and the output of the previous decoder (None for the deepest)."""
        x = self.tap(tap)
        if previous is not None:
            if self.upsample is not None:
                previous = self.upsample(previous)
            if previous.shape[2:] != x.shape[2:]:
                previous = resize_bilinear(previous, (x.shape[2], x.shape[3]))
            x = torch.cat((previous, x), 1)
        features = attended = attention = None
        if self.context is not None:
            features = x if self.fuse is None else self.fuse(x)
            if isinstance(self.context, ContextAttention):
                attention = self.context.attention(features)
                attended = self.context.attend(features, attention)
            else:
                attended = self.context(features)
            x = torch.cat((features, attended), 1) if self.concatenates else attended
        output = self.merge(x)
        return Decoded(self.classifier(output), output, features, attended, attention)


class LearnedUpsampling(nn.ConvTranspose2d):
    """Double the size by a 4x4 transposed convolution per channel, initialised as bilinear.

    Args:
        channels: Channels of the map (N, C, H, W) and of the output (N, C, 2 H, 2 W).
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels, channels, 4, 2, padding=1, groups=channels, bias=False)

    def reset_parameters(self) -> None:
        """Initialise as bilinear interpolation, with zeros outside the map."""
        line = torch.tensor([0.25, 0.75, 0.75, 0.25])
        with torch.no_grad():
            self.weight.copy_(line[:, None] * line)
