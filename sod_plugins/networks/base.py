"""What the feature extractors, and what the whole networks of this package have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from torch import Tensor, nn

from sod_plugins.networks.preprocessing import Preprocessing


class Extractor(nn.Module):
    """A network from normalised images (N, 3, H, W) to a tuple of maps, finest first.

    Attributes:
        stages: Parts that run one after the other, of which the first ones can be frozen.
        out_indices: Stages (from 0) whose map is returned, in order.
        out_channels: Channels of each returned map.
        out_strides: Its stride in input pixels.
    """

    stages: nn.ModuleList
    out_indices: tuple[int, ...]
    out_channels: tuple[int, ...]
    out_strides: tuple[int, ...]


class InstanceTensors(NamedTuple):
    """Instances of one image, best first: what a network that finds instances returns for each.

    The fields are those of :class:`sod_plugins.data.Instances`, the arrays.

    Attributes:
        boxes: (K, 4) x1, y1, x2, y2 in pixels, x2 and y2 excluded.
        masks: (K, H, W), bool.
        scores: (K,) in [0, 1].
        labels: (K,) numbers of classes from 0, int64; all 0 where salient is the only one.
    """

    boxes: Tensor
    masks: Tensor
    scores: Tensor
    labels: Tensor


class DescribedNetwork(nn.Module):
    """A whole network on normalised images (N, 3, H, W), which a checkpoint can describe.

    Attributes:
        arguments: Constructor arguments, plain values: with the class name they rebuild it.
        preprocessing: Input size and normalisation that the weights expect.
    """

    def __init__(self, arguments: dict[str, Any]) -> None:
        super().__init__()
        self.arguments = arguments
        self.preprocessing = Preprocessing()


class SaliencyNetwork(DescribedNetwork):
    """A network from normalised images (N, 3, H, W) to logits (N, 1, H, W)."""

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
