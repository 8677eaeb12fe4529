"""What the feature extractors, and what the whole networks of this package have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, NamedTuple

from torch import Tensor, nn

from sod_plugins._common.arguments import records_arguments
from sod_plugins.networks.losses import binary_cross_entropy, check_masks
from sod_plugins.networks.preprocessing import Preprocessing
from sod_plugins.ops.resize import resize_bilinear

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


class Supervised(NamedTuple):
    """Logits (N, 1, H, W) at the size of the masks, and the weight of their loss."""

    logits: Tensor
    weight: float = 1.0


class SaliencyDecoder(nn.Module):
    """The part of a network that turns an extractor's maps into saliency logits, with its losses.

    A trainer that composes extractor and decoder itself calls the decoder in training mode on the
    maps, and then :meth:`losses` on what it returns.
    """

    def training_outputs(self, maps: Sequence[Tensor]) -> Any:
        """Return what :meth:`losses` takes, in the training mode or not.

        Args:
            maps: Maps (N, C_i, H_i, W_i) of the extractor, finest first.
        """
        return self(maps)

    def losses(
        self, outputs: Any, masks: Tensor, ignore_value: float | None = None
    ) -> dict[str, Tensor]:
        """Compare what the decoder returns in training with the masks.

        Args:
            outputs: Of the decoder in training, or of :meth:`training_outputs`.
            masks: The ground truth (N, 1, H, W) in [0, 1], of any height and width.
            ignore_value: Pixels of the masks with this value do not count; None lets all count.

        Returns:
            Weighted scalars by name, whose sum is to be minimised. Here they are binary
            cross-entropies, averaged over the pixels: ``loss_bce``, with the suffix of
            :meth:`supervised`.

        Raises:
            ValueError: If the masks do not fit or lie outside [0, 1].
        """
        check_masks(masks, _batch_of(outputs), ignore_value)
        terms = self.supervised(outputs, (masks.shape[-2], masks.shape[-1]))
        return {
            f'loss_bce{suffix}': weight * binary_cross_entropy(logits, masks, ignore_value)
            for suffix, (logits, weight) in terms.items()
        }

    def supervised(self, outputs: Any, size: tuple[int, int]) -> dict[str, Supervised]:
        """Bring each map to the size of the masks; the keys end the names of the losses."""
        return {'': Supervised(resize_bilinear(outputs, size))}


def _batch_of(outputs: Tensor | Sequence[Tensor]) -> int:
    """Return the number of images."""
    return len(outputs if isinstance(outputs, Tensor) else outputs[0])


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
    """A network from normalised images (N, 3, H, W) to logits (N, 1, H, W).

    Attributes:
        backbone: The feature extractor, see :class:`Extractor`.
        decode_head: From its maps to logits, see :class:`SaliencyDecoder`.
    """

    task = 'saliency'
    backbone: Extractor
    decode_head: SaliencyDecoder

    def losses(
        self, images: Tensor, targets: Tensor, ignore_value: float | None = None
    ) -> dict[str, Tensor]:
        """Return the losses of a training step, to be added up.

        Args:
            images: Normalised images (N, 3, H, W).
            targets: Their masks (N, 1, H, W) in [0, 1].
            ignore_value: Pixels of the masks with this value do not count; None lets all count.

        Returns:
            Weighted scalars by name, see the ``losses`` of the decoder.

        Raises:
            ValueError: If the targets do not fit the images or lie outside [0, 1].
        """
        if targets.shape[-2:] != images.shape[-2:]:
            raise ValueError(
                f'The masks must have the size of the images, {tuple(images.shape[-2:])}, got '
                f'{tuple(targets.shape[-2:])}.'
            )
        outputs = self.decode_head.training_outputs(self.backbone(images))
        return self.decode_head.losses(outputs, targets, ignore_value)
