"""Turn records of data sets into samples of models."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import torch
from detectron2.config import configurable
from detectron2.data import detection_utils
from detectron2.data import transforms as T
from detectron2.structures import BitMasks, Boxes, Instances
from omegaconf import OmegaConf
from torch import Tensor

from sod_plugins import transforms
from sod_plugins._common.choices import require_choice
from sod_plugins.data import DataError, decode_segmentation, read_image, read_mask
from sod_plugins.data.sampling import SampleIndex
from sod_plugins.detectron2.adapters import arguments
from sod_plugins.transforms import MultiSizeResize, Transform


class SaliencyMapper:
    """Reads an image and its soft mask, and changes both at random in training.

    The sample keeps the record's entries, and has ``image``, float32 (3, H, W) in 0..255, and in
    training ``sem_seg``, float32 (H, W) in [0, 1]. Random choices come from ``record['rng']``,
    which :func:`~sod_plugins.detectron2.build_train_loader` adds.

    Args:
        is_train: Whether masks are read and transforms apply.
        transforms: Transforms of ``sod_plugins.transforms``, in their order, or mappings of their
            ``type`` and arguments.
        image_format: The order of the channels, ``'RGB'`` or ``'BGR'``.
    """

    @configurable
    def __init__(
        self,
        is_train: bool = True,
        *,
        transforms: Sequence[Transform | Mapping[str, Any]] = (),
        image_format: str = 'RGB',
    ) -> None:
        self.is_train = is_train
        self.transforms = tuple(map(build_transform, transforms)) if is_train else ()
        self.image_format = image_format

    @classmethod
    def from_config(cls, cfg: Any, is_train: bool = True) -> dict[str, Any]:
        """Translate a config, whose ``SOD.TRANSFORMS`` names the transforms."""
        return {
            'is_train': is_train,
            'transforms': cfg.SOD.TRANSFORMS,
            'image_format': cfg.INPUT.FORMAT,
        }

    def __call__(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """Return the sample of a record.

        Raises:
            DataError: A file cannot be read, or the mask has another size than the image.
        """
        sample = dict(record)
        draw: SampleIndex | None = sample.pop('draw', None)
        generator = sample.pop('rng', None) or np.random.default_rng()
        exif = sample.get('exif', 'apply')
        image: Any = read_image(sample['file_name'], exif)
        mask: Any = None
        if self.is_train:
            mask = read_mask(sample['sem_seg_file_name'], exif)
            if mask.shape != image.shape[:2]:
                raise DataError(
                    f"The mask '{sample['sem_seg_file_name']}' has {mask.shape} pixels (height, "
                    f'width), its image {image.shape[:2]}. Make the sizes equal.'
                )
        for transform in self.transforms:
            if isinstance(transform, MultiSizeResize):
                numbers = (getattr(draw, name, None) for name in ('draw', 'epoch'))
                turn = transform.turn(*numbers)
                image, mask = transform.apply(image, mask, generator, turn)
            else:
                image, mask = transform.apply(image, mask, generator)
        sample['image'] = _channels_first(image, self.image_format)
        if mask is not None:
            sample['sem_seg'] = torch.from_numpy(np.ascontiguousarray(mask, dtype=np.float32))
        return sample


class InstanceMapper:
    """Reads an image and its instances, and changes them by detectron2's augmentations.

    The sample keeps the record's entries but ``annotations``, and has ``image``, uint8 or float32
    (3, H, W), and in training ``instances`` with ``gt_boxes``, ``gt_classes``, all 0, and
    ``gt_masks`` (bit masks). Crowds are left out.

    Args:
        is_train: Whether instances are read and augmentations apply.
        augmentations: Augmentations of detectron2, in their order.
        image_format: The order of the channels, ``'RGB'`` or ``'BGR'``.
    """

    @configurable
    def __init__(
        self,
        is_train: bool = True,
        *,
        augmentations: Sequence[T.Augmentation | T.Transform] = (),
        image_format: str = 'RGB',
    ) -> None:
        self.is_train = is_train
        self.augmentations = T.AugmentationList(list(augmentations) if is_train else [])
        self.image_format = image_format

    @classmethod
    def from_config(cls, cfg: Any, is_train: bool = True) -> dict[str, Any]:
        """Translate a config: its augmentations, or with ``SOD.INPUT_SIZE`` that size and flips."""
        if any(cfg.SOD.INPUT_SIZE):
            chosen = [T.Resize(tuple(cfg.SOD.INPUT_SIZE)), T.RandomFlip()]
        else:
            chosen = detection_utils.build_augmentation(cfg, is_train)
        return {
            'is_train': is_train,
            'augmentations': chosen,
            'image_format': cfg.INPUT.FORMAT,
        }

    def __call__(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """Return the sample of a record.

        Raises:
            DataError: The image cannot be read.
        """
        sample = {k: v for k, v in record.items() if k not in ('rng', 'draw', 'annotations')}
        image: Any = read_image(sample['file_name'], sample.get('exif', 'apply'))
        size = image.shape[:2]
        inputs = T.AugInput(image)
        changes = self.augmentations(inputs)
        sample['image'] = _channels_first(inputs.image, self.image_format)
        if self.is_train:
            entries = [e for e in record.get('annotations', ()) if not e.get('iscrowd')]
            masks = [
                changes.apply_segmentation(
                    decode_segmentation(copy.deepcopy(e['segmentation']), size).astype(np.uint8)
                )
                for e in entries
            ]
            sample['instances'] = _truth(masks, inputs.image.shape[:2])
        return sample


def _truth(masks: Sequence[Any], size: tuple[int, int]) -> Instances:
    """Return instances with the boxes of their masks, without those that are no longer visible."""
    pixels = torch.zeros((0, *size), dtype=torch.bool)
    if masks:
        pixels = torch.from_numpy(np.stack(masks)).bool()
    bits = BitMasks(pixels[pixels.flatten(1).any(1)])
    boxes: Boxes = bits.get_bounding_boxes()
    classes = torch.zeros(len(bits), dtype=torch.int64)
    return Instances(size, gt_boxes=boxes, gt_classes=classes, gt_masks=bits)


def build_transform(entry: Transform | Mapping[str, Any]) -> Transform:
    """Build a transform from the name of its class as ``type`` and its arguments.

    A transform is returned unchanged. In a list of a LazyConfig, omegaconf converts transforms,
    which are dataclasses; these are converted back.

    Raises:
        ValueError: There is no such transform, or it does not take the arguments.
    """
    if isinstance(entry, Transform):
        return entry
    kind = OmegaConf.get_type(entry) if OmegaConf.is_config(entry) else dict
    if isinstance(kind, type) and issubclass(kind, Transform):
        return cast(Transform, OmegaConf.to_object(entry))
    given = arguments(entry)
    name = given.pop('type', None)
    known = [n for n in transforms.__all__ if n != 'Transform' and n[0].isupper()]
    require_choice('type of the transform', name, known)
    try:
        built: Transform = getattr(transforms, name)(**given)
    except TypeError as error:
        raise ValueError(f'The transform {name} cannot be built: {error}.') from error
    return built


def _channels_first(image: Any, image_format: str) -> Tensor:
    """Return an RGB image (H, W, 3) as float32 (3, H, W) in the order of channels asked for."""
    ordered = image[..., ::-1] if image_format == 'BGR' else image
    return torch.from_numpy(np.ascontiguousarray(ordered.transpose(2, 0, 1), dtype=np.float32))
