"""Train, prune and fine-tune a CSNet (Sec. 3.2, Alg. 1) in one run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

from mmengine.config import Config
from mmengine.hooks import EMAHook, Hook
from mmengine.runner import EpochBasedTrainLoop, Runner
from torch import nn

from sod_plugins._common.choices import require_choice
from sod_plugins._common.declarations import passes_on
from sod_plugins.analysis.complexity import count_parameters
from sod_plugins.networks import CSNet
from sod_plugins.networks.registry import network_of_parts
from sod_plugins.openmmlab.errors import LaunchError
from sod_plugins.openmmlab.hooks.dynamic_weight_decay_hook import DynamicWeightDecayHook
from sod_plugins.openmmlab.unwrapping import unwrapped
from sod_plugins.optim import remove_channels, select_channels
from sod_plugins.optim.channel_selection import check_selection, removed_channels
from sod_plugins.optim.pruning import drop_gradients, hand_over
from sod_plugins.registry import HOOKS

_KEY = 'pruned_model'
_PARTS = {'backbone': 'sod_plugins.CSNet', 'decode_head': 'sod_plugins.CSFHead'}
# The entries for a pruned model in a checkpoint.
_WIDTHS = {
    'backbone': {'block_widths'},
    'decode_head': {'in_channels', 'fuse_channels', 'dilated_channels', 'channels'},
}
Finetune = Literal['weights', 'statistics']
FINETUNE: tuple[Finetune, ...] = get_args(Finetune)


@HOOKS.register_module()
@passes_on(select_channels, without=('network',))
class PruningHook(Hook):
    """Removes channels of a CSNet at one point of training, and fine-tunes the smaller network.

    The model in the runner is replaced by the smaller one, dynamic weight decay ends, and the
    optimizer continues with the remaining weights and new moments; its schedule continues. The
    model before pruning is saved first, as ``before_pruning.pth`` in the work folder, so that other
    thresholds and rules can resume from there. Later checkpoints hold the new widths in their
    config. ``tools/train.py --resume``, ``tools/test.py`` and the ``sod`` command accept
    checkpoints from before and after pruning.

    In a config::

        custom_hooks = [
            dict(type='sod_plugins.DynamicWeightDecayHook'),
            dict(type='sod_plugins.PruningHook', begin=280, threshold=1e-20)]

    A run resumed after ``begin`` that has not been pruned is pruned at once.

    Args:
        begin: Epoch or iteration (from 0) before which channels are removed.
        by_epoch: Whether ``begin`` counts epochs; by default iterations.
        finetune: ``'weights'`` keeps training from the current running statistics. ``'statistics'``
            does what the released code does: weights stay fixed, and the running statistics are
            reset and estimated in training mode until the run ends.
        lr: Learning rate of all parameters from then on; by default that of the schedule.

    Raises:
        ValueError: An argument is invalid.
        LaunchError: The model is not a CSNet, the training ends before ``begin``, or a layer would
            lose all its channels.
    """

    # Dynamic decay is attached before this hook looks for it, and generators are seeded after it.
    priority = 'LOW'

    def __init__(
        self,
        begin: int,
        by_epoch: bool = False,
        *,
        finetune: Finetune = 'weights',
        lr: float | None = None,
        **selection: Any,
    ) -> None:
        check_selection(**selection)
        require_choice('finetune', finetune, FINETUNE)
        self.begin = begin
        self.by_epoch = by_epoch
        self.selection = selection
        self.finetune = finetune
        self.lr = lr
        self._widths: dict[str, Any] | None = None

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Record whether the run had been pruned."""
        self._widths = checked_widths(checkpoint[_KEY]) if _KEY in checkpoint else None

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Store what a resume must change in the config's model."""
        if self._widths is not None:
            checkpoint[_KEY] = self._widths

    def before_train(self, runner: Runner) -> None:
        """Check that the run can be pruned, or continue fine-tuning."""
        if any(isinstance(hook, EMAHook) for hook in runner.hooks):
            raise LaunchError('PruningHook cannot prune averaged weights: leave out the EMAHook.')
        loop = runner.train_loop
        if self.by_epoch and not isinstance(loop, EpochBasedTrainLoop):
            raise LaunchError('PruningHook has by_epoch=True, but the training runs by iterations.')
        end = loop.max_epochs if self.by_epoch else loop.max_iters
        if not 0 <= self.begin < end:
            raise LaunchError(
                f'PruningHook has begin={self.begin}, but the training ends at {end}: set a '
                'smaller one.'
            )
        _require_csnet(runner.model)
        if runner.iter == 0:
            self._widths = None  # initial weights, not a run to resume
        elif self._widths is not None:
            self._begin_finetuning(runner)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Prune at ``begin``."""
        now = runner.epoch if self.by_epoch else runner.iter
        if self._widths is None and now >= self.begin:
            self._prune(runner)

    def _prune(self, runner: Runner) -> None:
        meta = {'epoch': runner.epoch, 'iter': runner.iter}
        runner.save_checkpoint(runner.work_dir, 'before_pruning.pth', meta=meta)
        old = unwrapped(runner.model)
        network = _plain_network(old)
        try:
            masks = select_channels(network, **self.selection)
        except ValueError as error:
            raise LaunchError(
                f'PruningHook: {error} Resume from {runner.work_dir}/before_pruning.pth with '
                'another value.'
            ) from error
        pruned = remove_channels(network, masks, 'copy' if self.finetune == 'weights' else 'reset')
        self._widths = _widths_of_parts(pruned)
        _set_widths(runner.cfg.model, self._widths)
        _replace_model(runner, pruned)
        hand_over(
            runner.optim_wrapper.optimizer,
            dict(old.named_parameters()),
            dict(unwrapped(runner.model).named_parameters()),
        )
        if self.lr is not None:
            for group in runner.optim_wrapper.param_groups:
                group['lr'] = self.lr
        removed = removed_channels(masks)
        (runner.logger.info if removed else runner.logger.warning)(
            f'Pruned: {removed} channels removed, {count_parameters(network):,} parameters before, '
            f'{count_parameters(pruned):,} after.'
        )
        self._begin_finetuning(runner)

    def _begin_finetuning(self, runner: Runner) -> None:
        for hook in runner.hooks:
            if isinstance(hook, DynamicWeightDecayHook) and hook.rule is not None:
                hook.rule.detach()
        if self.finetune == 'statistics':
            runner.optim_wrapper.optimizer.register_step_pre_hook(drop_gradients)


def adopt_pruning(cfg: Config, checkpoint: Mapping[str, Any]) -> None:
    """Set the widths of a config's model to those of a checkpoint written after pruning.

    Raises:
        LaunchError: The entry does not hold widths.
    """
    types = {part: cfg.model.get(part, {}).get('type') for part in _PARTS}
    if _KEY in checkpoint and types == _PARTS:
        _set_widths(cfg.model, checked_widths(checkpoint[_KEY]))


def checked_widths(entry: Any) -> dict[str, Any]:
    """Return the widths in a checkpoint, after checking that they are numbers of channels.

    Raises:
        LaunchError: They are something else.
    """
    form: dict[str, Any] = (
        {part: entry.get(part) for part in _WIDTHS} if isinstance(entry, dict) else {}
    )
    if (
        not form
        or entry.keys() != _WIDTHS.keys()
        or any(not isinstance(form[p], dict) or form[p].keys() != k for p, k in _WIDTHS.items())
        or not all(_is_width(value) for part in form.values() for value in part.values())
    ):
        raise LaunchError(
            f'The entry {_KEY!r} of the checkpoint holds something other than numbers of channels: '
            'the file is damaged, or made to harm. Use another one.'
        )
    return form


def _is_width(value: Any, depth: int = 0) -> bool:
    if isinstance(value, list | tuple):
        return depth < 2 and len(value) < 1000 and all(_is_width(v, depth + 1) for v in value)
    return type(value) is int and 0 <= value < 1 << 16


def _set_widths(model: dict[str, Any], widths: Mapping[str, Any]) -> None:
    for part, arguments in widths.items():
        model[part].update(arguments)


def _widths_of_parts(network: CSNet) -> dict[str, Any]:
    """Return the channels of a CSNet as arguments of its registered parts."""
    backbone: Any = network.backbone
    head: Any = network.decode_head
    return {
        'backbone': {'block_widths': [list(widths) for widths in backbone.block_widths]},
        'decode_head': {
            'in_channels': list(backbone.out_channels),
            'fuse_channels': list(head.fuse_channels),
            'dilated_channels': [list(widths) for widths in head.dilated_channels],
            'channels': head.channels,
        },
    }


def _require_csnet(model: nn.Module) -> None:
    try:
        _plain_network(unwrapped(model))
    except (AttributeError, ValueError) as error:
        raise LaunchError(
            f'PruningHook needs a model of {" and ".join(_PARTS.values())} that make a CSNet: '
            f'{error}.'
        ) from error


def _plain_network(model: nn.Module) -> CSNet:
    """Return the plain network that consists of a segmentor's parts.

    Raises:
        AttributeError, ValueError: They do not form a CSNet.
    """
    others = [part for part in ('neck', 'auxiliary_head') if getattr(model, part, None) is not None]
    if others:
        raise ValueError(f'it has a {others[0]} too')
    parts = {part: getattr(model, part).net for part in _PARTS}
    cls, arguments = network_of_parts(parts)
    if cls is not CSNet:
        raise ValueError(f'its parts make a {cls.__name__}')
    network = CSNet(**arguments)
    network.backbone, network.decode_head = parts['backbone'], parts['decode_head']
    return network


def _replace_model(runner: Runner, network: CSNet) -> None:
    """Rebuild the model of the runner's config, with the weights of a plain network."""
    model = runner.build_model(runner.cfg.model)
    model.load_state_dict(network.state_dict())
    runner.model = runner.wrap_model(runner.cfg.get('model_wrapper_cfg'), model).train()
    runner._maybe_compile('train_step')
