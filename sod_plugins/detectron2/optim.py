"""Optimizers with parameter groups for dynamic weight decay, and SAMNet's schedule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from detectron2.solver.build import get_default_optimizer_params, maybe_add_gradient_clipping
from fvcore.common.param_scheduler import ParamScheduler
from torch import nn

from sod_plugins.detectron2.adapters import arguments
from sod_plugins.optim import DynamicWeightDecay
from sod_plugins.optim.schedules import check_interval, step_poly_factor

SELECTION = ('layers', 'fusion')  # what decides which weights are decayed


def optimizer_params(
    model: nn.Module,
    *,
    backbone_lr_factor: float = 1.0,
    dynamic_weight_decay: Mapping[str, Any] | None = None,
    **defaults: Any,
) -> list[dict[str, Any]]:
    """Return detectron2's parameter groups, without decay on the dynamically decayed weights.

    Args:
        model: The model.
        backbone_lr_factor: Factor on ``base_lr`` for the parameters of ``model.backbone``.
        dynamic_weight_decay: Arguments of :class:`DynamicWeightDecayHook`, of which ``layers`` and
            ``fusion`` count here; None without such a hook.
        **defaults: Arguments of ``detectron2.solver.get_default_optimizer_params``.
    """
    if backbone_lr_factor != 1.0:
        defaults['lr_factor_func'] = lambda name: (
            backbone_lr_factor if name.startswith('backbone.') else 1.0
        )
    groups: list[dict[str, Any]] = get_default_optimizer_params(model, **defaults)
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
    """Build the optimizer of a config, like detectron2's function of this name.

    Its class and arguments are ``SOD.OPTIMIZER``; rates, decay and clipping are ``SOLVER``'s.

    Raises:
        ValueError: torch has no such optimizer, or it does not take the arguments.
    """
    solver, given = cfg.SOLVER, arguments(cfg.SOD.OPTIMIZER)
    name = str(given.pop('type'))
    cls = getattr(torch.optim, name, None)
    if not (isinstance(cls, type) and issubclass(cls, torch.optim.Optimizer)):
        raise ValueError(f'torch.optim has no optimizer {name!r}: correct SOD.OPTIMIZER.type.')
    decay = cfg.SOD.DYNAMIC_WEIGHT_DECAY
    params = optimizer_params(
        model,
        base_lr=solver.BASE_LR,
        weight_decay=solver.WEIGHT_DECAY,
        weight_decay_norm=solver.WEIGHT_DECAY_NORM,
        bias_lr_factor=solver.BIAS_LR_FACTOR,
        weight_decay_bias=solver.WEIGHT_DECAY_BIAS,
        backbone_lr_factor=cfg.SOD.BACKBONE_LR_FACTOR,
        dynamic_weight_decay=decay if decay.enabled else None,
    )
    if cls is torch.optim.SGD:
        given = {'momentum': solver.MOMENTUM, 'nesterov': solver.NESTEROV, **given}
    given = {'lr': solver.BASE_LR, 'weight_decay': solver.WEIGHT_DECAY, **given}
    try:
        optimizer: torch.optim.Optimizer = maybe_add_gradient_clipping(cfg, cls)(params, **given)
    except TypeError as error:
        raise ValueError(f'torch.optim.{name} does not take SOD.OPTIMIZER: {error}.') from error
    return optimizer


class StepPolyParamScheduler(ParamScheduler):
    """SAMNet's poly schedule, see :func:`sod_plugins.optim.schedules.step_poly_factor`.

    In a LazyConfig: ``lr_multiplier = L(StepPolyParamScheduler)(epochs=50)``.

    Args:
        epochs: Number of epochs in the whole training.
        interval: Number of epochs per step.
        power: The exponent.

    Raises:
        ValueError: ``interval`` does not divide ``epochs``.
    """

    def __init__(self, epochs: int, interval: int = 1, power: float = 0.9) -> None:
        check_interval(interval, epochs)
        self.epochs, self.interval, self.power = epochs, interval, power

    def __call__(self, where: float) -> float:
        """Return the factor after a share of the training, from 0 to 1."""
        epoch = min(int(where * self.epochs), self.epochs - 1)
        return step_poly_factor(epoch, self.interval, self.epochs, self.power)
