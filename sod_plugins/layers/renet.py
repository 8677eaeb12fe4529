"""ReNet: four LSTMs that sweep over a map, so that every pixel sees all of it."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor, nn

from sod_plugins._common.choices import require_choice

Order = Literal['rows_first', 'columns_first']
ORDERS: tuple[Order, ...] = get_args(Order)
GATES = 4  # input, forget, cell, output, as in nn.LSTM


class ReNet(nn.Module):
    """Recurrent sweeps along rows and columns (Visin et al., 2015) as used in PiCANet (Sec. 3.1).

    Two LSTMs scan each row from both ends, their outputs are concatenated (forward first), and two
    more scan the columns of the result. Patches are single pixels, the initial state is zero, and
    there are no peepholes. The released network scans columns first, which its paper does not say.

    Each gate has one bias, whereas ``nn.LSTM`` has two that only ever act as their sum. This saves
    8 * ``hidden_channels`` parameters per layer, 4,096 in the paper's ReNet. As in the release,
    weights are initialised from U(-0.2, 0.2), and biases to zero, or one for the forget gate.

    Args:
        in_channels: Channels of the map.
        hidden_channels: Channels of each LSTM; the output has twice as many.
        order: ``'rows_first'``, as in the paper, or ``'columns_first'``, as released.

    Raises:
        ValueError: The order is unknown.
    """

    def __init__(
        self, in_channels: int, hidden_channels: int = 256, order: Order = 'rows_first'
    ) -> None:
        super().__init__()
        require_choice('order', order, ORDERS)
        self.order = order
        self.out_channels = 2 * hidden_channels
        self.first = BidirectionalLSTM(in_channels, hidden_channels)
        self.second = BidirectionalLSTM(self.out_channels, hidden_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, 2 * hidden_channels, H, W)."""
        first, second = (3, 2) if self.order == 'rows_first' else (2, 3)
        return _scan(self.second, _scan(self.first, x, first), second)


def _scan(lstm: BidirectionalLSTM, x: Tensor, axis: int) -> Tensor:
    """Scan a map (N, C, H, W) along one of its last axes, with all lines in one batch."""
    other = 5 - axis
    lines = x.permute(axis, 0, other, 1)
    out: Tensor = lstm(lines.flatten(1, 2)).unflatten(1, lines.shape[1:3])
    return out.permute(1, 3, 0, 2) if axis == 2 else out.permute(1, 3, 2, 0)


class BidirectionalLSTM(nn.Module):
    """Two LSTMs, forward and backward, with one bias per gate and gates ordered as in ``nn.LSTM``.

    Args:
        in_channels: Channels of the input.
        hidden_channels: Channels of each direction's state.
    """

    def __init__(self, in_channels: int, hidden_channels: int) -> None:
        super().__init__()
        self.hidden_channels = hidden_channels
        rows = GATES * hidden_channels
        for direction in ('forward', 'backward'):
            self.register_parameter(
                f'{direction}_input', nn.Parameter(torch.empty(rows, in_channels))
            )
            self.register_parameter(
                f'{direction}_hidden', nn.Parameter(torch.empty(rows, hidden_channels))
            )
            self.register_parameter(f'{direction}_bias', nn.Parameter(torch.empty(rows)))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Initialise the weights from U(-0.2, 0.2), and open the forget gates."""
        for name, parameter in self.named_parameters():
            if name.endswith('_bias'):
                nn.init.zeros_(parameter)
                nn.init.ones_(parameter[self.hidden_channels : 2 * self.hidden_channels])
            else:
                nn.init.uniform_(parameter, -0.2, 0.2)

    def forward(self, x: Tensor) -> Tensor:
        """Map sequences (L, N, C) to (L, N, 2 * hidden_channels), forward outputs first."""
        flat = []
        for direction in ('forward', 'backward'):
            bias = self.get_parameter(f'{direction}_bias')
            flat += [
                self.get_parameter(f'{direction}_input'),
                self.get_parameter(f'{direction}_hidden'),
                bias,
                torch.zeros_like(bias),  # the operator's second bias
            ]
        state = x.new_zeros(2, x.shape[1], self.hidden_channels)
        out: Tensor = torch.lstm(
            x,
            (state, state),
            flat,
            has_biases=True,
            num_layers=1,
            dropout=0.0,
            train=self.training,
            bidirectional=True,
            batch_first=False,
        )[0]
        return out
