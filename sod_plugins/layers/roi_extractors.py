"""Feature extractors for mask prediction: the features of a region, in one of two frames.

RoIMasking keeps the frame of the image, so the map of a region is as large as the feature map.
RoIAlign and RoIPool crop the region and resize it to a fixed size: the frame of the box.
"""

from __future__ import annotations

from torch import Tensor, nn

from sod_plugins._common.arguments import records_arguments
from sod_plugins.ops.roi_align import roi_align, roi_pool
from sod_plugins.ops.roi_masking import RoIMaskingMode, check_masking, roi_masking


class RoIExtractor(nn.Module):
    """A convolution with ReLU on the whole map, then the features of each region.

    Args:
        in_channels: Channels of the map.
        out_channels: Channels of the output; None omits the convolution.
        stride: Stride of the map in pixels of the input.
        kernel_size: Side of the convolution's kernel, odd.

    Attributes:
        frame: ``'image'`` or ``'box'``: the frame of the output.
    """

    frame: str

    def __init__(
        self,
        in_channels: int = 256,
        out_channels: int | None = 256,
        stride: int = 8,
        kernel_size: int = 1,
    ) -> None:
        super().__init__()
        self.stride = stride
        self.out_channels = in_channels if out_channels is None else out_channels
        self.conv: nn.Module = nn.Identity()
        if out_channels is not None:
            conv = nn.Conv2d(in_channels, out_channels, kernel_size, padding=kernel_size // 2)
            self.conv = nn.Sequential(conv, nn.ReLU(inplace=True))

    def forward(self, features: Tensor, rois: Tensor) -> Tensor:
        """Return the features of regions.

        Args:
            features: Map (N, in_channels, H, W).
            rois: Regions (K, 5): image index, x1, y1, x2, y2 in pixels of the input.

        Returns:
            Maps (K, out_channels, h, w).
        """
        return self.extract(self.conv(features), rois)

    def extract(self, features: Tensor, rois: Tensor) -> Tensor:
        """Return the features of regions, from the map after the convolution."""
        raise NotImplementedError


@records_arguments
class RoIMasking(RoIExtractor):
    """RoIMasking (Fan et al., CVPR 2019, Sec. 3.3) in the frame of the image.

    The paper's convolution is 1x1 with 256 channels (Sec. 3.5), the released one 3x3 with 128. Its
    ReLU makes the surroundings of a region, which are negated, distinguishable from its inside.

    Args:
        in_channels: Channels of the map.
        out_channels: Channels of the output; None omits the convolution.
        stride: Stride of the map in pixels of the input.
        kernel_size: Side of the convolution's kernel, odd.
        mode: Whether the surroundings are weighted by -1 (``'ternary'``), 0 (``'binary'``) or 1
            (``'expanded'``), see :func:`~sod_plugins.ops.roi_masks`.
        alpha: Width of the surroundings on each side, as a fraction of the box's size.
        quantized: Whether boxes are quantised to cells, as in the released code.
        negative_slicing: Whether to reproduce the error of the released code at the border.

    Raises:
        ValueError: An argument is invalid, see :func:`roi_masks`.
    """

    frame = 'image'

    def __init__(
        self,
        in_channels: int = 256,
        out_channels: int | None = 256,
        stride: int = 8,
        kernel_size: int = 1,
        *,
        mode: RoIMaskingMode = 'ternary',
        alpha: float = 1 / 3,
        quantized: bool = False,
        negative_slicing: bool = False,
    ) -> None:
        super().__init__(in_channels, out_channels, stride, kernel_size)
        check_masking(mode, alpha, quantized, negative_slicing)
        self.mode = mode
        self.alpha = alpha
        self.quantized = quantized
        self.negative_slicing = negative_slicing

    def extract(self, features: Tensor, rois: Tensor) -> Tensor:
        """Return the image's map for each region, (K, out_channels, H, W), signed by its mask."""
        return roi_masking(
            features,
            rois,
            1 / self.stride,
            self.mode,
            self.alpha,
            quantized=self.quantized,
            negative_slicing=self.negative_slicing,
        )


@records_arguments
class RoIAlign(RoIExtractor):
    """RoIAlign (He et al., ICCV 2017) in the frame of the box.

    Args:
        in_channels: Channels of the map.
        out_channels: Channels of the output; None omits the convolution.
        stride: Stride of the map in pixels of the input.
        kernel_size: Side of the convolution's kernel, odd.
        output_size: Number of rows and of columns of the output.
        sampling_ratio: Samples per cell and axis.
    """

    frame = 'box'

    def __init__(
        self,
        in_channels: int = 256,
        out_channels: int | None = 256,
        stride: int = 8,
        kernel_size: int = 1,
        *,
        output_size: int = 28,
        sampling_ratio: int = 2,
    ) -> None:
        super().__init__(in_channels, out_channels, stride, kernel_size)
        self.output_size = output_size
        self.sampling_ratio = sampling_ratio

    def extract(self, features: Tensor, rois: Tensor) -> Tensor:
        """Return bilinear samples (K, out_channels, output_size, output_size)."""
        size = (self.output_size, self.output_size)
        return roi_align(features, rois, size, 1 / self.stride, self.sampling_ratio)


@records_arguments
class RoIPool(RoIExtractor):
    """RoIPool (Girshick, ICCV 2015) in the frame of the box.

    Args:
        in_channels: Channels of the map.
        out_channels: Channels of the output; None omits the convolution.
        stride: Stride of the map in pixels of the input.
        kernel_size: Side of the convolution's kernel, odd.
        output_size: Number of rows and of columns of the output.
    """

    frame = 'box'

    def __init__(
        self,
        in_channels: int = 256,
        out_channels: int | None = 256,
        stride: int = 8,
        kernel_size: int = 1,
        *,
        output_size: int = 28,
    ) -> None:
        super().__init__(in_channels, out_channels, stride, kernel_size)
        self.output_size = output_size

    def extract(self, features: Tensor, rois: Tensor) -> Tensor:
        """Return maxima (K, out_channels, output_size, output_size)."""
        return roi_pool(features, rois, (self.output_size, self.output_size), 1 / self.stride)
