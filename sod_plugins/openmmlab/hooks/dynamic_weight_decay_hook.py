"""Dynamic weight decay (CSNet, Sec. 3.2) in a config."""

from __future__ import annotations

from typing import Any

from mmengine.hooks import Hook
from mmengine.registry import FUNCTIONS
from mmengine.runner import Runner

from sod_plugins._common.declarations import passes_on
from sod_plugins.openmmlab.unwrapping import unwrapped
from sod_plugins.optim import DynamicWeightDecay, Metric, global_average
from sod_plugins.registry import HOOKS


@HOOKS.register_module()
@passes_on(DynamicWeightDecay, without=('model',))
class DynamicWeightDecayHook(Hook):
    """Attaches :class:`DynamicWeightDecay` to the runner's optimizer during training.

    Two lines of a config enable it::

        optim_wrapper = dict(
            constructor='sod_plugins.DynamicWeightDecayConstructor',
            optimizer=dict(type='Adam', lr=1e-4, weight_decay=5e-3))
        custom_hooks = [dict(type='sod_plugins.DynamicWeightDecayHook')]

    The constructor removes standard decay from the weights that the hook decays; if the two
    disagree, training stops before its first step. The rule keeps no state between steps, so
    nothing must be stored for a resume.

    If ``layers`` or ``fusion`` is given here, the constructor needs the same in
    ``paramwise_cfg=dict(dynamic_weight_decay=dict(...))``.

    Args:
        metric: Function from detached features (N, C, H, W) to (N, C), or its name in mmengine's
            ``FUNCTIONS`` registry or its dotted path.
        activation: Applied to the output of a layer named in ``layers``; a function, or its name or
            dotted path.
    """

    def __init__(
        self,
        *,
        metric: Metric | str = global_average,
        activation: Metric | str | None = None,
        **arguments: Any,
    ) -> None:
        self.rule: DynamicWeightDecay | None = None
        self._arguments = {
            **arguments,
            'metric': _function(metric),
            'activation': _function(activation),
        }

    def before_train(self, runner: Runner) -> None:
        """Attach the rule; a compiled model is traced later, including the rule."""
        self.rule = DynamicWeightDecay(unwrapped(runner.model), **self._arguments)
        self.rule.attach(runner.optim_wrapper.optimizer)

    def after_train_iter(self, runner: Runner, batch_idx: int, *_: Any, **__: Any) -> None:
        """Discard the measurements of a step, even if a gradient scaler skipped the step."""
        if self.rule is not None and runner.optim_wrapper.should_update():
            self.rule.reset()

    def after_train(self, runner: Runner) -> None:
        """Detach the rule from the model and the optimizer."""
        if self.rule is not None:
            self.rule.detach()


def _function(value: Metric | str | None) -> Metric | None:
    if not isinstance(value, str):
        return value
    function = FUNCTIONS.get(value)
    if function is None:
        raise ValueError(f'DynamicWeightDecayHook: there is no function {value!r}.')
    return function
