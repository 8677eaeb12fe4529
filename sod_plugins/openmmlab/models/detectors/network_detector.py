"""Any instance network, of this package or a user's own, as an mmdet detector."""

from __future__ import annotations

from typing import Any

from mmdet.models.detectors import BaseDetector
from mmdet.structures import DetDataSample
from torch import Tensor

from sod_plugins.networks.registry import build_network
from sod_plugins.openmmlab.models.detectors.s4net import add_instances, targets_of
from sod_plugins.registry import MODELS


@MODELS.register_module()
class NetworkDetector(BaseDetector):
    """Trains and tests a complete registered instance network.

    In a config::

        model = dict(
            type='sod_plugins.NetworkDetector',
            network=dict(type='S4Net', backbone='resnet50'),
            data_preprocessor=dict(type='mmdet.DetDataPreprocessor', mean=..., std=...))

    The network has ``losses(images, targets)`` and ``find(images, sizes, out_sizes)`` like
    :class:`sod_plugins.networks.S4NetFlow`.

    Args:
        network: The name of a network as ``type``, and its arguments; see
            :func:`sod_plugins.networks.register_network`.
        data_preprocessor: Config of mmdet's ``DetDataPreprocessor``, with ``pad_mask=True``.
        init_cfg: Initialisation; by default the network's own.

    Raises:
        ValueError: The network is unknown, or does not find instances.
    """

    def __init__(
        self,
        network: dict[str, Any],
        data_preprocessor: dict[str, Any] | None = None,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(data_preprocessor, init_cfg)
        self.network: Any = build_network(network, 'instances')

    def loss(
        self, batch_inputs: Tensor, batch_data_samples: list[DetDataSample]
    ) -> dict[str, Tensor]:
        """Return the losses of the network for images (N, 3, H, W)."""
        targets = [targets_of(sample) for sample in batch_data_samples]
        losses: dict[str, Tensor] = self.network.losses(batch_inputs, targets)
        return losses

    def predict(
        self, batch_inputs: Tensor, batch_data_samples: list[DetDataSample], rescale: bool = True
    ) -> list[DetDataSample]:
        """Return the samples with ``pred_instances``, see :class:`sod_plugins.openmmlab` S4Net."""
        return add_instances(self, self.network, batch_inputs, batch_data_samples, rescale)

    def extract_feat(self, batch_inputs: Tensor) -> Any:
        """Return the maps of the network's backbone."""
        return self.network.backbone(batch_inputs)

    def _forward(
        self, batch_inputs: Tensor, batch_data_samples: list[DetDataSample] | None = None
    ) -> Any:
        """Return the network's outputs."""
        return self.network(batch_inputs)
