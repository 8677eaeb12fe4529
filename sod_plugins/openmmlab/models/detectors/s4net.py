"""S4Net as an mmdet detector."""

from __future__ import annotations

from typing import Any

from mmdet.models.detectors import BaseDetector
from mmdet.registry import MODELS as HOST_MODELS
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from torch import Tensor

from sod_plugins.networks import HeadOutputs, S4NetFlow
from sod_plugins.registry import MODELS


@MODELS.register_module()
class S4Net(S4NetFlow, BaseDetector):
    """Single-stage salient-instance detector (S4Net, Sec. 3) from a config.

    One stage proposes boxes, and the masks of the best ones are segmented from features that the
    RoI extractor selects; in training, ground-truth boxes take their place. The computation is in
    :class:`sod_plugins.networks.S4NetFlow`, shared with the plain network of the same name, whose
    state dict has the same keys without ``net.`` after the names of the parts.

    Ground truth is ``gt_instances`` with ``bboxes`` and ``masks``; labels are ignored. Normalise
    images by the mean and standard deviation of the backbone's weights, and make the data
    preprocessor pad masks with the images (``pad_mask=True``).

    Args:
        backbone: Config of a backbone whose maps the neck takes.
        neck: Config of ``sod_plugins.S4NetFPN``.
        bbox_head: Config of ``sod_plugins.S4NetHead``.
        roi_extractor: Config of ``sod_plugins.RoIMasking``, ``.RoIAlign`` or ``.RoIPool``.
        mask_head: Config of ``sod_plugins.S4NetMaskHead``. After RoIAlign or RoIPool it may be a
            mask head of mmdet with one class and ``forward(features)``, such as ``FCNMaskHead``.
        data_preprocessor: Config of mmdet's ``DetDataPreprocessor``.
        init_cfg: Initialisation; by default the parts' own.

    Raises:
        ValueError: The mask head cannot work in the frame of the extractor.
    """

    def __init__(
        self,
        backbone: dict[str, Any],
        neck: dict[str, Any],
        bbox_head: dict[str, Any],
        roi_extractor: dict[str, Any],
        mask_head: dict[str, Any],
        data_preprocessor: dict[str, Any] | None = None,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(data_preprocessor, init_cfg)
        self.backbone = HOST_MODELS.build(backbone)
        self.neck = HOST_MODELS.build(neck)
        self.bbox_head = HOST_MODELS.build(bbox_head)
        self.roi_extractor = HOST_MODELS.build(roi_extractor)
        self.mask_head = HOST_MODELS.build(mask_head)
        if self.roi_extractor.frame not in getattr(self.mask_head, 'frames', ('box',)):
            raise ValueError(
                f'{type(self.mask_head).__name__} expects features cropped to the box, but '
                f'{type(self.roi_extractor).__name__} keeps the frame of the image: use '
                "mask_head=dict(type='sod_plugins.S4NetMaskHead'), or an extractor that crops."
            )

    def extract_feat(self, batch_inputs: Tensor) -> tuple[Tensor, ...]:
        """Map images (N, 3, H, W) to the levels of the pyramid."""
        return self.neck(self.backbone(batch_inputs))

    def loss(
        self, batch_inputs: Tensor, batch_data_samples: list[DetDataSample]
    ) -> dict[str, Tensor]:
        """Compute the losses of objectness, boxes and masks."""
        return self.losses(batch_inputs, [targets_of(sample) for sample in batch_data_samples])

    def predict(
        self, batch_inputs: Tensor, batch_data_samples: list[DetDataSample], rescale: bool = True
    ) -> list[DetDataSample]:
        """Find the salient instances.

        Args:
            batch_inputs: Images (N, 3, H, W).
            batch_data_samples: One per image; ``img_shape`` is its size without padding, and
                ``ori_shape`` that of the result.
            rescale: Whether results are at the original size, or at that of the input.

        Returns:
            The samples with ``pred_instances``, best first: ``bboxes`` (K, 4), ``scores`` (K,),
            ``labels`` (K,), which are 0, and ``masks`` (K, H, W), bool.
        """
        return add_instances(self, self, batch_inputs, batch_data_samples, rescale)

    def _forward(
        self, batch_inputs: Tensor, batch_data_samples: list[DetDataSample] | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return the outputs of the detection head for each anchor, before any selection.

        Its anchors are omitted: they do not depend on the images, which a tracer rejects.

        Returns:
            Logits (N, M) and deltas (N, M, 4), see :class:`HeadOutputs`.
        """
        outputs: HeadOutputs = self.bbox_head(self.extract_feat(batch_inputs))
        return outputs.logits, outputs.deltas


def targets_of(sample: DetDataSample) -> dict[str, Tensor]:
    """Return the boxes (G, 4) and masks (G, H, W) of a sample."""
    truth = sample.gt_instances
    boxes = truth.bboxes
    return {'boxes': boxes, 'masks': truth.masks.to_tensor(boxes.dtype, boxes.device)}


def add_instances(
    detector: BaseDetector,
    network: Any,
    images: Tensor,
    samples: list[DetDataSample],
    rescale: bool,
) -> list[DetDataSample]:
    """Add the instances found in images to data samples, at the original or the input size.

    Args:
        detector: The model of the host.
        network: A network with ``find``, see :class:`sod_plugins.networks.S4NetFlow`.
        images: (N, 3, H, W).
        samples: One per image.
        rescale: Whether results are at the original size, or at that of the input.
    """
    sizes = [tuple(sample.img_shape[:2]) for sample in samples]
    original = [tuple(sample.ori_shape[:2]) for sample in samples]
    results = [
        InstanceData(bboxes=boxes, masks=masks, scores=scores, labels=labels)
        for boxes, masks, scores, labels in network.find(
            images, sizes, original if rescale else sizes
        )
    ]
    return detector.add_pred_to_datasample(samples, results)
