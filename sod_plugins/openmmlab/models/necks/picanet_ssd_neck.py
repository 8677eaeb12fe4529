"""SSD's extra layers with contextual attention, as a neck for mmdet's detectors."""

from __future__ import annotations

from typing import Any

from sod_plugins.networks.picanet import ssd
from sod_plugins.openmmlab.models.net_adapter import ModuleAdapter, adapts
from sod_plugins.openmmlab.models.norm_layers import norm_layer
from sod_plugins.registry import MODELS


@MODELS.register_module()
@adapts(ssd.PiCANetSSDNeck, without=('norm_layer',))
class PiCANetSSDNeck(ModuleAdapter):
    """SSD's extra layers with PiCANet as a neck of mmdet's detectors, for ``sod_plugins.SSDHead``.

    The head's ``in_channels`` are ``out_channels`` here: with LAP the first two are twice those of
    the backbone, otherwise they equal the backbone's. Any backbone works that has two maps, the
    second half as large as the first: the paper's is ``mmdet.SSDVGG``, and the stages with strides
    8 and 16 of others give SSD300's sizes.

    Args:
        norm_cfg: Normalisation after every convolution; None omits it, as in SSD.
    """

    net: ssd.PiCANetSSDNeck

    def __init__(
        self, *args: Any, norm_cfg: dict[str, Any] | None = None, **arguments: Any
    ) -> None:
        super().__init__(*args, norm_layer=norm_cfg and norm_layer(norm_cfg), **arguments)

    @property
    def out_channels(self) -> tuple[int, ...]:
        """Channels of the maps."""
        return self.net.out_channels
