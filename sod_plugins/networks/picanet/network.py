"""PiCANet: a backbone with a U-Net decoder whose pixels attend to their context.

Paper: Liu, Han and Yang, "PiCANet: Pixel-wise Contextual Attention Learning for Accurate Saliency
Detection", IEEE TIP 2020.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from torch import Tensor

from sod_plugins._common.declarations import passes_on
from sod_plugins.networks.backbones import build_backbone
from sod_plugins.networks.base import Extractor, Parts, SaliencyNetwork
from sod_plugins.networks.picanet.attentive_decoder import Decoded
from sod_plugins.networks.picanet.decoder import PiCANetDecoder
from sod_plugins.networks.registry import register_network
from sod_plugins.ops.resize import resize_bilinear

# These names mean encoders at stride 8 here: VGG as in DeepLab, with maps from before its ReLUs.
ENCODERS: dict[str, dict[str, Any]] = {
    'vgg16': {
        'type': 'VGG',
        'depth': 16,
        'out_indices': (0, 1, 2, 3, 4, 5),
        'pool_size': 3,
        'pool_strides': (2, 2, 2, 1, 1),
        'dilations': (1, 1, 1, 1, 2),
        'fc_channels': 1024,
        'fc_dilation': 12,
        'pre_activation': True,
    },
    'resnet50': {
        'type': 'ResNet',
        'depth': 50,
        'strides': (1, 2, 1, 1),
        'dilations': (1, 1, 2, 4),
    },
}


@register_network
@passes_on(PiCANetDecoder, without=('in_channels', 'num_classes', 'out_channels', 'first_level'))
class PiCANet(SaliencyNetwork):
    """PiCANet (Sec. 4): images to saliency logits by decoders with selected attention.

    In evaluation mode only the last map is returned, resized bilinearly to the size of the input if
    the finest encoder map is smaller; :meth:`decode` returns all maps in either mode. Any input
    size is accepted. The paper's is 224x224; at other sizes the grid of GAP spans the map.

    ``PiCANet()`` has 57,145,278 parameters, ``PiCANet('6GAP_5432LAP')`` has 36,739,006, and
    ``PiCANet('cvpr')``, the released network, has 36,729,687, with one bias per LSTM gate; with
    the two of ``nn.LSTM`` they would be 57,149,374, 36,743,102 and 36,737,879. On ResNet-50 the
    released one is ``PiCANet('54GAP_321LAP', 'resnet50', upsample='learned',
    order='columns_first', tap_norm='none')``.

    Args:
        setting: The context of each decoder, see :class:`PiCANetDecoder`. An encoder with five maps
            has decoders 5 to 1, so use ``'5GAP_432AC'`` there.
        backbone: The encoder. ``'vgg16'`` and ``'resnet50'`` are those of the paper, at stride 8
            (``ENCODERS``); any other as :func:`~sod_plugins.networks.backbones.build_backbone`
            accepts it.
        in_strides: Strides of the encoder maps, which learned upsampling needs; by default those
            of the encoder.

    Raises:
        ValueError: The arguments do not describe a network.
    """

    parts: ClassVar[Parts] = {'backbone': Extractor, 'decode_head': PiCANetDecoder}
    decode_head: PiCANetDecoder

    def __init__(
        self,
        setting: str = '6GAP_5432AC',
        backbone: str | Mapping[str, Any] = 'vgg16',
        *,
        in_strides: Sequence[int] | None = None,
        **arguments: Any,
    ) -> None:
        super().__init__()
        self.backbone = build_backbone(
            ENCODERS.get(backbone, backbone) if isinstance(backbone, str) else backbone
        )
        self.decode_head = PiCANetDecoder(
            self.backbone.out_channels,
            setting,
            in_strides=self.backbone.out_strides if in_strides is None else in_strides,
            **arguments,
        )

    def forward(self, images: Tensor) -> Tensor | list[Decoded]:
        """Map normalised images (N, 3, H, W) to logits (N, 1, H, W).

        In training mode, returns the outputs of every decoder, deepest first: its ``logits`` at
        their own size, its ``attention``, and their sources, see :class:`Decoded`.
        """
        decoded: Tensor | list[Decoded] = self.decode_head(self.backbone(images))
        if isinstance(decoded, Tensor):
            return resize_bilinear(decoded, (images.shape[-2], images.shape[-1]))
        return decoded

    def decode(self, images: Tensor) -> list[Decoded]:
        """Return the outputs of every decoder, deepest first, in either mode."""
        return list(self.decode_head.decode(self.backbone(images)))
