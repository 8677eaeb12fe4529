"""SSD's extra layers with attention to context as a neck of mmdet's detectors."""

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

    The head's ``in_channels`` are ``out_channels`` here: with LAP the first two are those of the
    backbone doubled, otherwise the backbone's own. Any backbone serves that has two maps, the
    second half as large as the first: ``mmdet.SSDVGG`` is the paper's, and the stages of strides
    8 and 16 of others give SSD300's sizes.

    Args:
        norm_cfg: Normalisation behind every convolution; None leaves it out, as in SSD.
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
