"""Saliency networks as models of detectron2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from detectron2.modeling import META_ARCH_REGISTRY, Backbone, build_backbone, build_sem_seg_head
from detectron2.structures import ImageList
from torch import Tensor, nn

from sod_plugins._common.choices import require_choice
from sod_plugins.detectron2.adapters import arguments, configured
from sod_plugins.detectron2.heads import IGNORED
from sod_plugins.networks import saliency_map
from sod_plugins.networks.registry import build_network
from sod_plugins.ops import resize_bilinear


class ImageModel(nn.Module):
    """Normalises and batches the images of detectron2's samples, for all models of this package.

    Args:
        pixel_mean: Mean of each channel, in the order of ``input_format``.
        pixel_std: Their standard deviations.
        input_format: The order of the images' channels, ``'RGB'`` or ``'BGR'``; networks see RGB.
        input_size: Height and width that images are resized to in evaluation, as ``sod predict``
            resizes them; (0, 0) leaves them as they come. With it, hand over images as they are
            (``INPUT.MIN_SIZE_TEST: 0``).
        antialias: Whether that resize antialiases.
        size_divisibility: Multiple that the sides of a batch are padded to.

    Raises:
        ValueError: There is no such format.
    """

    pixel_mean: Tensor
    pixel_std: Tensor

    def __init__(
        self,
        pixel_mean: Sequence[float],
        pixel_std: Sequence[float],
        input_format: str = 'RGB',
        input_size: Sequence[int] = (0, 0),
        antialias: bool = False,
        size_divisibility: int = 0,
    ) -> None:
        super().__init__()
        require_choice('input_format', input_format, ('RGB', 'BGR'))
        for name, values in (('pixel_mean', pixel_mean), ('pixel_std', pixel_std)):
            column = torch.tensor([float(value) for value in values]).view(-1, 1, 1)
            self.register_buffer(name, column, persistent=False)
        height, width = input_size
        self.input_size = (int(height), int(width))
        self.input_format, self.antialias = input_format, antialias
        self.size_divisibility = size_divisibility

    @property
    def device(self) -> torch.device:
        """Device of the model."""
        return self.pixel_mean.device

    def batch_of(self, samples: Sequence[Mapping[str, Any]]) -> ImageList:
        """Normalise the images of samples, and pad them to one size."""
        images = [self._normalised(sample['image'].to(self.device)) for sample in samples]
        return ImageList.from_tensors(images, self.size_divisibility)

    def _normalised(self, image: Tensor) -> Tensor:
        """Return an image (3, H, W) as the network sees it."""
        pixels = image.float()
        if not self.training and any(self.input_size):
            pixels = resize_bilinear(pixels[None], self.input_size, antialias=self.antialias)[0]
        pixels = (pixels - self.pixel_mean) / self.pixel_std
        return pixels.flip(0) if self.input_format == 'BGR' else pixels


def image_arguments(cfg: Any) -> dict[str, Any]:
    """Return the arguments of an :class:`ImageModel` in a config."""
    return {
        'pixel_mean': cfg.MODEL.PIXEL_MEAN,
        'pixel_std': cfg.MODEL.PIXEL_STD,
        'input_format': cfg.INPUT.FORMAT,
        'input_size': cfg.SOD.INPUT_SIZE,
        'antialias': cfg.SOD.ANTIALIAS,
    }


def output_size(sample: Mapping[str, Any]) -> tuple[int, int]:
    """Return the height and width that a sample's result is wanted at."""
    height, width = sample['image'].shape[-2:]
    return int(sample.get('height', height)), int(sample.get('width', width))


