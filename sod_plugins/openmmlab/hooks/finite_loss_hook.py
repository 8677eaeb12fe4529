"""Stop a training that diverges."""

from __future__ import annotations

from typing import Any

from mmengine.hooks import CheckpointHook, Hook
from mmengine.runner import Runner
from torch import Tensor

from sod_plugins.optim.divergence import check_losses, check_weights
from sod_plugins.registry import HOOKS


@HOOKS.register_module()
class FiniteLossHook(Hook):
    """Stops training at once when a loss is NaN or infinite, without saving anything afterwards.

    The error names the files of the batch. Weights that become non-finite before a loss shows it
    are detected before a checkpoint would be written, so the last checkpoint is good.

    In a config: ``default_hooks = dict(finite_loss=dict(type='sod_plugins.FiniteLossHook'))``.
    ``tools/train.py`` adds it if a config does not.

    Raises:
        DivergenceError: The training diverged.
    """

    priority = 'VERY_HIGH'  # before the hook that writes checkpoints

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Check the losses and, if a checkpoint is due, the weights."""
        losses = {k: v for k, v in (outputs or {}).items() if isinstance(v, Tensor)}
        when = f'iteration {runner.iter + 1}'
        check_losses(losses, _files(data_batch), when)
        if any(self._saves(runner, hook) for hook in runner.hooks):
            check_weights(runner.model, when)

    def after_train_epoch(self, runner: Runner) -> None:
        """Check the weights, because checkpoints are written after epochs too."""
        check_weights(runner.model, f'epoch {runner.epoch + 1}')

    def _saves(self, runner: Runner, hook: Hook) -> bool:
        """Return whether a hook writes a checkpoint, and removes an older one, at this point."""
        return (
            isinstance(hook, CheckpointHook)
            and not hook.by_epoch
            and (self.every_n_train_iters(runner, hook.interval) or self.is_last_train_iter(runner))
        )


def _files(data_batch: Any) -> list[str]:
    """Return the image files of a batch."""
    samples = data_batch.get('data_samples', ()) if isinstance(data_batch, dict) else ()
    paths = (getattr(sample, 'img_path', None) for sample in samples)
    return [str(path) for path in paths if path is not None]
