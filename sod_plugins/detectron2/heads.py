"""This package's decoders as heads for semantic segmentation of detectron2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from detectron2.layers import ShapeSpec, get_norm
from detectron2.modeling import SEM_SEG_HEADS_REGISTRY
from torch import Tensor, nn

from sod_plugins.detectron2.adapters import NetAdapter, adapts, arguments
from sod_plugins.networks.csnet.decoder import CSFDecoder
from sod_plugins.networks.itdbu import ITDBUDecoder
from sod_plugins.networks.picanet import PiCANetASPP, PiCANetDecoder
from sod_plugins.networks.samnet.decoder import SAMNetDecoder, upsample_logits
from sod_plugins.ops import resize_bilinear

IGNORED = 255


class DecodeHead(NetAdapter, nn.Module):
    """Runs a plain decoder as the head of one of detectron2's segmentors.

    A config names the class in ``MODEL.SEM_SEG_HEAD.NAME``, the maps in ``.IN_FEATURES`` (none
    for all maps of the backbone) and the decoder's arguments in ``SOD.HEAD``.

    Args:
        input_shape: Channels and stride of the backbone's maps, by name.
        in_features: The maps that the decoder takes; by default all of them.
        loss_weight: A factor on its losses.
        ignore_value: Pixels of the ground truth with this value do not count.

    Raises:
        ValueError: The backbone has no such map, or the decoder's arguments do not fit.
    """

    def __init__(
        self,
        input_shape: Mapping[str, ShapeSpec],
        *,
        in_features: Sequence[str] = (),
        loss_weight: float = 1.0,
        ignore_value: int = IGNORED,
        **given: Any,
    ) -> None:
        super().__init__()
        names = list(in_features) or list(input_shape)
        if absent := sorted(set(names) - set(input_shape)):
            raise ValueError(
                f'{type(self).__name__} is to take the maps {absent}, but the backbone has '
                f'{sorted(input_shape)}: correct in_features (MODEL.SEM_SEG_HEAD.IN_FEATURES).'
            )
        shapes = {name: input_shape[name] for name in names}
        self.in_features = sorted(names, key=lambda name: shapes[name].stride)
        self.common_stride: int = shapes[self.in_features[0]].stride
        self.loss_weight, self.ignore_value = loss_weight, ignore_value
        self.net = self.build([shapes[name] for name in self.in_features], **arguments(given))

    def build(self, shapes: Sequence[ShapeSpec], **arguments: Any) -> nn.Module:
        """Build the decoder for maps of these shapes, finest first."""
        return self.plain([shape.channels for shape in shapes], **arguments)

    @classmethod
    def from_config(cls, cfg: Any, input_shape: Mapping[str, ShapeSpec]) -> dict[str, Any]:
        """Translate a config."""
        head = cfg.MODEL.SEM_SEG_HEAD
        return {
            'input_shape': input_shape,
            'in_features': head.IN_FEATURES,
            'loss_weight': head.LOSS_WEIGHT,
            'ignore_value': head.IGNORE_VALUE,
            **arguments(cfg.SOD.HEAD),
        }

    def forward(
        self, features: Mapping[str, Tensor], targets: Tensor | None = None
    ) -> tuple[Tensor | None, dict[str, Tensor]]:
        """Return logits in evaluation and losses in training, as detectron2's segmentors ask.

        Args:
            features: The backbone's maps (N, C, h, w) by name.
            targets: The ground truth (N, H, W) at the size of the images.

        Returns:
            Logits (N, K, H, W), or None in training; and the losses, none in evaluation.
        """
        if self.training:
            return None, self.losses(features, targets)
        finest = features[self.in_features[0]]
        size = (
            finest.shape[-2] * self.common_stride,
            finest.shape[-1] * self.common_stride,
        )
        return self.logits(features, size), {}

    def losses(self, features: Mapping[str, Tensor], targets: Tensor | None) -> dict[str, Tensor]:
        """Return the decoder's weighted losses; see :meth:`forward`."""
        if targets is None:
            raise ValueError(f"{type(self).__name__} trains on samples with a 'sem_seg'.")
        losses = self.net.losses(self.outputs(features), self.truth(targets), self.ignore_value)
        return {name: self.loss_weight * value for name, value in losses.items()}

    def logits(self, features: Mapping[str, Tensor], size: tuple[int, int]) -> Tensor:
        """Return the logits (N, K, *size) of what the decoder finds."""
        return resize_bilinear(self.net(self.maps(features)), size)

    def outputs(self, features: Mapping[str, Tensor]) -> Any:
        """Return what the decoder's losses take."""
        return self.net.training_outputs(self.maps(features))

    def truth(self, targets: Tensor) -> Tensor:
        """Return the ground truth (N, 1, H, W) as the decoder's losses take it."""
        return targets[:, None].float()

    def maps(self, features: Mapping[str, Tensor]) -> list[Tensor]:
        """Return the maps that the decoder takes, finest first."""
        return [features[name] for name in self.in_features]


