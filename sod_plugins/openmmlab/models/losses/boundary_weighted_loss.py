"""Cross-entropy and IoU that weight pixels near boundaries more, and structural similarity."""

from __future__ import annotations

from torch import Tensor, nn

from sod_plugins.networks.losses import boundary_weights, ssim_loss, weighted_bce, weighted_iou
from sod_plugins.registry import MODELS


@MODELS.register_module()
class BoundaryWeightedLoss(nn.Module):
    """Sum of weighted binary cross-entropy and weighted IoU, as in F3Net, and SSIM, as in BASNet.

    See :func:`~sod_plugins.networks.losses.boundary_weights` for the weights, which the structural
    similarity (:func:`~sod_plugins.networks.losses.ssim_loss`) does without.

    Args:
        window: Side of the window in pixels, odd.
        strength: Weight of boundaries.
        iou_weight: Factor of the IoU term.
        loss_weight: Factor of the sum.
        loss_name: Name in the log; names that begin with ``loss`` are added to the loss.
        ssim_weight: Factor of the SSIM term; 0 leaves it out.
    """

    def __init__(
        self,
        window: int = 31,
        strength: float = 5.0,
        iou_weight: float = 1.0,
        loss_weight: float = 1.0,
        loss_name: str = 'loss_boundary',
        ssim_weight: float = 0.0,
    ) -> None:
        super().__init__()
        self.window = window
        self.strength = strength
        self.iou_weight = iou_weight
        self.loss_weight = loss_weight
        self.loss_name = loss_name
        self.ssim_weight = ssim_weight

    def forward(self, logits: Tensor, masks: Tensor, ignore_index: int = 255) -> Tensor:
        """Compare logits (N, 1, H, W) with masks (N, H, W), ignoring ``ignore_index``."""
        masks = masks[:, None].float()
        counts = masks != ignore_index
        masks = masks * counts
        weights = boundary_weights(masks, self.window, self.strength) * counts
        logits = logits.float()
        loss = weighted_bce(logits, masks, weights)
        loss = loss + self.iou_weight * weighted_iou(logits, masks, weights)
        if self.ssim_weight:
            loss = loss + self.ssim_weight * ssim_loss(logits, masks, counts.float())
        return self.loss_weight * loss
