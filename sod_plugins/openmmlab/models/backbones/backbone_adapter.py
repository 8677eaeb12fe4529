"""The base class of backbone adapters for mmengine."""

from __future__ import annotations

from typing import Any

from torch.nn.modules.batchnorm import _BatchNorm

from sod_plugins.networks.base import Extractor
from sod_plugins.openmmlab.models.net_adapter import ModuleAdapter


class BackboneAdapter(ModuleAdapter):
    """A plain backbone as an mmengine module.

    Args:
        frozen_stages: Last stage (from 0) whose parameters and statistics stay fixed; -1 for none.
        norm_eval: Whether BatchNorm keeps its statistics while training.
        init_cfg: Initialisation: mmengine's ``dict(type='Pretrained', checkpoint=...,
            prefix='backbone.')``, which skips keys that do not match (omit ``prefix`` for a file of
            the backbone alone), or ``dict(type='sod_plugins.BackboneWeights', checkpoint=...)``,
            which then rejects the file.

    Raises:
        ValueError: The stage to freeze does not exist.
    """

    net: Extractor

    def __init__(
        self, *args: Any, frozen_stages: int = -1, norm_eval: bool = False, **arguments: Any
    ) -> None:
        super().__init__(*args, **arguments)
        stages = self.net.stages
        if not -1 <= frozen_stages < len(stages):
            raise ValueError(
                f'frozen_stages must be from -1 to {len(stages) - 1}, got {frozen_stages}.'
            )
        self.frozen_stages = frozen_stages
        self.norm_eval = norm_eval
        stages[: frozen_stages + 1].requires_grad_(False)
        self.train()

    def train(self, mode: bool = True) -> BackboneAdapter:
        """Switch to training, except for what is frozen."""
        super().train(mode)
        self.net.stages[: self.frozen_stages + 1].eval()
        if self.norm_eval:
            for module in self.net.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()
        return self
