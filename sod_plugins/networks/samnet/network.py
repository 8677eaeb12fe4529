"""SAMNet: a lightweight salient object detector, as a complete network.

Paper: Liu et al., "SAMNet: Stereoscopically Attentive Multi-scale Network for Lightweight Salient
Object Detection", IEEE TIP; section and table numbers refer to this text. The defaults are those of
the released network, the only one with the published number of parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor

from sod_plugins._common.declarations import passes_on
from sod_plugins.networks.backbones import build_backbone
from sod_plugins.networks.base import Extractor, Parts, SaliencyNetwork
from sod_plugins.networks.preprocessing import Preprocessing
from sod_plugins.networks.registry import register_network
from sod_plugins.networks.samnet.decoder import SAMNetDecoder, upsample_logits


@register_network
@passes_on(SAMNetDecoder, without=('in_channels',))
class SAMNet(SaliencyNetwork):
    """SAMNet (Sec. III-C): images to saliency logits; 1,330,129 parameters as released.

    The released network upsamples probabilities, not logits. In evaluation the output is
    ``logit(clamp(up(sigmoid(z)), 1e-6, 1 - 1e-6))`` in float32. Its sigmoid is the released output,
    and it is always finite. The N + 1 spatial maps of the paper's text, 1,330,933 parameters, are
    ``backbone={'type': 'SAMNet', 'shared_spatial': False}``.

    Args:
        backbone: The backbone, as :func:`~sod_plugins.networks.backbones.build_backbone`
            accepts it: ``'samnet'``, another preset, or ``{'type': 'SAMNet', 'width': 0.75}``.
        upsampling: What is resized to the size of the input, and in training to that of the mask:
            ``'saliency'``, as released, or ``'logits'``.

    Raises:
        ValueError: The arguments do not describe a network, or it is trained on a single image:
            pooled features are normalised over the batch, which needs two.
    """

    folds_norms = True
    parts: ClassVar[Parts] = {'backbone': Extractor, 'decode_head': SAMNetDecoder}
    decode_head: SAMNetDecoder

    def __init__(
        self,
        backbone: str | Mapping[str, Any] = 'samnet',
        *args: Any,
        **arguments: Any,
    ) -> None:
        super().__init__()
        self.preprocessing = Preprocessing(size=(336, 336))
        self.backbone = build_backbone(backbone)
        self.decode_head = SAMNetDecoder(self.backbone.out_channels, *args, **arguments)

    def forward(self, images: Tensor) -> Tensor | list[Tensor]:
        """Map normalised images (N, 3, H, W) to logits.

        Returns:
            In evaluation mode (N, 1, H, W); in training mode the five maps of
            :class:`SAMNetDecoder`, each at the size of its level.
        """
        logits: list[Tensor] = self.decode_head(self.backbone(images))
        if self.training:
            return logits
        return upsample_logits(
            logits[0], (images.shape[-2], images.shape[-1]), self.decode_head.upsampling
        )
