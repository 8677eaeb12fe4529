"""Checkpoints that say which network they hold."""

from __future__ import annotations

from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from sod_plugins.checkpoints.reading import DESCRIPTION
from sod_plugins.openmmlab.description import describe_model
from sod_plugins.registry import HOOKS


@HOOKS.register_module()
class DescriptionHook(Hook):
    """Write the network's description into every checkpoint, beside its weights.

    :func:`~sod_plugins.networks.load_network` and the ``sod`` command build the network by it. It
    is made of the live modules, whatever they have become in training. A model that is no whole
    network of this package gets none, and the log says why.

    In a config: ``default_hooks = dict(description=dict(type='sod_plugins.DescriptionHook'))``.
    ``tools/train.py`` adds it where a config does not.
    """

    def before_train(self, runner: Runner) -> None:
        """Say why checkpoints will have no description."""
        try:
            describe_model(runner.model, runner.cfg)
        except (KeyError, TypeError, ValueError) as error:
            runner.logger.info(f'Checkpoints will not describe their network: {error}.')

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Describe the network."""
        try:
            description = describe_model(runner.model, runner.cfg)
        except (KeyError, TypeError, ValueError):
            checkpoint.pop(DESCRIPTION, None)
        else:
            checkpoint[DESCRIPTION] = description.to_dict()
