"""Convolutional recurrent cells that refine a hidden map over a static input.

Gates and their order are those of ``nn.RNNCell``, ``nn.GRUCell`` and ``nn.LSTMCell``, with
convolutions in place of matrix products. ITDBU (Wang et al., CVPR 2019, Eq. 5) uses these cells.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from sod_plugins._common.choices import require_choice

State = tuple[Tensor, ...]

Nonlinearity = Literal['tanh', 'relu']
_NONLINEARITIES: dict[Nonlinearity, Callable[[Tensor], Tensor]] = {
    'tanh': torch.tanh,
    'relu': torch.relu,
}


class ConvCell(nn.Module):
    """Base class of the cells: one convolution of the input, one of the hidden map, and gates.

    The input is the same at every step, so its convolution is computed only once. The default state
    is zero; the convolution of a zero map is its bias and is not computed.

    Args:
        in_channels: Channels of the input.
        hidden_channels: Channels of the hidden map.
        kernel_size: Side of the square kernels, odd; the padding keeps the size.
        bias: Whether both convolutions have a bias, as PyTorch's cells do.
        nonlinearity: ``'tanh'``, or ``'relu'`` in its place (gates keep their sigmoids).
        recurrent: False omits the convolution of the hidden map and its bias, for a cell that only
            ever takes one step from the zero state, where that weight cannot learn.

    Raises:
        ValueError: The kernel is even, the nonlinearity is unknown, or a cell that is not recurrent
            is given a state or several steps.
    """

    gates: ClassVar[int] = 1

    def __init__(
        self,
        in_channels: int,
        hidden_channels: int,
        kernel_size: int = 3,
        *,
        bias: bool = True,
        nonlinearity: Nonlinearity = 'tanh',
        recurrent: bool = True,
    ) -> None:
        super().__init__()
        if kernel_size % 2 == 0:
            raise ValueError(f'{type(self).__name__} needs an odd kernel, got {kernel_size=}.')
        require_choice('nonlinearity', nonlinearity, _NONLINEARITIES)
        self.hidden_channels = hidden_channels
        self.nonlinearity = nonlinearity
        channels, padding = self.gates * hidden_channels, kernel_size // 2
        self.conv_input = nn.Conv2d(in_channels, channels, kernel_size, padding=padding, bias=bias)
        self.conv_hidden = (
            nn.Conv2d(hidden_channels, channels, kernel_size, padding=padding, bias=bias)
            if recurrent
            else None
        )

    def forward(self, x: Tensor, state: State | None = None, steps: int = 1) -> list[State]:
        """Take ``steps`` steps from ``state`` (zero by default) over the static input ``x``.

        Args:
            x: Input (N, C_in, H, W).
            state: Maps (N, C_hidden, H, W): the hidden map; for an LSTM followed by the cell map.
            steps: Number of steps, at least 1.

        Returns:
            The state after each step; its first map is the output.
        """
        if self.conv_hidden is None and (steps > 1 or state is not None):
            raise ValueError(
                f'This {type(self).__name__} was made with recurrent=False: it takes one step, '
                'from the zero state.'
            )
        projected = self.conv_input(x)
        states = []
        for _ in range(steps):
            state = self.step(projected, state)
            states.append(state)
        return states

    def step(self, projected: Tensor, state: State | None) -> State:
        """Take one step, given the convolved input (N, gates * C_hidden, H, W)."""
        raise NotImplementedError

    def _convolve_hidden(self, projected: Tensor, state: State | None) -> Tensor:
        """Convolve the hidden map; if it is zero, return (1, gates * C_hidden, 1, 1) instead."""
        if state is not None and self.conv_hidden is not None:
            convolved: Tensor = self.conv_hidden(state[0])
            return convolved
        if self.conv_hidden is None or self.conv_hidden.bias is None:
            return projected.new_zeros(1, projected.shape[1], 1, 1)
        return self.conv_hidden.bias.to(projected.dtype).view(1, -1, 1, 1)

    def _activate(self, x: Tensor) -> Tensor:
        return _NONLINEARITIES[self.nonlinearity](x)


class ConvRNNCell(ConvCell):
    """The plain recurrent cell: h' = tanh(W * x + U * h), in the order of ``nn.RNNCell``."""

    def step(self, projected: Tensor, state: State | None) -> State:
        """Take one step, given the convolved input (N, C_hidden, H, W)."""
        return (self._activate(projected + self._convolve_hidden(projected, state)),)


class ConvGRUCell(ConvCell):
    """Gated recurrent unit, with gates (reset, update, new) as in ``nn.GRUCell``.

    h' = (1 - z) n + z h with n = tanh(W_n * x + r (U_n * h)). As in PyTorch, the reset gate r
    scales the *convolved* hidden map, so one convolution serves all gates.
    """

    gates = 3

    def step(self, projected: Tensor, state: State | None) -> State:
        """Take one step, given the convolved input (N, 3 C_hidden, H, W)."""
        c = self.hidden_channels
        convolved = self._convolve_hidden(projected, state)
        reset, update = (projected[:, : 2 * c] + convolved[:, : 2 * c]).sigmoid().chunk(2, dim=1)
        new = self._activate(torch.addcmul(projected[:, 2 * c :], reset, convolved[:, 2 * c :]))
        return (new - update * new if state is None else torch.lerp(new, state[0], update),)


class ConvLSTMCell(ConvCell):
    """Long short-term memory, with gates (input, forget, cell, output) as in ``nn.LSTMCell``.

    c' = f c + i g and h' = o tanh(c'); no peepholes, and no special bias for the forget gate.
    """

    gates = 4

    def step(self, projected: Tensor, state: State | None) -> State:
        """Take one step, given the convolved input (N, 4 C_hidden, H, W)."""
        c = self.hidden_channels
        total = projected + self._convolve_hidden(projected, state)
        enter, forget = total[:, : 2 * c].sigmoid().chunk(2, dim=1)
        cell = enter * self._activate(total[:, 2 * c : 3 * c])
        if state is not None:
            cell = torch.addcmul(cell, forget, state[1])
        return total[:, 3 * c :].sigmoid() * self._activate(cell), cell


class ConvCNNCell(ConvCell):
    """No recurrence: a ReLU of the convolved input, in one step and regardless of the state.

    This is the case T = 1 of :class:`ConvRNNCell` (the paper's remark in Sec. 3.2), with the ReLU
    of an ordinary stack of convolutions.
    """

    def __init__(
        self, in_channels: int, hidden_channels: int, kernel_size: int = 3, *, bias: bool = True
    ) -> None:
        super().__init__(
            *(in_channels, hidden_channels, kernel_size),
            bias=bias,
            nonlinearity='relu',
            recurrent=False,
        )

    def step(self, projected: Tensor, state: State | None) -> State:
        """Activate the convolved input (N, C_hidden, H, W)."""
        return (projected.relu(),)
