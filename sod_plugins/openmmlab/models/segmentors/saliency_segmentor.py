"""A segmentor whose saliency maps equal those of ``sod predict``."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.structures import PixelData
from mmseg.models.segmentors import EncoderDecoder
from mmseg.structures import SegDataSample
from torch import Tensor

from sod_plugins.data import read_image
from sod_plugins.inference.dense_crf import DenseCRF
from sod_plugins.networks import saliency_map
from sod_plugins.registry import MODELS


class SaliencyResults:
    """Converts the logits of a segmentor to saliency, like ``sod predict``.

    Attributes:
        test_cfg: With ``crf``, the arguments of a :class:`~sod_plugins.networks.DenseCRF`, maps are
            refined by it.
    """

    test_cfg: Any

    def postprocess_result(
        self, seg_logits: Tensor, data_samples: list[SegDataSample] | None = None
    ) -> list[SegDataSample]:
        """Convert logits to saliency at the original size.

        Args:
            seg_logits: Logits (N, 1, h, w) at the size of the network's input.
            data_samples: One per image. Its ``ori_shape`` (H, W) is the size of the result; padding
                reported by the data preprocessor is cut off, and a reported flip is undone. None
                keeps the input's size.

        Returns:
            The samples with ``seg_logits``, which as usual in the host for one channel holds
            probabilities, (1, H, W), float32; and with ``pred_sem_seg``, (1, H, W), uint8, 1 where
            the probability exceeds 0.5.
        """
        crf = (self.test_cfg or {}).get('crf')
        height, width = seg_logits.shape[-2:]
        if data_samples is None:
            shape = {'ori_shape': (height, width)}
            data_samples = [SegDataSample(metainfo=shape) for _ in seg_logits]
        for sample, logits in zip(data_samples, seg_logits.float()[:, None], strict=True):
            left, right, top, bottom = sample.get('img_padding_size', (0, 0, 0, 0))
            logits = logits[..., top : height - bottom, left : width - right]
            saliency = saliency_map(_unflipped(logits, sample), sample.ori_shape)[0]
            if crf is not None:
                saliency = _refine(saliency, sample, DenseCRF(**crf))
            sample.seg_logits = PixelData(data=saliency)
            sample.pred_sem_seg = PixelData(data=(saliency > 0.5).byte())
        return data_samples


@MODELS.register_module()
class SaliencySegmentor(SaliencyResults, EncoderDecoder):
    """mmseg's ``EncoderDecoder`` with soft saliency maps and the sigmoid before the resize.

    ``EncoderDecoder`` resizes the logits to the original size and then applies the sigmoid, which
    sharpens every edge; this class follows the released test code, see :func:`saliency_map`.
    Training and everything else are the host's.

    With ``test_cfg=dict(mode='whole', crf=dict(...))`` every map is then refined by a
    :class:`~sod_plugins.networks.DenseCRF` with these arguments, on the image at the data sample's
    ``img_path``; ``tools/test.py --crf`` sets it.
    """


def _unflipped(logits: Tensor, sample: SegDataSample) -> Tensor:
    """Undo the flip of the logits (1, 1, h, w) of a flipped image."""
    if not sample.get('flip'):
        return logits
    return logits.flip(3 if sample.flip_direction == 'horizontal' else 2)


def _refine(saliency: Tensor, sample: SegDataSample, crf: DenseCRF) -> Tensor:
    """Refine a map (1, H, W) by the image from which it was predicted."""
    if 'img_path' not in sample:
        raise ValueError(
            "The CRF needs the photo: let the data samples keep 'img_path', or leave out 'crf' of "
            'test_cfg.'
        )
    refined = crf.refine(
        read_image(sample.img_path, sample.get('exif', 'apply')), saliency[0].cpu().numpy()
    )
    return torch.from_numpy(refined)[None].to(saliency.device)
