"""CSNet with loops compiled by numba: the fastest way to run it on one CPU core."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, TypeGuard

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sod_plugins.inference.engines import require_engine
from sod_plugins.inference.fused import fuse
from sod_plugins.inference.sharing import Lender
from sod_plugins.networks import CSFDecoder, CSNet
from sod_plugins.networks.backbones.csnet import check_input_size
from sod_plugins.ops import resize_bilinear, scale_sizes
from sod_plugins.ops.octave_conv import pooling_cell

Array = NDArray[np.float32]
Maps = Sequence[Array | None]  # finest first, with None for a scale without channels
Kernel = Callable[..., None]


class CompiledCSNet(nn.Module):
    """A CSNet for inference in float32 on one CPU core.

    It equals ``fuse(network)`` up to rounding. Numba compiles its loops for the current processor,
    which takes a few seconds once; later processes load them from disk. The first image of a size
    allocates memory, and so does each further thread that computes at the same time. Any number of
    threads may share one object.

    Args:
        network: A CSNet, in any mode; not modified.

    Attributes:
        name: The name of the network.
        preprocessing: The preprocessing of the network.
        cpu_only: True.

    Raises:
        ImportError: Numba is not installed.
        ValueError: The network cannot be fused, see :func:`~sod_plugins.networks.fuse`.
    """

    cpu_only = True

    @staticmethod
    def takes(network: nn.Module) -> TypeGuard[CSNet]:
        """Return whether it can run a network."""
        return isinstance(network, CSNet)

    def __init__(self, network: CSNet) -> None:
        super().__init__()
        require_engine('numba', 'numba')
        self.name = type(network).__name__
        self.preprocessing = network.preprocessing
        # In a tuple, so that it stays on the CPU.
        self._fused = (fuse(network, 'reference').cpu().float(),)
        self._programs: Lender[_Program] = Lender()

    def forward(self, images: Tensor) -> Tensor:
        """Map normalised images (N, 3, H, W) on any device to logits (N, 1, H, W) on the CPU.

        Raises:
            ValueError: The images have another shape or are smaller than 16x16.
        """
        if images.dim() != 4 or images.shape[1] != 3:
            raise ValueError(f'CSNet takes images (N, 3, H, W), got {tuple(images.shape)}.')
        check_input_size(images)
        images = images.detach().cpu().float()
        if not len(images):
            return images[:, :1].clone()
        shape = tuple(images.shape[1:])
        with self._programs.lend(
            lambda: _Program(self._fused[0], shape), lambda program: program.image.shape == shape
        ) as program:
            maps = np.stack([program.run(image.numpy()) for image in images])
        return resize_bilinear(torch.from_numpy(maps), (images.shape[2], images.shape[3]))

    def __getstate__(self) -> dict[str, Any]:
        """Return the state for copies and pickles; a copy allocates its own memory."""
        return {**self.__dict__, '_programs': Lender()}


class _Program:
    """The kernel calls that compute logits for images of one size, and their shared arrays."""

    def __init__(self, network: CSNet, shape: tuple[int, ...]) -> None:
        from sod_plugins.ops.octave_conv import compiled  # here, because numba loads slowly

        self._kernels = compiled
        self._calls: list[tuple[Kernel, tuple[Any, ...]]] = []
        self._spaces: dict[str, Array] = {}
        self.image = _aligned(shape)
        self._logits = self._lay_out(network)

    def run(self, image: Array) -> Array:
        """Return the logits (1, H, W) of an image, at the size of the finest map."""
        self.image[:] = image
        for kernel, arguments in self._calls:
            kernel(*arguments)
        return self._logits.copy()

    # What follows notes the calls once; modules are `Any`, as torch does not know their attributes.

    def _lay_out(self, network: Any) -> Array:
        maps: Maps = [self.image]
        stages = []
        for index, stage in enumerate(network.backbone.stages):
            for block in stage:
                maps = self._block(block, maps)
            if index in network.backbone.out_indices:
                stages.append(maps[0])
        head = network.decode_head
        top = self._fuse(head, stages) if isinstance(head, CSFDecoder) else stages[-1]
        assert top is not None
        logits = _aligned((1, *top.shape[1:]))
        self._convolve(head.classifier, top, np.ones(1, np.float32), logits, add=False, last=False)
        return logits

    def _block(self, block: Any, maps: Maps) -> Maps:
        """Lay out an ILBlock; only what it gives outlives it."""
        for layer, space in ((block.conv1, 'first'), (block.conv2, 'second'), (block.conv3, None)):
            maps = (self._depthwise if layer.depthwise else self._octave)(layer, maps, space)
        return maps

    def _fuse(self, head: Any, stages: Maps) -> Array | None:
        dilated = [
            self._dilated(layer, x) if width and x is not None else None
            for layer, width, x in zip(
                head.dilated, head.dilated_widths, self._octave(head.fuse, stages), strict=True
            )
        ]
        return self._octave(head.merge, dilated)[-1]

    def _depthwise(self, layer: Any, maps: Maps, space: str | None = None) -> Maps:
        """Lay out a simplified gOctConv."""
        outputs: list[Array | None] = []
        for scale, (x, convs, act) in enumerate(zip(maps, layer.convs, layer.acts, strict=True)):
            if x is None:
                outputs.append(None)
                continue
            weight, bias = _weights(convs[0])
            out = self._array(space, scale, x.shape)
            self._call(self._kernels.depthwise, x, weight[:, 0], bias, _slopes(act), out)
            outputs.append(out)
        return outputs

    def _octave(self, layer: Any, maps: Maps, space: str | None = None) -> Maps:
        """Lay out a gOctConv across scales."""
        if layer.stride == 2:
            pool = self._kernels.mean_pool
            maps = [
                None if x is None else self._halve(pool, x, f'mean {s}') for s, x in enumerate(maps)
            ]
        sizes = scale_sizes(maps, max(len(maps), len(layer.out_channels)))
        outputs: list[Array | None] = []
        scales = zip(layer.sources, layer.convs, layer.acts, sizes, strict=False)
        for scale, (sources, convs, act, size) in enumerate(scales):
            if not sources:
                outputs.append(None)
                continue
            slopes = _slopes(act)
            out = self._array(space, scale, (len(slopes), *size))
            for k, (group, conv) in enumerate(zip(sources, convs, strict=True)):
                add, last = k > 0, k == len(sources) - 1
                if min(group) <= scale:
                    x = self._gather(maps, group, scale, size)
                    self._convolve(conv, x, slopes, out, add=add, last=last)
                else:
                    self._convolve_and_resize(conv, maps[group[0]], slopes, out, add=add, last=last)
            outputs.append(out)
        return outputs

    def _dilated(self, layer: Any, x: Array) -> Array:
        """Lay out parallel dilated convolutions."""
        slopes = _slopes(layer.act)
        out = _aligned((len(slopes), *x.shape[1:]))
        start = 0
        for conv in layer.convs:
            part = slice(start, start + conv.out_channels)
            self._convolve(conv, x, slopes[part], out[part], add=False, last=True)
            start += conv.out_channels
        return out

    def _convolve(
        self, conv: nn.Conv2d, x: Array, slopes: Array, out: Array, *, add: bool, last: bool
    ) -> None:
        """Convolve maps (C, H, W) to (O, H, W); the flags are those of ``mix_rows``."""
        weight, bias = _weights(conv)
        weight = weight.reshape(len(weight), -1)
        channels, height, width = x.shape
        rows = np.arange(channels)
        mix_rows = self._kernels.mix_rows
        if conv.kernel_size == (1, 1):
            starts, pixels = rows * height * width, out.reshape(len(out), -1)
            self._call(mix_rows, x.reshape(-1), starts, weight, bias, slopes, pixels, add, last)
            return
        d = int(conv.dilation[0])
        stride = width + d
        padded = self._space('padded', (channels, (height + 2 * d) * stride + 2 * d))
        self._call(self._kernels.pad, x, d, padded)
        taps = np.arange(3) * d
        starts = (rows[:, None, None] * padded.shape[1] + taps[:, None] * stride + taps).reshape(-1)
        wide = self._space('wide', (len(out), height * stride))
        self._call(mix_rows, padded.reshape(-1), starts, weight, bias, slopes, wide, False, False)
        wide = wide.reshape(len(out), height, stride)
        self._call(self._kernels.crop, wide, slopes, out, add, last)

    def _convolve_and_resize(
        self, conv: nn.Conv2d, x: Array | None, slopes: Array, out: Array, *, add: bool, last: bool
    ) -> None:
        """Convolve a map at its coarser scale, and resize the result to that of ``out``."""
        assert x is not None
        coarse = self._space('coarse', (len(out), *x.shape[1:]))
        self._convolve(conv, x, slopes, coarse, add=False, last=False)
        self._resize(coarse, out, add)
        if last:
            self._call(self._kernels.activate, slopes, out.reshape(len(out), -1))

    def _gather(self, maps: Maps, group: list[int], scale: int, size: tuple[int, int]) -> Array:
        """Resize maps to a scale, and concatenate them in one array."""
        sources = [(i, x) for i in group if (x := maps[i]) is not None]
        if group == [scale]:
            return sources[0][1]
        gathered = self._space('gathered', (sum(len(x) for _, x in sources), *size))
        start = 0
        for i, x in sources:
            part = gathered[start : start + len(x)]
            start += len(x)
            if i == scale:
                self._call(np.copyto, part, x)
            elif i > scale:
                self._resize(x, part, False)
            else:
                self._coarsen(x, scale - i, part)
        return gathered

    def _coarsen(self, x: Array, steps: int, out: Array) -> None:
        """Max-pool over the cells of ``octave_conv.coarsen``."""
        rows, columns = out.shape[1:]
        cell = pooling_cell(x.shape[1:], (rows, columns))
        if cell == 2**steps:
            for step in range(1, steps):
                x = self._halve(self._kernels.max_pool, x, f'halved {step}')
            self._call(self._kernels.max_pool, x, out)
            return
        # The map has only a few pixels, with larger cells, or rounding happened at an empty scale.
        if cell is not None:
            x = x[:, : rows * cell, : columns * cell]
        self._call(self._kernels.adaptive_max_pool, x, out)

    def _halve(self, pool: Kernel, x: Array, space: str) -> Array:
        channels, height, width = x.shape
        half = self._space(space, (channels, height // 2, width // 2))
        self._call(pool, x, half)
        return half

    def _resize(self, x: Array, out: Array, add: bool) -> None:
        rows, columns = (positions(x.shape[axis], out.shape[axis]) for axis in (1, 2))
        self._call(self._kernels.resize, x, *rows, *columns, out, add)

    def _call(self, kernel: Kernel, *arguments: Any) -> None:
        self._calls.append((kernel, arguments))

    def _array(self, space: str | None, scale: int, shape: tuple[int, ...]) -> Array:
        return _aligned(shape) if space is None else self._space(f'{space} {scale}', shape)

    def _space(self, name: str, shape: tuple[int, ...]) -> Array:
        """Return an array whose values stay valid until the next one of this name is filled."""
        count = math.prod(shape)
        space = self._spaces.get(name)
        if space is None or space.size < count:
            space = self._spaces[name] = _aligned((count,))
        return space[:count].reshape(shape)


def _aligned(shape: tuple[int, ...]) -> Array:
    """Return zeros aligned to 64 bytes, like torch's memory."""
    zeros: Array = torch.zeros(shape, dtype=torch.float32, device='cpu').numpy()
    return zeros


def _weights(conv: nn.Conv2d) -> tuple[Array, Array]:
    """Return the kernel and bias of a convolution."""
    weight = conv.weight.detach().contiguous()
    bias = weight.new_zeros(len(weight)) if conv.bias is None else conv.bias.detach()
    return weight.numpy(), bias.numpy()


def _slopes(act: nn.PReLU) -> Array:
    slopes: Array = act.weight.detach().numpy()
    return slopes


@lru_cache
def positions(length: int, size: int) -> tuple[NDArray[np.int64], Array]:
    """Return the lower neighbour of each of ``size`` output pixels, and the weight of the upper."""
    positions = (np.arange(size, dtype=np.float32) + 0.5) * np.float32(length / size) - 0.5
    positions = positions.clip(0, length - 1)
    before = positions.astype(np.int64)
    return before, (positions - before).astype(np.float32)