@SEM_SEG_HEADS_REGISTRY.register()
@adapts(CSFDecoder, without=('in_channels', 'norm_layer', 'out_scale'))
class CSFHead(DecodeHead):
    """Cross-stage fusion of CSNet (Sec. 4.3, Tab. 1) as a head of detectron2.

    Args:
        norm: Normalisation, as :func:`detectron2.layers.get_norm` takes it.
    """

    def __init__(self, *args: Any, norm: str = 'BN', **arguments: Any) -> None:
        super().__init__(*args, norm_layer=lambda width: get_norm(norm, width), **arguments)


@SEM_SEG_HEADS_REGISTRY.register()
@adapts(SAMNetDecoder, without=('in_channels',))
class SAMNetHead(DecodeHead):
    """SAMNet's decoder (Sec. III-C) as a head of detectron2."""

    def logits(self, features: Mapping[str, Tensor], size: tuple[int, int]) -> Tensor:
        """Return the logits of the finest level, resized as SAMNet does."""
        return upsample_logits(self.net(self.maps(features))[0], size, self.net.upsampling)


@SEM_SEG_HEADS_REGISTRY.register()
@adapts(ITDBUDecoder, without=('in_channels',))
class ITDBUHead(DecodeHead):
    """ITDBU's decoder (Sec. 3) as a head of detectron2."""


@SEM_SEG_HEADS_REGISTRY.register()
@adapts(PiCANetDecoder, without=('in_channels', 'num_classes', 'out_channels', 'first_level'))
class PiCANetHead(DecodeHead):
    """PiCANet's saliency decoders (Sec. 4) as a head of detectron2."""

    def build(self, shapes: Sequence[ShapeSpec], **arguments: Any) -> nn.Module:
        """Build the decoders, which need to know the maps' strides."""
        arguments.setdefault('in_strides', tuple(shape.stride for shape in shapes))
        return super().build(shapes, **arguments)


class ClassesHead(DecodeHead):
    """A decode head whose scores are those of classes.

    Args:
        num_classes: Number of classes; a config's ``MODEL.SEM_SEG_HEAD.NUM_CLASSES``.
    """

    def __init__(self, *args: Any, num_classes: int, **arguments: Any) -> None:
        super().__init__(*args, num_classes=num_classes, **arguments)

    @classmethod
    def from_config(cls, cfg: Any, input_shape: Mapping[str, ShapeSpec]) -> dict[str, Any]:
        """Translate a config."""
        classes = {'num_classes': cfg.MODEL.SEM_SEG_HEAD.NUM_CLASSES}
        return {**classes, **super().from_config(cfg, input_shape)}

    def truth(self, targets: Tensor) -> Tensor:
        """Return the labels (N, 1, H, W)."""
        return targets[:, None].long()


@SEM_SEG_HEADS_REGISTRY.register()
@adapts(PiCANetASPP, without=('in_channels',))
class PiCANetASPPHead(ClassesHead):
    """PiCANet in DeepLab's pyramid (Sec. 5.6, Tab. 3) as a head of detectron2, on one map."""

    def build(self, shapes: Sequence[ShapeSpec], **arguments: Any) -> nn.Module:
        """Build the pyramid on the one map."""
        if len(shapes) != 1:
            raise ValueError(
                f'PiCANetASPPHead takes one map, got {self.in_features}: name it in in_features '
                '(MODEL.SEM_SEG_HEAD.IN_FEATURES).'
            )
        return self.plain(shapes[0].channels, **arguments)

    def outputs(self, features: Mapping[str, Tensor]) -> Any:
        """Return scores at the size of the images, as DeepLab compares them."""
        return self.net(*self.maps(features))

    def losses(self, features: Mapping[str, Tensor], targets: Tensor | None) -> dict[str, Tensor]:
        """Compare the scores, resized, with the labels."""
        if targets is None:
            raise ValueError(f"{type(self).__name__} trains on samples with a 'sem_seg'.")
        scores = resize_bilinear(self.outputs(features), (targets.shape[-2], targets.shape[-1]))
        losses = self.net.losses(scores, self.truth(targets), self.ignore_value)
        return {name: self.loss_weight * value for name, value in losses.items()}

    def logits(self, features: Mapping[str, Tensor], size: tuple[int, int]) -> Tensor:
        """Return the scores (N, K, *size)."""
        return resize_bilinear(self.outputs(features), size)


@SEM_SEG_HEADS_REGISTRY.register()
@adapts(PiCANetDecoder, without=('in_channels', 'upsample', 'in_strides'))
class PiCANetUNetHead(ClassesHead):
    """PiCANet's U-Net for segmentation (Sec. 5.6, Tab. 3) as a head of detectron2.

    Args:
        setting: See :class:`PiCANetDecoder`; Tab. 3 has no decoder below 3.
        first_level: Level of the last decoder.
        gap_kernel_size: See :class:`PiCANetDecoder`.
        level_weights: Weights of the losses, one for each map.
    """

    def __init__(
        self,
        *args: Any,
        setting: str = '6GAP_543LAP',
        first_level: int = 3,
        gap_kernel_size: int | tuple[int, int] = 12,
        level_weights: Sequence[float] = (0.8, 0.5, 0.5, 0.5),
        **arguments: Any,
    ) -> None:
        super().__init__(
            *args,
            setting=setting,
            first_level=first_level,
            gap_kernel_size=gap_kernel_size,
            level_weights=(0.0,) * (first_level - 1) + tuple(level_weights),
            **arguments,
        )
