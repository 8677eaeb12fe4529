"""Parameter groups for dynamic weight decay in a config."""

from __future__ import annotations

from typing import Any

from mmengine.optim import DefaultOptimWrapperConstructor, OptimWrapper
from torch import nn

from sod_plugins.openmmlab.unwrapping import unwrapped
from sod_plugins.optim import DynamicWeightDecay
from sod_plugins.registry import OPTIM_WRAPPER_CONSTRUCTORS


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class DynamicWeightDecayConstructor(DefaultOptimWrapperConstructor):
    """mmengine's default constructor, without standard decay for dynamically decayed weights.

    The groups are created here and not by the hook, so that they exist when a resume loads the
    optimizer's state.

    Args:
        optim_wrapper_cfg: The optimizer and its wrapper, as for ``DefaultOptimWrapperConstructor``.
        paramwise_cfg: Factors on groups of parameters, as there. The entry ``dynamic_weight_decay``
            holds the hook's arguments ``layers`` and ``fusion``, if they are not the defaults.
    """

    def __init__(
        self, optim_wrapper_cfg: dict[str, Any], paramwise_cfg: dict[str, Any] | None = None
    ) -> None:
        paramwise_cfg = dict(paramwise_cfg or {})
        self.selection = paramwise_cfg.pop('dynamic_weight_decay', {})
        super().__init__(optim_wrapper_cfg, paramwise_cfg)

    def __call__(self, model: nn.Module) -> OptimWrapper:
        """Build the optimizer wrapper, then move the decayed weights to separate groups."""
        model = unwrapped(model)
        optim_wrapper = super().__call__(model)
        optimizer = optim_wrapper.optimizer
        owned = {id(p) for p in DynamicWeightDecay(model, **self.selection).gammas.values()}
        for group in list(optimizer.param_groups):
            decayed = [p for p in group['params'] if id(p) in owned]
            if decayed:
                group['params'] = [p for p in group['params'] if id(p) not in owned]
                optimizer.add_param_group({**group, 'params': decayed, 'weight_decay': 0.0})
        optimizer.param_groups = [group for group in optimizer.param_groups if group['params']]
        return optim_wrapper
