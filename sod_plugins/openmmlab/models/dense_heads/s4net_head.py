"""S4Net's detection head."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from sod_plugins import networks
from sod_plugins.networks import HeadOutputs, Proposals
from sod_plugins.openmmlab.models.net_adapter import ModuleAdapter, adapts
from sod_plugins.registry import MODELS


@MODELS.register_module()
@adapts(networks.S4NetHead)
class S4NetHead(ModuleAdapter):
    """S4Net's detection head, for ``sod_plugins.S4Net``."""

    net: networks.S4NetHead

    @property
    def strides(self) -> tuple[int, ...]:
        """Stride of each level in pixels of the input."""
        return self.net.strides

    def loss(self, outputs: HeadOutputs, boxes: Sequence[Tensor]) -> dict[str, Tensor]:
        """Compare outputs with the ground-truth boxes (G, 4) of each image."""
        return self.net.loss(outputs, boxes)

    def propose(self, outputs: HeadOutputs, sizes: Sequence[tuple[int, int]]) -> Proposals:
        """Return the best boxes of images of sizes (h, w)."""
        return self.net.propose(outputs, sizes)
