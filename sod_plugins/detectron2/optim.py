"""Optimizers with parameter groups for dynamic weight decay."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from detectron2.solver.build import get_default_optimizer_params, maybe_add_gradient_clipping
from torch import nn

from sod_plugins.detectron2.adapters import arguments
from sod_plugins.optim import DynamicWeightDecay

SELECTION = ('layers', 'fusion')  # what decides which weights are decayed


def optimizer_params(
    model: nn.Module, *, dynamic_weight_decay: Mapping[str, Any] | None = None, **defaults: Any
) -> list[dict[str, Any]]:
    """Return detectron2's parameter groups, without decay on the dynamically decayed weights.

    Args:
        model: The model.
        dynamic_weight_decay: Arguments of :class:`DynamicWeightDecayHook`, of which ``layers`` and
            ``fusion`` count here; None where there is no such hook.
        **defaults: Arguments of ``detectron2.solver.get_default_optimizer_params``.
    """
    overrides = dict(defaults.pop('overrides', None) or {})
    groups: list[dict[str, Any]] = get_default_optimizer_params(
        model, overrides=overrides, **defaults
    )
    if dynamic_weight_decay is None:
        return groups
    given = {k: v for k, v in arguments(dynamic_weight_decay).items() if k in SELECTION}
    owned = {id(gamma) for gamma in DynamicWeightDecay(model, **given).gammas.values()}
    split = []
    for group in groups:
        for decayed in (False, True):
            chosen = [p for p in group['params'] if (id(p) in owned) == decayed]
            if chosen:
                change = {'weight_decay': 0.0} if decayed else {}
                split.append({**group, 'params': chosen, **change})
    return split


def build_optimizer(cfg: Any, model: nn.Module) -> torch.optim.Optimizer:
    """Build the optimizer of a config, as detectron2's function of this name does.

    Its class is ``SOD.OPTIMIZER`` of ``torch.optim``; rates, decay and clipping are ``SOLVER``'s.

    Raises:
        ValueError: torch has no such optimizer.
    """
    name, solver = cfg.SOD.OPTIMIZER, cfg.SOLVER
    cls = getattr(torch.optim, name, None)
    if not (isinstance(cls, type) and issubclass(cls, torch.optim.Optimizer)):
        raise ValueError(f'torch.optim has no optimizer {name!r}: correct SOD.OPTIMIZER.')
    decay = cfg.SOD.DYNAMIC_WEIGHT_DECAY
    params = optimizer_params(
        model,
        base_lr=solver.BASE_LR,
        weight_decay=solver.WEIGHT_DECAY,
        weight_decay_norm=solver.WEIGHT_DECAY_NORM,
        bias_lr_factor=solver.BIAS_LR_FACTOR,
        weight_decay_bias=solver.WEIGHT_DECAY_BIAS,
        dynamic_weight_decay=decay if decay.enabled else None,
    )
    momentum = {'momentum': solver.MOMENTUM, 'nesterov': solver.NESTEROV} if name == 'SGD' else {}
    optimizer: torch.optim.Optimizer = maybe_add_gradient_clipping(cfg, cls)(
        params, lr=solver.BASE_LR, weight_decay=solver.WEIGHT_DECAY, **momentum
    )
    return optimizer
