"""Any network of this package, or a user's own, as an mmseg segmentor."""

from __future__ import annotations

from typing import Any

from mmseg.models.segmentors.base import BaseSegmentor
from mmseg.structures import SegDataSample
from torch import Tensor

from sod_plugins.networks.registry import build_network
from sod_plugins.openmmlab.models.segmentors.saliency_segmentor import SaliencyResults
from sod_plugins.registry import MODELS

IGNORED = 255  # with which mmseg pads masks


@MODELS.register_module()
class NetworkSegmentor(SaliencyResults, BaseSegmentor):
    """Trains and tests a complete registered saliency network.

    In a config::

        model = dict(
            type='sod_plugins.NetworkSegmentor',
            network=dict(type='CSNet', width=1.5),
            data_preprocessor=dict(type='mmseg.SegDataPreProcessor', mean=..., std=...))

    The losses are the network's own, see ``losses`` of
    :class:`~sod_plugins.networks.SaliencyNetwork`. Masks are ``gt_sem_seg`` (1, H, W) in [0, 1];
    pixels of value 255, with which mmseg pads them, are ignored.

    Args:
        network: The name of a network as ``type``, and its arguments; see
            :func:`sod_plugins.networks.register_network`.
        data_preprocessor: Config of mmseg's ``SegDataPreProcessor``.
        test_cfg: With ``crf``, maps are refined, see ``sod_plugins.SaliencySegmentor``.
        init_cfg: Initialisation; by default the network's own.

    Raises:
        ValueError: The network is unknown, or does not predict saliency.
    """

    def __init__(
        self,
        network: dict[str, Any],
        data_preprocessor: dict[str, Any] | None = None,
        test_cfg: dict[str, Any] | None = None,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        self.network: Any = build_network(network, 'saliency')
        self.test_cfg = test_cfg

    def loss(self, inputs: Tensor, data_samples: list[SegDataSample]) -> dict[str, Tensor]:
        """Return the losses of the network for images (N, 3, H, W)."""
        masks = [sample.gt_sem_seg.data for sample in data_samples]
        targets = inputs.new_zeros((len(masks), *masks[0].shape[-3:]))
        for target, mask in zip(targets, masks, strict=True):
            target.copy_(mask)
        losses: dict[str, Tensor] = self.network.losses(inputs, targets, IGNORED)
        return losses

    def predict(
        self, inputs: Tensor, data_samples: list[SegDataSample] | None = None
    ) -> list[SegDataSample]:
        """Return the samples with the saliency of images (N, 3, H, W) at their original sizes."""
        return self.postprocess_result(self.network(inputs), data_samples)

    def _forward(self, inputs: Tensor, data_samples: list[SegDataSample] | None = None) -> Any:
        """Return the network's outputs: logits (N, 1, H, W) in evaluation mode."""
        return self.network(inputs)

    def extract_feat(self, inputs: Tensor) -> Any:
        """Return the maps of the network's backbone, if it has one."""
        return self.network.backbone(inputs)

    def encode_decode(self, inputs: Tensor, batch_data_samples: list[dict[str, Any]]) -> Any:
        """Return the network's logits, for the host's inference."""
        return self.network(inputs)
