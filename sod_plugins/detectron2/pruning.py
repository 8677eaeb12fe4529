"""Train, prune and fine-tune a CSNet (Sec. 3.2, Alg. 1) in one training of detectron2."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Literal

from detectron2.engine import HookBase
from detectron2.engine.hooks import LRScheduler

from sod_plugins._common.choices import require_choice
from sod_plugins.analysis.complexity import count_parameters
from sod_plugins.checkpoints.description import Description
from sod_plugins.checkpoints.reading import DESCRIPTION
from sod_plugins.detectron2.checkpointer import WEIGHTS
from sod_plugins.detectron2.hooks import DynamicWeightDecayHook
from sod_plugins.detectron2.wrapping import unwrapped, wrap_model
from sod_plugins.networks import CSNet
from sod_plugins.networks.registry import network_of_parts
from sod_plugins.optim import remove_channels, select_channels
from sod_plugins.optim.channel_selection import Rule, check_selection, removed_channels
from sod_plugins.optim.pruning import drop_gradients, hand_over

FINETUNE = ('weights', 'statistics')


class PruningHook(HookBase):
    """Remove channels at one point of the training of a CSNet, and fine-tune the rest.

    The parts of the model are replaced by the smaller ones, dynamic weight decay ends, and the
    optimizer goes on with the weights that stay and fresh moments; its schedule continues. The
    model as it was is saved first, as ``before_pruning.pth``. Later checkpoints describe the
    smaller network, and a resume takes them, whichever side of the pruning they come from.

    In a config: ``SOD.PRUNING.enabled: True``, and the arguments beside it.

    Args:
        begin: Iteration (from 0) before which channels are removed.
        threshold: See :func:`sod_plugins.optim.select_channels`.
        ratio: See :func:`sod_plugins.optim.select_channels`.
        rule: See :func:`sod_plugins.optim.select_channels`.
        at_least: See :func:`sod_plugins.optim.select_channels`.
        finetune: ``'weights'`` trains on from the running statistics so far. ``'statistics'`` is
            what the released code does: weights stay, and the running statistics, begun again, are
            estimated in training mode until the training ends.
        lr: Learning rate of all parameters to continue with; by default the schedule's current one.

    Raises:
        ValueError: An argument is wrong, the model is no CSNet, the training ends before ``begin``,
            or a layer would lose all its channels.
    """

    def __init__(
        self,
        begin: int,
        threshold: float | None = None,
        ratio: float | None = None,
        rule: Rule = 'gamma',
        at_least: int = 0,
        finetune: Literal['weights', 'statistics'] = 'weights',
        lr: float | None = None,
    ) -> None:
        check_selection(threshold, ratio, rule, at_least)
        require_choice('finetune', finetune, FINETUNE)
        self.begin, self.finetune, self.lr = begin, finetune, lr
        self.selection: dict[str, Any] = {
            'threshold': threshold,
            'ratio': ratio,
            'rule': rule,
            'at_least': at_least,
        }
        self.pruned = False

    def state_dict(self) -> dict[str, bool]:
        """Note whether the training has been pruned."""
        return {'pruned': self.pruned}

    def load_state_dict(self, state: dict[str, bool]) -> None:
        """Restore whether the training has been pruned."""
        self.pruned = bool(state['pruned'])

    def before_train(self) -> None:
        """Check that the training can be pruned, or continue with the fine-tuning."""
        if not 0 <= self.begin < self.trainer.max_iter:
            raise ValueError(
                f'PruningHook has begin={self.begin}, but the training ends at '
                f'{self.trainer.max_iter}: set a smaller one.'
            )
        csnet_of(self.trainer.model)
        if self.pruned:
            self._begin_finetuning()

    def before_step(self) -> None:
        """Prune when it is time."""
        if not self.pruned and self.trainer.iter >= self.begin:
            self._prune()

    def _prune(self) -> None:
        self.trainer.checkpointer.save(name='before_pruning')
        network = csnet_of(self.trainer.model)
        masks = select_channels(network, **self.selection)
        pruned = remove_channels(network, masks, 'copy' if self.finetune == 'weights' else 'reset')
        replace_csnet(self.trainer, pruned)
        if self.lr is not None:
            self._set_rate(self.lr)
        self.pruned = True
        logging.getLogger(__name__).info(
            f'Pruned: {removed_channels(masks)} channels removed, {count_parameters(network):,} '
            f'parameters before, {count_parameters(pruned):,} after.'
        )
        self._begin_finetuning()

    def _set_rate(self, lr: float) -> None:
        """Let the schedule continue from a learning rate."""
        for hook in self.trainer._hooks:
            if isinstance(hook, LRScheduler):
                groups = self.trainer.optimizer.param_groups
                hook.scheduler.base_lrs = [
                    base * lr / group['lr']
                    for base, group in zip(hook.scheduler.base_lrs, groups, strict=True)
                ]
        for group in self.trainer.optimizer.param_groups:
            group['lr'] = lr

    def _begin_finetuning(self) -> None:
        for hook in self.trainer._hooks:
            if isinstance(hook, DynamicWeightDecayHook):
                hook.detach()
        if self.finetune == 'statistics':
            self.trainer.optimizer.register_step_pre_hook(drop_gradients)


def csnet_of(model: Any) -> CSNet:
    """Assemble the CSNet that the parts of a model form.

    Raises:
        ValueError: They form none.
    """
    model = unwrapped(model)
    try:
        parts = {'backbone': model.backbone.net, 'decode_head': model.sem_seg_head.net}
        cls, arguments = network_of_parts(parts)
        if cls is not CSNet:
            raise ValueError(f'its parts make a {cls.__name__}')
    except (AttributeError, ValueError) as error:
        raise ValueError(
            f'PruningHook needs a SaliencySegmentor of CSNet and CSFHead: {error}.'
        ) from error
    network = CSNet(**arguments)
    network.backbone, network.decode_head = parts['backbone'], parts['decode_head']
    return network


def replace_csnet(trainer: Any, network: CSNet) -> None:
    """Replace the parts of a trainer's model by another CSNet's, and its optimizer's parameters."""
    model = unwrapped(trainer.model)
    before = {name: parameter for name, parameter in model.named_parameters()}
    training = model.training
    model.backbone.net = network.backbone.to(model.device)
    model.backbone.describe_features()
    model.sem_seg_head.net = network.decode_head.to(model.device)
    model.train(training)
    hand_over(trainer.optimizer, before, dict(model.named_parameters()))
    trainer._trainer.model = wrap_model(model)


def adopt_pruning(trainer: Any, checkpoint: Mapping[str, Any]) -> None:
    """Prune a trainer's model to the widths of a checkpoint that was written after pruning.

    Raises:
        ValueError: The description in the checkpoint is damaged.
    """
    state = checkpoint.get('trainer')
    hooks = state.get('hooks', {}) if isinstance(state, Mapping) else {}
    if not hooks.get(PruningHook.__qualname__, {}).get('pruned'):
        return
    description = Description.from_dict(checkpoint.get(DESCRIPTION))
    network = description.build(checkpoint[WEIGHTS])
    if not isinstance(network, CSNet):
        raise ValueError(f'The checkpoint was pruned, but holds a {description.network}.')
    replace_csnet(trainer, network)
