"""What the feature extractors, and what the whole networks of this package have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, NamedTuple

from torch import Tensor, nn

from sod_plugins._common.arguments import records_arguments
from sod_plugins.networks.preprocessing import Preprocessing

Task = Literal['saliency', 'instances', 'classes']
Parts = Mapping[str, type[nn.Module]]


class Extractor(nn.Module):
    """A network from normalised images (N, 3, H, W) to a tuple of maps, finest first.

    Attributes:
        stages: Parts that run one after the other, of which the first ones can be frozen.
        out_indices: Stages (from 0) whose map is returned, in order.
        out_channels: Channels of each returned map.
        out_strides: Its stride in input pixels.
        arguments: Constructor arguments, by name.
    """

    stages: nn.ModuleList
    out_indices: tuple[int, ...]
    out_channels: tuple[int, ...]
    out_strides: tuple[int, ...]
    arguments: dict[str, Any]

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if '__init__' in vars(cls):
            records_arguments(cls)


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

    A subclass becomes known by :func:`~sod_plugins.networks.register_network`.

    Args:
        arguments: Constructor arguments as a checkpoint holds them; by default those that the
            constructor of the registered class is called with.

    Attributes:
        task: What it finds: ``'saliency'``, ``'instances'`` or ``'classes'``.
        folds_norms: Whether it is predicted with its BatchNorms folded into the convolutions, see
            :func:`~sod_plugins.networks.fuse`: that pays for its trial run where the convolutions
            are many and small.
        arguments: Constructor arguments, plain values: with the class name they rebuild it.
        preprocessing: Input size and normalisation that the weights expect.
        parts: Classes of the parts that a trainer may have put together by itself, by their names.
    """

    task: ClassVar[Task]
    parts: ClassVar[Parts] = {}
    folds_norms: ClassVar[bool] = False
    arguments: dict[str, Any]

    def __init__(self, arguments: dict[str, Any] | None = None) -> None:
        super().__init__()
        if arguments is not None:
            self.arguments = arguments
        self.preprocessing = Preprocessing()

    def described_arguments(self) -> dict[str, Any]:
        """Return what :meth:`from_arguments` takes."""
        return self.arguments

    @classmethod
    def from_arguments(cls, arguments: Mapping[str, Any]) -> DescribedNetwork:
        """Build a network from the arguments in a checkpoint.

        Raises:
            TypeError, ValueError: If the class does not take them.
        """
        return cls(**arguments)

    @classmethod
    def arguments_of_parts(cls, parts: Mapping[str, Any]) -> dict[str, Any]:
        """Return the constructor arguments of the network that some modules make.

        Args:
            parts: A module for each of ``parts`` of the class.

        Raises:
            ValueError: If they make another network; the message says why.
        """
        raise NotImplementedError


class SaliencyNetwork(DescribedNetwork):
    """A network from normalised images (N, 3, H, W) to logits (N, 1, H, W)."""

    task = 'saliency'