class SaliencyModel(ImageModel):
    """A model that finds saliency, called as detectron2's ``SemanticSegmentor`` is.

    A sample has ``image`` (3, H, W) in 0..255, in training ``sem_seg`` (H, W), the mask in [0, 1]
    or labels 0 and 1, of which pixels of value 255 do not count; and in evaluation ``height`` and
    ``width`` of the result.
    """

    ignore_value = IGNORED

    def forward(self, batched_inputs: Sequence[Mapping[str, Any]]) -> Any:
        """Return the losses in training, and results in evaluation.

        Returns:
            In training, weighted losses by name. In evaluation, for each sample: ``saliency``
            (H, W) in [0, 1], which is that of ``sod predict``; and ``sem_seg`` (2, H, W), the
            probabilities of background and object, for what takes an argmax over classes.
        """
        images = self.batch_of(batched_inputs)
        if self.training:
            masks = [sample['sem_seg'].to(self.device).float() for sample in batched_inputs]
            padded = ImageList.from_tensors(masks, self.size_divisibility, self.ignore_value)
            return self.losses(images.tensor, padded.tensor)
        logits = self.logits(images.tensor)
        results = []
        for sample, one, (height, width) in zip(
            batched_inputs, logits, images.image_sizes, strict=True
        ):
            found = saliency_map(one[None, :, :height, :width].float(), output_size(sample))[0, 0]
            results.append({'saliency': found, 'sem_seg': torch.stack((1 - found, found))})
        return results

    def losses(self, images: Tensor, masks: Tensor) -> dict[str, Tensor]:
        """Return losses for images (N, 3, H, W) and masks (N, H, W)."""
        raise NotImplementedError

    def logits(self, images: Tensor) -> Tensor:
        """Return logits (N, 1, H, W) for images (N, 3, H, W)."""
        raise NotImplementedError


@META_ARCH_REGISTRY.register()
@configured(ImageModel, without=('size_divisibility',))
class SaliencySegmentor(SaliencyModel):
    """A backbone and a saliency head of this package; maps are those of ``sod predict``.

    Args:
        backbone: A backbone of detectron2.
        sem_seg_head: One of this package's heads, see :class:`~sod_plugins.detectron2.CSFHead`.
    """

    def __init__(
        self,
        *,
        backbone: Backbone,
        sem_seg_head: nn.Module,
        **image: Any,
    ) -> None:
        super().__init__(size_divisibility=backbone.size_divisibility, **image)
        self.backbone = backbone
        head: Any = sem_seg_head
        self.sem_seg_head: Any = head
        self.ignore_value = head.ignore_value

    @classmethod
    def from_config(cls, cfg: Any) -> dict[str, Any]:
        """Translate a config."""
        backbone = build_backbone(cfg)
        head = build_sem_seg_head(cfg, backbone.output_shape())
        return {'backbone': backbone, 'sem_seg_head': head, **image_arguments(cfg)}

    def losses(self, images: Tensor, masks: Tensor) -> dict[str, Tensor]:
        """Return the losses of the head."""
        losses: dict[str, Tensor] = self.sem_seg_head.losses(self.backbone(images), masks)
        return losses

    def logits(self, images: Tensor) -> Tensor:
        """Return the logits of the head at the size of the images."""
        size = (images.shape[-2], images.shape[-1])
        logits: Tensor = self.sem_seg_head.logits(self.backbone(images), size)
        return logits


@META_ARCH_REGISTRY.register()
@configured(ImageModel, without=('size_divisibility',))
class NetworkSegmentor(SaliencyModel):
    """Any registered saliency network as a whole.

    Args:
        network: The name of the network as ``type``, and its arguments.

    Raises:
        ValueError: There is no such network, or it finds no saliency.
    """

    def __init__(
        self,
        *,
        network: Mapping[str, Any],
        **image: Any,
    ) -> None:
        super().__init__(**image)
        self.network: Any = build_network(arguments(network), 'saliency')

    @classmethod
    def from_config(cls, cfg: Any) -> dict[str, Any]:
        """Translate a config."""
        return {'network': cfg.SOD.NETWORK, **image_arguments(cfg)}

    def losses(self, images: Tensor, masks: Tensor) -> dict[str, Tensor]:
        """Return the losses of the network."""
        losses: dict[str, Tensor] = self.network.losses(images, masks[:, None], self.ignore_value)
        return losses

    def logits(self, images: Tensor) -> Tensor:
        """Return the logits of the network."""
        logits: Tensor = self.network(images)
        return logits
