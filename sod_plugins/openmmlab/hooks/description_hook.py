"""Checkpoints that describe their network."""

from __future__ import annotations

from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from sod_plugins.checkpoints.reading import DESCRIPTION
from sod_plugins.openmmlab.description import describe_model
from sod_plugins.registry import HOOKS


@HOOKS.register_module()
class DescriptionHook(Hook):
    """Writes the description of the network into every checkpoint.

    :func:`~sod_plugins.networks.load_network` and the ``sod`` command build the network from it. It
    is derived from the live modules, even if training has changed them. A model that is not a
    complete network of this package gets none, and the log gives the reason.

    In a config: ``default_hooks = dict(description=dict(type='sod_plugins.DescriptionHook'))``.
    ``tools/train.py`` adds it if a config does not.
    """

    def before_train(self, runner: Runner) -> None:
        """Log why checkpoints will have no description."""
        try:
            describe_model(runner.model, runner.cfg)
        except (KeyError, TypeError, ValueError) as error:
            runner.logger.info(f'Checkpoints will not describe their network: {error}.')

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Add the description of the network."""
        try:
            description = describe_model(runner.model, runner.cfg)
        except (KeyError, TypeError, ValueError):
            checkpoint.pop(DESCRIPTION, None)
        else:
            checkpoint[DESCRIPTION] = description.to_dict()
