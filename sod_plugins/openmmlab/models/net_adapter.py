"""What every adapter around a plain network shares."""

from __future__ import annotations

from typing import Any

from mmengine.model import BaseModule
from torch import Tensor


class NetAdapter(BaseModule):
    """Module that keeps a plain network in ``self.net`` and also loads that network's own weights.

    Its state dict has the network's keys behind ``net.``. Loading takes them without it too, so a
    plain checkpoint serves for ``load_from`` and for ``init_cfg=dict(type='Pretrained', ...)``.
    """

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *args: Any) -> None:
        parts = {name for name, _ in self.net.named_children()}
        for key in list(state_dict):
            if key.startswith(prefix) and key[len(prefix) :].split('.')[0] in parts:
                state_dict[f'{prefix}net.{key[len(prefix) :]}'] = state_dict.pop(key)
        super()._load_from_state_dict(state_dict, prefix, *args)
