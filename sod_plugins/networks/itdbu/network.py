"""ITDBU: any backbone with the iterative top-down and bottom-up decoder.

Paper: Wang et al., "An Iterative and Cooperative Top-down and Bottom-up Inference Network for
Salient Object Detection", CVPR 2019.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor

from sod_plugins._common.declarations import passes_on
from sod_plugins.networks.backbones import build_backbone
from sod_plugins.networks.base import Extractor, Parts, SaliencyNetwork
from sod_plugins.networks.itdbu.decoder import ITDBUDecoder
from sod_plugins.networks.itdbu.layers import SideOutput
from sod_plugins.networks.registry import register_network


@register_network
@passes_on(ITDBUDecoder, without=('in_channels',))
class ITDBU(SaliencyNetwork):
    """ITDBU (Sec. 3): images to saliency logits by alternating top-down and bottom-up passes.

    The features are computed once for all passes. In evaluation mode only what the last map needs
    is computed; :meth:`side_outputs` returns all maps in either mode. With VGG-16 the finest map
    has the size of the input. With ``'resnet50'``, whose first layer is a stride-2 convolution, or
    another backbone with coarser maps, the last logits are resized bilinearly to the size of the
    input, a step that the paper does not describe.

    ``ITDBU()`` is VGG-16 without its last pooling, L = 5, convGRU, N = 3, T = 2 and strategy ii:
    407,225 parameters in the decoder. The sizes in Tab. 5 (364 to 448 MB) are far from any reading
    of the text and cannot be reproduced.

    Args:
        backbone: The backbone, as :func:`~sod_plugins.networks.backbones.build_backbone`
            accepts it: the name of a preset or ``{'type': 'ResNet', 'depth': 50}``.

    Raises:
        ValueError: The arguments do not describe a network.
    """

    parts: ClassVar[Parts] = {'backbone': Extractor, 'decode_head': ITDBUDecoder}
    decode_head: ITDBUDecoder

    def __init__(
        self,
        backbone: str | Mapping[str, Any] = 'vgg16',
        *args: Any,
        **arguments: Any,
    ) -> None:
        super().__init__()
        self.backbone = build_backbone(backbone)
        self.decode_head = ITDBUDecoder(self.backbone.out_channels, *args, **arguments)

    def forward(self, images: Tensor) -> Tensor | list[Tensor]:
        """Map normalised images (N, 3, H, W) to logits (N, 1, H, W).

        In training mode, returns the logits of all side outputs instead, each at the size of its
        level, in the order of :meth:`side_outputs`.
        """
        if self.training:
            return self.decode_head.training_outputs(self.backbone(images))
        logits: Tensor = super().forward(images)
        return logits

    def side_outputs(self, images: Tensor, last_step_only: bool = False) -> list[SideOutput]:
        """Return all maps up to the output, see :meth:`ITDBUDecoder.side_outputs`."""
        return self.decode_head.side_outputs(self.backbone(images), last_step_only)
