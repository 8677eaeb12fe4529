"""Saliency averaged over several views of an image."""

from __future__ import annotations

import torch
from mmengine.model import BaseTTAModel
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from sod_plugins.registry import MODELS


@MODELS.register_module()
class SaliencyTTAModel(BaseTTAModel):
    """Test-time augmentation: the mean of the saliency maps of all views.

    For ``tta_model`` of a config. ``tta_pipeline`` creates the views, and the segmentor has already
    undone flips. (mmseg's ``SegTTAModel`` would apply the sigmoid to each map again.)
    """

    def merge_preds(self, data_samples_list: list[list[SegDataSample]]) -> list[SegDataSample]:
        """Merge the views of each image into the first one's sample.

        Returns:
            The samples with ``seg_logits``, probabilities (1, H, W), and ``pred_sem_seg``.
        """
        merged = []
        for views in data_samples_list:
            maps = torch.stack([view.seg_logits.data for view in views])
            sample, saliency = views[0], maps.mean(0)
            sample.seg_logits = PixelData(data=saliency)
            sample.pred_sem_seg = PixelData(data=(saliency > 0.5).byte())
            merged.append(sample)
        return merged
