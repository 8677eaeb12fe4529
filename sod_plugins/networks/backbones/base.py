"""The base class of backbones that keep the key names of other libraries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from torch import Tensor, nn

from sod_plugins.networks.base import Extractor


class Backbone(Extractor):
    """A backbone that runs its stages in turn and returns the maps of some of them.

    Submodules keep the names of the weight files that they load, so the stages are not submodules
    of their own. A subclass lists the modules of each stage in :meth:`stage_modules`. All stages
    are built, but those after the last returned one are not run.

    Args:
        channels: Channels of the map of each stage.
        strides: Stride of the map of each stage in input pixels.
        out_indices: Stages (from 0) whose map is returned.

    Attributes:
        smallest_input: Smallest side in pixels for which every map has a pixel.
        left_out: Prefixes of the keys of a classification network that this one lacks.

    Raises:
        ValueError: A stage does not exist, or an input is too small.
    """

    smallest_input = 1
    left_out: tuple[str, ...] = ()

    def __init__(
        self, channels: Sequence[int], strides: Sequence[int], out_indices: Sequence[int]
    ) -> None:
        super().__init__()
        if not out_indices or not set(out_indices) <= set(range(len(channels))):
            raise ValueError(
                f'out_indices needs stages from 0 to {len(channels) - 1}, got {tuple(out_indices)}.'
            )
        self.out_indices = tuple(sorted(out_indices))
        self.out_channels = tuple(channels[i] for i in self.out_indices)
        self.out_strides = tuple(strides[i] for i in self.out_indices)

    def stage_modules(self) -> Sequence[Iterable[nn.Module]]:
        """List the modules of each stage, in the order in which they run."""
        raise NotImplementedError

    @property
    def stages(self) -> nn.ModuleList:  # type: ignore[override]  # nothing sets it
        """The stages, which share their modules with this network, for freezing and inspection."""
        return nn.ModuleList(nn.Sequential(*modules) for modules in self.stage_modules())

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Map normalised images (N, 3, H, W) to one map (N, C, H / s, W / s) per out index."""
        if min(images.shape[-2:]) < self.smallest_input:
            raise ValueError(
                f'{type(self).__name__} needs images of at least {self.smallest_input}x'
                f'{self.smallest_input} pixels, got {images.shape[-2]}x{images.shape[-1]}: '
                'resize them.'
            )
        x = images
        outputs = []
        for index, modules in enumerate(self.stage_modules()[: self.out_indices[-1] + 1]):
            for module in modules:
                x = module(x)
            if index in self.out_indices:
                outputs.append(x)
        return tuple(outputs)


def init_he_normal(network: nn.Module) -> None:
    """Initialise convolutions with He's normal distribution (fan-out), and biases with 0."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode='fan_out', nonlinearity='relu')
            if module.bias is not None:
                nn.init.zeros_(module.bias)
