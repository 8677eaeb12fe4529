"""What every whole network of this package has in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from sod_plugins.networks.preprocessing import Preprocessing


class SaliencyNetwork(nn.Module):
    """A network from normalised images (N, 3, H, W) to logits (N, 1, H, W).

    Attributes:
        arguments: Constructor arguments, plain values: with the class name they rebuild it.
        preprocessing: Input size and normalisation that the weights expect.
    """

    def __init__(self, arguments: dict[str, Any]) -> None:
        super().__init__()
        self.arguments = arguments
        self.preprocessing = Preprocessing()

    @staticmethod
    def arguments_of_parts(backbone: Mapping[str, Any], head: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments of the network that a registered backbone and head make.

        Args:
            backbone: Config of the backbone in a segmentor.
            head: Config of its decode head.

        Raises:
            ValueError: If they make another network.
        """
        raise NotImplementedError
