"""DeepLab's atrous spatial pyramid with PiCANet as a decode head."""

from __future__ import annotations

from typing import Any

from sod_plugins.networks import PiCANetASPP
from sod_plugins.openmmlab.models.decode_heads.semantic_decode_head import SemanticDecodeHead
from sod_plugins.openmmlab.models.net_adapter import adapts
from sod_plugins.registry import MODELS


@MODELS.register_module()
@adapts(PiCANetASPP, without=('dropout',))
class PiCANetASPPHead(SemanticDecodeHead):
    """DeepLab's pyramid with PiCANet as a decode head for semantic segmentation, on any backbone.

    Args:
        dropout_ratio: Dropout probability.
    """

    def __init__(self, *, dropout_ratio: float = 0.5, **arguments: Any) -> None:
        super().__init__(dropout=dropout_ratio, **arguments)
