"""The base classes of backbones, decoders and complete networks."""

from __future__ import annotations

import inspect
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
    """A backbone: maps normalised images (N, 3, H, W) to a tuple of maps, finest first.

    Attributes:
        stages: The parts that run in sequence, the first of which can be frozen.
        out_indices: Stages (from 0) whose map is returned, in order.
        out_channels: Channels of each returned map.
        out_strides: Stride of each returned map in input pixels.
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
    """The instances of one image, best first, as tensors; the output of instance networks.

    The fields are those of :class:`sod_plugins.data.Instances`, which holds arrays.

    Attributes:
        boxes: (K, 4) x1, y1, x2, y2 in pixels, x2 and y2 exclusive.
        masks: (K, H, W), bool.
        scores: (K,) in [0, 1].
        labels: (K,) class indices from 0, int64; all 0 if salient is the only class.
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
    """The part of a network that turns a backbone's maps into saliency logits, with its losses.

    A trainer that composes backbone and decoder itself calls the decoder in training mode on the
    maps, and then :meth:`losses` on the output.

    Attributes:
        out_channels: Channels of the map that the last classifier reads.
        arguments: Constructor arguments, by name; ``in_channels`` among them.
    """

    out_channels: int
    arguments: dict[str, Any]

    def training_outputs(self, maps: Sequence[Tensor]) -> Any:
        """Return the outputs for :meth:`losses`, in training mode or not.

        Args:
            maps: Maps (N, C_i, H_i, W_i) of the backbone, finest first.
        """
        return self(maps)

    def losses(
        self, outputs: Any, masks: Tensor, ignore_value: float | None = None
    ) -> dict[str, Tensor]:
        """Compare the training outputs of the decoder with the masks.

        Args:
            outputs: Outputs of the decoder in training mode, or of :meth:`training_outputs`.
            masks: The ground truth (N, 1, H, W) in [0, 1], of any height and width.
            ignore_value: Mask pixels with this value are ignored; None ignores none.

        Returns:
            Weighted scalars by name, whose sum is to be minimised. In this class they are binary
            cross-entropies, averaged over the pixels: ``loss_bce``, with the suffix from
            :meth:`supervised`.

        Raises:
            ValueError: The masks have the wrong shape or lie outside [0, 1].
        """
        check_masks(masks, _batch_of(outputs), ignore_value)
        terms = self.supervised(outputs, (masks.shape[-2], masks.shape[-1]))
        return {
            f'loss_bce{suffix}': weight * binary_cross_entropy(logits, masks, ignore_value)
            for suffix, (logits, weight) in terms.items()
        }

    def supervised(self, outputs: Any, size: tuple[int, int]) -> dict[str, Supervised]:
        """Resize each map to the size of the masks; the keys are suffixes of the loss names."""
        return {'': Supervised(resize_bilinear(outputs, size))}


def _batch_of(outputs: Tensor | Sequence[Tensor]) -> int:
    """Return the number of images in the batch."""
    return len(outputs if isinstance(outputs, Tensor) else outputs[0])


class DescribedNetwork(nn.Module):
    """A complete network on normalised images (N, 3, H, W), which a checkpoint can describe.

    Register a subclass by :func:`~sod_plugins.networks.register_network`.

    Attributes:
        task: The kind of output: ``'saliency'``, ``'instances'`` or ``'classes'``.
        folds_norms: Whether prediction folds its BatchNorms into the convolutions, see
            :func:`~sod_plugins.networks.fuse`. The trial run that this needs pays off if the
            convolutions are many and small.
        arguments: Constructor arguments of the registered class, defaults included, as plain
            values: with the class name they rebuild the network.
        preprocessing: Input size and normalisation that the weights expect.
        parts: Classes of the parts from which a trainer may assemble the network, by name.
    """

    task: ClassVar[Task]
    parts: ClassVar[Parts] = {}
    folds_norms: ClassVar[bool] = False
    arguments: dict[str, Any]

    def __init__(self) -> None:
        super().__init__()
        self.preprocessing = Preprocessing()

    def described_arguments(self) -> dict[str, Any]:
        """Return the arguments for :meth:`from_arguments`."""
        return self.arguments

    @classmethod
    def from_arguments(cls, arguments: Mapping[str, Any]) -> DescribedNetwork:
        """Build a network from the arguments in a checkpoint.

        Raises:
            TypeError, ValueError: The class does not accept them.
        """
        return cls(**arguments)

    @classmethod
    def arguments_of_parts(cls, parts: Mapping[str, Any]) -> dict[str, Any]:
        """Return the constructor arguments of the network that consists of these modules.

        Args:
            parts: One module for each of the ``parts`` of the class.

        Raises:
            ValueError: They make another network; the message says why.
        """
        raise NotImplementedError


class SaliencyNetwork(DescribedNetwork):
    """A network that maps normalised images (N, 3, H, W) to logits (N, 1, H, W).

    Attributes:
        backbone: The backbone, see :class:`Extractor`.
        decode_head: The decoder from maps to logits, see :class:`SaliencyDecoder`.
    """

    task = 'saliency'
    backbone: Extractor
    decode_head: SaliencyDecoder

    @classmethod
    def arguments_of_parts(cls, parts: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments of a network that passes its own on to its decoder.

        Args:
            parts: ``backbone``, and ``decode_head``, which records its ``arguments``.

        Raises:
            ValueError: The backbone belongs to another package.
        """
        from sod_plugins.networks.backbones import spec_of  # it imports this module

        names = inspect.signature(cls).parameters
        decoder = {k: v for k, v in parts['decode_head'].arguments.items() if k in names}
        return {'backbone': spec_of(parts['backbone']), **decoder}

    def forward(self, images: Tensor) -> Any:
        """Map normalised images (N, 3, H, W) to logits (N, 1, H, W)."""
        logits: Tensor = self.decode_head(self.backbone(images))
        return resize_bilinear(logits, (images.shape[-2], images.shape[-1]))

    def losses(
        self, images: Tensor, targets: Tensor, ignore_value: float | None = None
    ) -> dict[str, Tensor]:
        """Return the losses of a training step, to be added up.

        Args:
            images: Normalised images (N, 3, H, W).
            targets: The masks (N, 1, H, W) of the images, in [0, 1].
            ignore_value: Mask pixels with this value are ignored; None ignores none.

        Returns:
            Weighted scalars by name, see the ``losses`` of the decoder.

        Raises:
            ValueError: The targets have the wrong shape or lie outside [0, 1].
        """
        if targets.shape[-2:] != images.shape[-2:]:
            raise ValueError(
                f'The masks must have the size of the images, {tuple(images.shape[-2:])}, got '
                f'{tuple(targets.shape[-2:])}.'
            )
        outputs = self.decode_head.training_outputs(self.backbone(images))
        return self.decode_head.losses(outputs, targets, ignore_value)
