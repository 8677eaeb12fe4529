"""ITDBU's iterative decoder as a decode head with deeper supervision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmseg.structures import SegDataSample
from torch import Tensor

from sod_plugins.networks import ITDBUDecoder, deeper_supervision_loss
from sod_plugins.openmmlab.models.decode_heads.saliency_decode_head import SaliencyDecodeHead
from sod_plugins.registry import MODELS


@MODELS.register_module()
class ITDBUHead(SaliencyDecodeHead):
    """Decoder of ITDBU (Sec. 3): :class:`ITDBUDecoder` from a config, on any backbone.

    In training the binary cross-entropies of all side outputs add up (Eq. 6), each compared with
    the mask at the size of its own level; pixels of value 255, which mmseg pads masks with, do not
    count. They are logged in two sums, ``loss_top_down`` and ``loss_bottom_up`` (absent for one
    iteration), and beside them ``bce_last``, the term of the final map alone, which configs with
    different numbers of side outputs can be compared by.

    ``in_channels`` must name all maps of the backbone if ``sod predict`` shall read the checkpoint:
    to leave levels out, set the backbone's ``out_indices``.

    Args:
        in_channels: Channels of each map, finest first; two maps or more.
        in_index: Which maps of the backbone it takes; by default the first ``len(in_channels)``.
        cell: See :class:`ITDBUDecoder`, also for the rest up to ``with_cp``.
        iterations: N.
        steps: T.
        sharing: Strategy i, ii, iii or iv.
        unify_channels: Likewise.
        hidden_channels: Likewise.
        kernel_size: Likewise.
        unify_sharing: Likewise.
        unify_norm: Likewise.
        top_saliency: Likewise.
        carry_hidden: Likewise.
        upsample: Likewise.
        downsample: Likewise.
        detach_saliency: Likewise.
        nonlinearity: Likewise.
        with_cp: Likewise.
        last_step_only: Whether only step T of every layer is supervised (Tab. 6).
        mask_resize: How masks reach the size of a level, see
            :func:`~sod_plugins.networks.deeper_supervision_loss`.
        init_cfg: Initialisation; by default PyTorch's of every layer.

    Raises:
        ValueError: If the arguments do not describe a decoder.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        *,
        in_index: Sequence[int] | None = None,
        cell: str = 'gru',
        iterations: int = 3,
        steps: int = 2,
        sharing: str = 'ii',
        unify_channels: int | None = 64,
        hidden_channels: int = 16,
        kernel_size: int = 3,
        unify_sharing: str = 'level',
        unify_norm: bool = True,
        top_saliency: str = 'inference',
        carry_hidden: bool = False,
        upsample: str = 'bilinear',
        downsample: str = 'bilinear',
        detach_saliency: bool = False,
        nonlinearity: str = 'tanh',
        with_cp: bool = False,
        last_step_only: bool = False,
        mask_resize: str = 'area',
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        net = ITDBUDecoder(
            in_channels,
            cell,
            iterations,
            steps,
            sharing,
            unify_channels=unify_channels,
            hidden_channels=hidden_channels,
            kernel_size=kernel_size,
            unify_sharing=unify_sharing,
            unify_norm=unify_norm,
            top_saliency=top_saliency,
            carry_hidden=carry_hidden,
            upsample=upsample,
            downsample=downsample,
            detach_saliency=detach_saliency,
            nonlinearity=nonlinearity,
            with_cp=with_cp,
            last_step_only=last_step_only,
            mask_resize=mask_resize,
        )
        super().__init__(net, in_channels, hidden_channels, in_index=in_index, init_cfg=init_cfg)

    def loss_by_feat(
        self, seg_logits: Sequence[Tensor], batch_data_samples: list[SegDataSample]
    ) -> dict[str, Tensor]:
        """Compare all side outputs with the masks of the data samples."""
        masks = self._stack_batch_gt(batch_data_samples)
        last = self.net.labelled(seg_logits, self.net.last_step_only)[-1:]
        cross_entropy = deeper_supervision_loss(
            last, masks, mask_resize=self.net.mask_resize, ignore_value=self.ignore_index
        )
        losses = self.net.losses(seg_logits, masks, self.ignore_index)
        return {**losses, 'bce_last': cross_entropy.detach()}

    def predict_by_feat(
        self, seg_logits: Tensor | Sequence[Tensor], batch_img_metas: list[dict[str, Any]]
    ) -> Tensor:
        """Resize the last map's logits bilinearly to the size of the input, (N, 1, H, W)."""
        last = seg_logits if isinstance(seg_logits, Tensor) else seg_logits[-1]
        return super().predict_by_feat(last, batch_img_metas)
