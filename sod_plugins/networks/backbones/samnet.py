"""Backbone of SAMNet: five stages of stereoscopically attentive multi-scale modules."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from sod_plugins.layers.conv import ConvNormAct, DepthwiseSeparableConv
from sod_plugins.layers.stereoscopic_attention import Attention, StereoscopicAttention
from sod_plugins.networks.base import Extractor

STAGES = 5


class SAMNetBackbone(Extractor):
    """Backbone of SAMNet (Liu et al., IEEE TIP, Tab. I): 1,221,404 parameters.

    Each stage halves the map, by a 3x3 convolution in the first stage and a depthwise separable one
    in the others, followed by SAM modules. Every entry of Tab. I is an argument, for Tab. V.

    Args:
        width: Factor on the channels of all stages.
        channels: Channels of each stage.
        modules: Number of SAM modules of each stage.
        dilations: Dilations of the branches in each stage.
        attention: Fusion of the branches, see :class:`~sod_plugins.layers.StereoscopicAttention`.
        shared_spatial: Whether all branches share one spatial map, as released.
        out_indices: Stages (from 0) whose map is returned; stage i has stride 2**(i + 1).
        zero_init_residual: Whether every SAM module starts as the identity (its last BatchNorm
            scales by 0). Otherwise the gradient at the first layer of a new network is hundreds of
            times larger, and SGD with ResNet's learning rate does not train. The paper is silent.

    Attributes:
        out_channels: Channels of each returned map.
        out_strides: Stride of each returned map in input pixels.

    Raises:
        ValueError: An argument does not describe a network, or it is trained on a single image
            (BatchNorm of pooled features needs two).
    """

    def __init__(
        self,
        width: float = 1.0,
        channels: Sequence[int] = (16, 32, 64, 96, 128),
        modules: Sequence[int] = (1, 1, 3, 6, 3),
        dilations: Sequence[Sequence[int]] = ((1, 2, 3), (1, 2, 3), (1, 2, 3), (1, 2, 3), (1, 2)),
        attention: Attention = 'stereoscopic',
        shared_spatial: bool = True,
        out_indices: Sequence[int] = (0, 1, 2, 3, 4),
        zero_init_residual: bool = False,
    ) -> None:
        super().__init__()
        given = {'channels': channels, 'modules': modules, 'dilations': dilations}
        for name, values in given.items():
            if len(values) != STAGES:
                raise ValueError(f'{name} needs {STAGES} entries, one per stage, got {values}.')
        if not out_indices or not set(out_indices) <= set(range(STAGES)):
            raise ValueError(f'out_indices needs stages from 0 to 4, got {out_indices}.')
        self.out_indices = tuple(sorted(out_indices))
        widths = [round(c * width) for c in channels]
        self.stages = nn.ModuleList()
        previous = 3
        for stage, (current, count, rates) in enumerate(
            zip(widths, modules, dilations, strict=True)
        ):
            halve: nn.Module = (
                DepthwiseSeparableConv(previous, current, stride=2)
                if stage
                else ConvNormAct(previous, current, 3, stride=2)
            )
            sams = (
                StereoscopicAttention(current, rates, attention, shared_spatial)
                for _ in range(count)
            )
            self.stages.append(nn.Sequential(halve, *sams))
            previous = current
        if zero_init_residual:
            for module in self.modules():
                if isinstance(module, StereoscopicAttention):
                    nn.init.zeros_(module.fuse.norm.weight)
        self.out_channels = tuple(widths[i] for i in self.out_indices)
        self.out_strides = tuple(2 ** (i + 1) for i in self.out_indices)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Map normalised images (N, 3, H, W) to one map (N, C, H / s, W / s) per out index.

        Sizes are rounded up, and any input size is accepted.
        """
        outputs = []
        x = images
        for index, stage in enumerate(self.stages):
            x = stage(x)
            if index in self.out_indices:
                outputs.append(x)
        return tuple(outputs)
