"""SSD's extra layers with attention to context as a neck of mmdet's detectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmcv.cnn import build_norm_layer
from torch import Tensor, nn

from sod_plugins.networks.picanet import ssd
from sod_plugins.openmmlab.models.net_adapter import NetAdapter
from sod_plugins.registry import MODELS


@MODELS.register_module()
class PiCANetSSDNeck(NetAdapter):
    """:class:`sod_plugins.networks.PiCANetSSDNeck` from a config, for ``sod_plugins.SSDHead``.

    The head's ``in_channels`` are ``out_channels`` here: with LAP the first two are those of the
    backbone doubled, otherwise the backbone's own. Any backbone serves that has two maps, the
    second half as large as the first: ``mmdet.SSDVGG`` is the paper's, and the stages of strides
    8 and 16 of others give SSD300's sizes.

    Args:
        in_channels: Channels of the backbone's two maps.
        setting: ``'SSD'``, ``'478LC_910ReNet'``, ``'478AC_910GAP'`` or ``'478LAP_910GAP'``.
        extra_channels: Channels of the extra layers.
        extra_strides: Their strides, 1 or 2.
        map_size: Size of the second map, by which the grids of GAP are chosen.
        global_levels: Extra layers that attend globally, counted from 8; ``(10, 11)`` is the
            paper's other reading.
        ac_channels: Channels of the AC or LC on the backbone's maps; None for those of the maps.
        conv8_window: Kernel and dilation of the AC or LC that is Conv8_2.
        feed_attended: Whether the extra layers see the second map with its context.
        l2_norm_scale: Initial scale of the first map's L2 normalisation; None leaves it out.
        norm_attended: Whether it is applied behind the attention rather than before.
        hidden_channels: Channels between the two convolutions that make local weights.
        renet_channels: Channels of each LSTM.
        order: Which axis ReNet scans first, ``'rows_first'`` or ``'columns_first'``.
        norm_cfg: Normalisation behind every convolution; None leaves it out, as in SSD.
        init_cfg: Initialisation; by default Glorot's of every convolution.

    Raises:
        ValueError: If the arguments do not describe a neck.
    """

    def __init__(
        self,
        in_channels: Sequence[int] = (512, 1024),
        setting: str = '478LAP_910GAP',
        extra_channels: Sequence[int] = (512, 256, 256, 256),
        extra_strides: Sequence[int] = (2, 2, 1, 1),
        map_size: int | Sequence[int] = 19,
        global_levels: Sequence[int] = (9, 10),
        ac_channels: Sequence[int] | None = None,
        conv8_window: Sequence[int] = (7, 2),
        feed_attended: bool = False,
        l2_norm_scale: float | None = 20.0,
        norm_attended: bool = False,
        hidden_channels: int = 128,
        renet_channels: int = 256,
        order: str = 'rows_first',
        norm_cfg: dict[str, Any] | None = None,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        def norm_layer(width: int) -> nn.Module:
            return build_norm_layer(norm_cfg, width)[1]

        super().__init__(init_cfg)
        self.net = ssd.PiCANetSSDNeck(
            in_channels,
            setting,
            extra_channels=extra_channels,
            extra_strides=extra_strides,
            map_size=map_size if isinstance(map_size, int) else tuple(map_size),
            global_levels=global_levels,
            ac_channels=ac_channels,
            conv8_window=tuple(conv8_window),
            feed_attended=feed_attended,
            l2_norm_scale=l2_norm_scale,
            norm_attended=norm_attended,
            hidden_channels=hidden_channels,
            renet_channels=renet_channels,
            order=order,
            norm_layer=norm_layer if norm_cfg else None,
        )
        self.out_channels = self.net.out_channels

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Map the backbone's two maps to all that the head looks at, finest first."""
        return self.net(maps)
