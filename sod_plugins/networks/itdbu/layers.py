"""The layers of ITDBU's decoder, and the order in which an iteration visits them.

Paper: Wang et al., "An Iterative and Cooperative Top-down and Bottom-up Inference Network for
Salient Object Detection", CVPR 2019.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor, nn

from sod_plugins.layers.conv_rnn import (
    ConvCell,
    ConvCNNCell,
    ConvGRUCell,
    ConvLSTMCell,
    ConvRNNCell,
    Nonlinearity,
    State,
)

Direction = Literal['top_down', 'bottom_up']
TOP_DOWN: Direction
BOTTOM_UP: Direction
TOP_DOWN, BOTTOM_UP = get_args(Direction)
RECURRENT_CELLS: dict[str, type[ConvCell]] = {
    'rnn': ConvRNNCell,
    'gru': ConvGRUCell,
    'lstm': ConvLSTMCell,
}
Cell = Literal['cnn', 'rnn', 'gru', 'lstm']
CELLS: tuple[Cell, ...] = get_args(Cell)


class Place(NamedTuple):
    """The place of an inference layer; levels (1 is the finest) and iterations count from 1."""

    direction: Direction
    level: int
    iteration: int


class SideOutput(NamedTuple):
    """One supervised map: logits (N, 1, H, W) at the size of its level.

    Levels (1 is the finest), iterations and steps count from 1; the direction is ``'top_down'`` or
    ``'bottom_up'``.
    """

    level: int
    direction: Direction
    iteration: int
    step: int
    logits: Tensor


def schedule(levels: int, iterations: int) -> Iterator[Place]:
    """Yield the places of all inference layers in the order of the paper (Fig. 3, Tab. 3).

    The top level comes first, followed by top-down passes to level 1 with bottom-up passes to the
    top between them. Bottom-up passes do not re-estimate level 1, and later top-down passes do not
    re-estimate the top level.
    """
    yield Place(TOP_DOWN, levels, 1)
    for iteration in range(1, iterations + 1):
        for level in range(levels - 1, 0, -1):
            yield Place(TOP_DOWN, level, iteration)
        if iteration < iterations:
            for level in range(2, levels + 1):
                yield Place(BOTTOM_UP, level, iteration)


def build_cell(
    name: Cell,
    in_channels: int,
    hidden_channels: int,
    kernel_size: int,
    nonlinearity: Nonlinearity,
    recurrent: bool,
) -> ConvCell:
    """Build one of ``CELLS``; ``'cnn'`` ignores the last two arguments."""
    if name == 'cnn':
        return ConvCNNCell(in_channels, hidden_channels, kernel_size)
    return RECURRENT_CELLS[name](
        *(in_channels, hidden_channels, kernel_size),
        nonlinearity=nonlinearity,
        recurrent=recurrent,
    )


class UnifyingLayer(nn.Conv2d):
    """Dimension-unifying layer R of Eq. 4: a 1x1 convolution of [S, F], and ReLU.

    The features F are the same in all iterations, so their part of the convolution is computed
    once by :meth:`project`; each run adds the part of the saliency map S.

    Args:
        in_channels: Channels of F.
        channels: Channels of the output.
        with_saliency: False if S is always absent; its weight would be idle.
        norm: Whether BatchNorm, instead of the bias, follows the part of F. The weights of S are
            then initialised between -1 and 1, on the scale of the features.
    """

    def __init__(
        self, in_channels: int, channels: int, with_saliency: bool = True, norm: bool = False
    ) -> None:
        super().__init__(in_channels + with_saliency, channels, 1, bias=not norm)
        self.with_saliency = with_saliency
        self.norm = nn.BatchNorm2d(channels) if norm else nn.Identity()
        if norm and with_saliency:
            nn.init.uniform_(self.weight[:, :1], -1, 1)

    def project(self, features: Tensor) -> Tensor:
        """Map F (N, C, H, W) to its part (N, channels, H, W) before the ReLU."""
        weight = self.weight[:, 1:] if self.with_saliency else self.weight
        projected: Tensor = self.norm(nn.functional.conv2d(features, weight, self.bias))
        return projected

    def forward(self, projected: Tensor, saliency: Tensor | None = None) -> Tensor:
        """Add the part of S (N, 1, H, W), by default zero, to that of F, and apply ReLU."""
        if saliency is None:
            return projected.relu()
        weight = self.weight[:, :1].view(1, -1, 1, 1).to(projected.dtype)
        return torch.addcmul(projected, weight, saliency).relu()


class Concatenation(nn.Module):
    """Replaces :class:`UnifyingLayer` if there is none (Eq. 1 and 2): [S, F] itself."""

    def __init__(self, in_channels: int, with_saliency: bool) -> None:
        super().__init__()
        self.out_channels = in_channels + with_saliency

    def project(self, features: Tensor) -> Tensor:
        """Return F."""
        return features

    def forward(self, features: Tensor, saliency: Tensor | None = None) -> Tensor:
        """Return (N, 1 + C, H, W), or F if there is no S."""
        return features if saliency is None else torch.cat((saliency, features), dim=1)


class InferenceLayer(nn.Module):
    """A layer T or B (Eq. 5): a convolutional cell and its read-out, a 1x1 convolution."""

    def __init__(self, cell: ConvCell) -> None:
        super().__init__()
        self.cell = cell
        self.readout = nn.Conv2d(cell.hidden_channels, 1, 1)

    def forward(
        self, x: Tensor, state: State | None, steps: int, every_step: bool
    ) -> tuple[list[Tensor], State]:
        """Take ``steps`` steps over ``x`` (N, C, H, W); return logits (N, 1, H, W) and the state.

        The logits are those of the last step, or of every step if ``every_step``.
        """
        states: list[State] = self.cell(x, state, steps)
        read = states if every_step else states[-1:]
        return [self.readout(hidden) for hidden, *_ in read], states[-1]


class TopReadout(nn.Module):
    """The first top saliency without an inference layer: a 1x1 convolution of the top features."""

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.readout = nn.Conv2d(in_channels, 1, 1)

    def forward(
        self, x: Tensor, state: State | None, steps: int, every_step: bool
    ) -> tuple[list[Tensor], State]:
        """Map ``x`` (N, C, H, W) to logits (N, 1, H, W); there is no state and only one step."""
        return [self.readout(x)], ()
