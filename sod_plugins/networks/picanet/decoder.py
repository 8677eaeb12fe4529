"""The attentive U-Net decoder of PiCANet, for any pyramid of feature maps.

Paper: Liu, Han and Yang, "PiCANet: Pixel-wise Contextual Attention Learning for Accurate Saliency
Detection", IEEE TIP 2020. The released network is that of the CVPR 2018 paper, setting ``'cvpr'``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Literal, get_args

from torch import Tensor, nn

from sod_plugins._common.arguments import records_arguments
from sod_plugins._common.choices import require_choice
from sod_plugins.layers.renet import Order
from sod_plugins.networks.base import SaliencyDecoder
from sod_plugins.networks.losses import check_labels, cross_entropy
from sod_plugins.networks.picanet.attentive_decoder import AttentiveDecoder, Decoded
from sod_plugins.networks.picanet.losses import (
    GLOBAL_ATTENTION_WEIGHT,
    LEVEL_WEIGHTS,
    picanet_losses,
)
from sod_plugins.networks.picanet.settings import ContextOptions, parse_setting
from sod_plugins.ops.window import Size

TapNorm = Literal['but_deepest', 'all', 'none']
TAP_NORMS: tuple[TapNorm, ...] = get_args(TapNorm)
Upsampling = Literal['bilinear', 'learned']
UPSAMPLINGS: tuple[Upsampling, ...] = get_args(Upsampling)


@records_arguments
class PiCANetDecoder(SaliencyDecoder):
    """U-Net decoders D_L, ..., D_1, each with attention to global, to local or to no context.

    D_i upsamples the output of the previous decoder to the size of its encoder map, passes that map
    through BatchNorm and ReLU, and fuses both by a 1x1 convolution and a ReLU into F_i (Fig. 3b).
    Pooled context is concatenated with F_i and merged by a 1x1 convolution, BatchNorm and ReLU; AC
    and LC are themselves the convolution before these two. A decoder without context goes from the
    two maps to its output in one 1x1 convolution, like the paper's D_1. Every D_i has a classifier.

    In training every D_i is supervised at its own size, and so is attention (Eq. 9): the losses are
    those of :func:`~sod_plugins.networks.picanet.losses.picanet_losses`. With several classes, the
    scores of every D_i are resized to the labels and compared by the cross-entropy, and attention
    is not supervised, because its loss is defined for two classes only.

    Args:
        in_channels: Channels of each encoder map, finest first; any strides.
        setting: A name in Tab. 1, such as ``'U-Net'``, ``'6GAP_5432AC'`` or ``'6G_5432L_AveP'``, or
            one made like them, see :func:`~sod_plugins.networks.picanet.settings.parse_setting`;
            or ``'cvpr'``, the released network: ``'65GAP_432LAP'``, columns first, with learned
            up-sampling.
        num_classes: Channels of the logits.
        channels: C_i of each decoder, finest first; by default those of the encoder maps, as in the
            paper.
        out_channels: Channels of the last decoder's output; by default ``channels[0]``.
        first_level: Index of the finest decoder: 3 for a network that ends with D_3.
        gap_kernel_size: Number of samples along each axis of GAP.
        gap_dilation: Distance of the samples; None makes them span any map, see
            :class:`~sod_plugins.layers.GlobalAttentionPooling`.
        local_kernel_size: Number of neighbours along each axis of LAP, AC, LC and plain pooling.
        local_dilation: Distance of the neighbours.
        renet_channels: Channels of each LSTM.
        attention_channels: Channels between the convolutions that compute local weights.
        attention_norm: Whether BatchNorm precedes the softmax or sigmoid of the weights.
        order: Which axis ReNet scans first; by default ``'rows_first'``, with 'cvpr'
            ``'columns_first'``.
        upsample: ``'bilinear'``, or ``'learned'``: a 4x4 transposed convolution per channel that
            starts as the bilinear one; by default as the setting says.
        in_strides: Strides of the encoder maps, which learned up-sampling needs.
        tap_norm: Which encoder maps pass through BatchNorm and ReLU: all ``'but_deepest'``, as in
            the paper for VGG, whose Fc7 is already activated; ``'all'``; or ``'none'``, as in the
            released ResNet.
        init_std: Standard deviation of the initial weights of convolutions, as released. None means
            He's initialisation, which narrow decoders need: signals of 0.01 per layer would fall
            below BatchNorm's epsilon.
        level_weights: Weights of the losses of D_1, D_2, ...; those of absent decoders are unused.
        global_attention_weight: Weight of the global attention loss; 0 omits it.
        local_attention_weight: Weight of the local attention loss, which Sec. 5.4 tried.

    Raises:
        ValueError: The arguments do not describe a decoder.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        setting: str = '6GAP_5432AC',
        num_classes: int = 1,
        *,
        channels: Sequence[int] | None = None,
        out_channels: int | None = None,
        first_level: int = 1,
        gap_kernel_size: Size = 10,
        gap_dilation: Size | None = None,
        local_kernel_size: int = 7,
        local_dilation: int = 2,
        renet_channels: int = 256,
        attention_channels: int = 128,
        attention_norm: bool = True,
        order: Order | None = None,
        upsample: Upsampling | None = None,
        in_strides: Sequence[int] | None = None,
        tap_norm: TapNorm = 'but_deepest',
        init_std: float | None = 0.01,
        level_weights: Sequence[float] = LEVEL_WEIGHTS,
        global_attention_weight: float = GLOBAL_ATTENTION_WEIGHT,
        local_attention_weight: float = 0.0,
    ) -> None:
        super().__init__()
        widths = tuple(in_channels if channels is None else channels)
        if len(in_channels) < 2 or len(widths) != len(in_channels):
            raise ValueError(
                'PiCANetDecoder needs two maps or more and as many channels, got in_channels '
                f'{tuple(in_channels)} and channels {widths}.'
            )
        require_choice('tap_norm', tap_norm, TAP_NORMS)
        released = setting == 'cvpr'
        contexts = parse_setting(setting, first_level, first_level + len(widths) - 1)
        options = ContextOptions(
            gap_kernel_size,
            gap_dilation,
            local_kernel_size,
            local_dilation,
            renet_channels,
            attention_channels,
            attention_norm,
            order or ('columns_first' if released else 'rows_first'),
        )
        doubles = _doubles(upsample or ('learned' if released else 'bilinear'), in_strides, widths)
        outs = (widths[0] if out_channels is None else out_channels, *widths[:-1])
        self.out_channels = outs[0]
        self.num_classes = num_classes
        self.level_weights = tuple(level_weights)
        self.global_attention_weight = global_attention_weight
        self.local_attention_weight = local_attention_weight
        self.decoders = nn.ModuleList()
        for index in reversed(range(len(widths))):
            deepest, level = index == len(widths) - 1, first_level + index
            normalised = tap_norm == 'all' or (tap_norm == 'but_deepest' and not deepest)
            self.decoders.append(
                AttentiveDecoder(
                    level,
                    in_channels[index],
                    widths[index],
                    outs[index],
                    num_classes,
                    contexts.get(level),
                    options,
                    deepest=deepest,
                    tap_norm=normalised,
                    doubles=doubles[index],
                )
            )
        self._init_convolutions(init_std)

    def forward(self, maps: Sequence[Tensor]) -> Tensor | list[Decoded]:
        """Map encoder maps (N, C_i, H_i, W_i), finest first, to the logits of the last decoder.

        In training mode, returns the outputs of every decoder, deepest first.
        """
        if self.training:
            return self.training_outputs(maps)
        for decoded in self.decode(maps):
            logits = decoded.logits
        return logits

    def training_outputs(self, maps: Sequence[Tensor]) -> list[Decoded]:
        """Return the outputs of every decoder, deepest first."""
        return list(self.decode(maps))

    def decode(self, maps: Sequence[Tensor]) -> Iterator[Decoded]:
        """Run the decoders in turn, deepest first."""
        previous = None
        for decoder, tap in zip(self.decoders, reversed(maps), strict=True):
            decoded: Decoded = decoder(tap, previous)
            yield decoded
            previous = decoded.output

    def losses(
        self, outputs: Sequence[Decoded], masks: Tensor, ignore_value: float | None = None
    ) -> dict[str, Tensor]:
        """Compare the outputs of all decoders with masks, or with labels for several classes.

        Args:
            outputs: The outputs of all decoders, deepest first.
            masks: Saliency (N, 1, H, W) in [0, 1]; with several classes, labels (N, 1, H, W).
            ignore_value: Pixels with this value are ignored; None ignores none.

        Returns:
            Weighted losses: ``loss_d6`` and so on, ``loss_global_attention`` and
            ``loss_local_attention``.

        Raises:
            ValueError: The masks are invalid, or a weight is missing.
        """
        decoders: list[AttentiveDecoder] = list(self.decoders)  # type: ignore[arg-type]
        if self.num_classes == 1:
            return picanet_losses(
                decoders,
                outputs,
                masks,
                level_weights=self.level_weights,
                global_attention_weight=self.global_attention_weight,
                local_attention_weight=self.local_attention_weight,
                ignore_value=ignore_value,
            )
        check_labels(masks, len(outputs[0].logits), self.num_classes, ignore_value)
        return {
            f'loss_d{decoder.level}': self.level_weights[decoder.level - 1]
            * cross_entropy(decoded.logits, masks, ignore_value)
            for decoder, decoded in zip(decoders, outputs, strict=True)
        }

    def _init_convolutions(self, std: float | None) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                if std is None:
                    nn.init.kaiming_normal_(module.weight, nonlinearity='relu')
                else:
                    nn.init.normal_(module.weight, std=std)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)


def _doubles(
    upsample: Upsampling, strides: Sequence[int] | None, channels: Sequence[int]
) -> list[bool]:
    """Return which decoders, finest first, get their input from learned upsampling."""
    require_choice('upsample', upsample, UPSAMPLINGS)
    if upsample == 'bilinear':
        return [False] * len(channels)
    if strides is None or len(strides) != len(channels):
        raise ValueError(
            f'Learned up-sampling needs in_strides of all {len(channels)} maps, got {strides}.'
        )
    ratios = [b / a for a, b in pairwise(strides)]
    if not set(ratios) <= {1, 2}:
        raise ValueError(
            f'Learned up-sampling doubles sizes or keeps them, in_strides {tuple(strides)} do not.'
        )
    return [*(ratio == 2 for ratio in ratios), False]
