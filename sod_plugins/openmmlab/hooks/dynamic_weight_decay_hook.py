"""Dynamic weight decay (CSNet, Sec. 3.2) in a config."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.registry import FUNCTIONS
from mmengine.runner import Runner

from sod_plugins.optim import DynamicWeightDecay, Metric, global_average
from sod_plugins.registry import HOOKS


@HOOKS.register_module()
class DynamicWeightDecayHook(Hook):
    """Attach :class:`DynamicWeightDecay` to the runner's optimizer for the time of training.

    Two lines of a config turn it on::

        optim_wrapper = dict(
            constructor='sod_plugins.DynamicWeightDecayConstructor',
            optimizer=dict(type='Adam', lr=1e-4, weight_decay=5e-3))
        custom_hooks = [dict(type='sod_plugins.DynamicWeightDecayHook')]

    The constructor takes the standard decay off the weights that the hook decays; where the two
    disagree, training stops before its first step. The rule keeps nothing between steps, so there
    is nothing to store for a resume.

    Args:
        layers: Names of normalisation layers in the model, wildcards allowed; by default those of
            all ILBlocks. The constructor needs the same in ``paramwise_cfg``.
        weight: Weight lambda_d of the decay.
        metric: Function from features (N, C, H, W) to (N, C), or its name in mmengine's
            ``FUNCTIONS`` registry or its dotted path.
        mode: ``'gradient'`` (as released) or ``'decoupled'``.
        signed: Use the signed average of Eq. 4, not its absolute value.
        fusion: Decay the fusion part's gOctConvs too; needed in the constructor as well.
        activation: Applied to the output of layers named in ``layers``; given like ``metric``.
    """

    def __init__(
        self,
        layers: Sequence[str] | None = None,
        weight: float = 3.0,
        metric: Metric | str = global_average,
        mode: str = 'gradient',
        signed: bool = False,
        fusion: bool = False,
        activation: Metric | str | None = None,
    ) -> None:
        self.rule: DynamicWeightDecay | None = None
        self._arguments: dict[str, Any] = {
            'layers': layers,
            'weight': weight,
            'metric': _function(metric),
            'mode': mode,
            'signed': signed,
            'fusion': fusion,
            'activation': _function(activation),
        }

    def before_train(self, runner: Runner) -> None:
        """Attach the rule; a model that is compiled is traced later, with the rule in it."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        self.rule = DynamicWeightDecay(model, **self._arguments)
        self.rule.attach(runner.optim_wrapper.optimizer)

    def after_train_iter(self, runner: Runner, batch_idx: int, *_: Any, **__: Any) -> None:
        """Forget a step's measurements, also where a gradient scaler skipped the step."""
        if runner.optim_wrapper.should_update():
            self.rule.reset()

    def after_train(self, runner: Runner) -> None:
        """Leave the model and the optimizer as they were."""
        self.rule.detach()


def _function(value: Metric | str | None) -> Metric | None:
    if not isinstance(value, str):
        return value
    function = FUNCTIONS.get(value)
    if function is None:
        raise ValueError(f'DynamicWeightDecayHook: there is no function {value!r}.')
    return function
