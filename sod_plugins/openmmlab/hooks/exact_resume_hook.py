"""Resumes that end with the same weights as an uninterrupted run."""

from __future__ import annotations

from typing import Any

from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop, Runner
from torch.utils.data import BatchSampler, DataLoader

from sod_plugins.openmmlab.datasets.samplers import ResumableSampler
from sod_plugins.openmmlab.errors import LaunchError
from sod_plugins.optim.seeding import Phase, seed_generators
from sod_plugins.registry import HOOKS

_KEY = 'exact_resume'
_NOTED = {'seed', 'samples', 'batch_size', 'processes'}


@HOOKS.register_module()
class ExactResumeHook(Hook):
    """Makes a resumed run continue exactly as if it had never been interrupted.

    mmengine's checkpoints hold neither the states of the random generators nor the position
    within an epoch. This hook does not need to save states, because it makes them functions of
    (seed, iteration, process): it seeds the global generators of torch, NumPy and Python before
    each batch is loaded and again before each training step. Whatever happens in between, such as a
    validation or a crash, every iteration starts with the same generator states. A checkpoint from
    the middle of an epoch continues with the next batch of that epoch, by the ``skip`` of
    ``sod_plugins.ResumableSampler``; batch and epoch numbers are those of the whole run.

    It works with both loops of mmengine and with any model and data set. Resumes are exact if
    transforms draw from ``results['rng']`` (as those of this package do), operations are
    deterministic, and checkpoints are written between complete steps: with gradient accumulation,
    at multiples of ``accumulative_counts``.

    In a config: ``custom_hooks = [dict(type='sod_plugins.ExactResumeHook')]``.

    An iteration-based run that is resumed with another number of samples, batch size or number of
    processes continues with a warning.

    Raises:
        LaunchError: An epoch-based run is resumed from the middle of an epoch with another sampler,
            number of samples, batch size or number of processes; or the sampler does not match the
            loop.
    """

    # After the hooks that set the epoch of the sampler.
    priority = 'LOWEST'

    def __init__(self) -> None:
        self._saved: dict[str, Any] | None = None

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Restore the record of the interrupted run."""
        saved = checkpoint.get(_KEY)
        if saved is not None and not (
            isinstance(saved, dict)
            and saved.keys() == _NOTED
            and all(n is None or isinstance(n, int) for n in saved.values())
        ):
            raise LaunchError(f'The entry {_KEY!r} of the checkpoint is damaged. Use another one.')
        self._saved = saved

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Record what the position in the data depends on."""
        checkpoint[_KEY] = _describe(runner.train_loop.dataloader)

    def before_train(self, runner: Runner) -> None:
        """Check that loop and sampler match, and restore the seed of the interrupted run."""
        loop = runner.train_loop
        sampler = loop.dataloader.sampler
        if isinstance(sampler, ResumableSampler):
            _check_infinite(sampler, loop)
        if loop.iter == 0 or self._saved is None or not isinstance(sampler, ResumableSampler):
            return
        if sampler.seed != self._saved['seed']:
            sampler.seed = self._saved['seed']
            if isinstance(loop, IterBasedTrainLoop):
                # Workers of the current iterator may have started to load with the other seed.
                loop.dataloader_iterator = type(loop.dataloader_iterator)(loop.dataloader)
        if sampler.infinite and _describe(loop.dataloader) != self._saved:
            runner.logger.warning(
                f'The interrupted run had {self._saved}, this one {_describe(loop.dataloader)}: '
                'its samples will not be those of an uninterrupted run.'
            )

    def before_train_epoch(self, runner: Runner) -> None:
        """Seed the generators, and skip to the next batch of an interrupted epoch."""
        loop = runner.train_loop
        if isinstance(loop, EpochBasedTrainLoop):
            done = loop.iter - loop.epoch * len(loop.dataloader)
            if done != 0:
                self._check_position(loop.dataloader, done)
                loop.dataloader.sampler.skip(done * loop.dataloader.batch_size)
                _number_batches_from(loop, done)
        # The iteration loop skips on its own, also through `ResumableSampler.skip`.
        _seed_generators(runner, loop.iter, 'load')

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Seed the generators for this iteration's training step."""
        _seed_generators(runner, runner.iter, 'train')

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Seed the generators for loading the next batch."""
        _seed_generators(runner, runner.iter + 1, 'load')

    def after_train_epoch(self, runner: Runner) -> None:
        """Number the batches of the next epoch from its start."""
        vars(runner.train_loop).pop('run_iter', None)

    def _check_position(self, dataloader: DataLoader[Any], done: int) -> None:
        """Reject an interrupted epoch whose next batch cannot be determined."""
        sampler, batches = dataloader.sampler, dataloader.batch_sampler
        if not isinstance(sampler, ResumableSampler) or type(batches) is not BatchSampler:
            raise LaunchError(
                'The checkpoint was written within an epoch: to continue there, the training data '
                "needs sampler=dict(type='sod_plugins.ResumableSampler') and no other batch "
                f'sampler, but has {type(sampler).__name__} and {type(batches).__name__}. '
                'Resume from a checkpoint written at the end of an epoch.'
            )
        now = _describe(dataloader)
        if self._saved not in (None, now) or not 0 <= done <= len(dataloader):
            raise LaunchError(
                f'The checkpoint was written within an epoch of a run with {self._saved}, but this '
                f'run has {now}. Resume with the same values, or from the end of an epoch.'
            )


def _check_infinite(sampler: ResumableSampler, loop: Any) -> None:
    """Reject an epoch that would never end, and an iteration loop that would restart its data."""
    for kind, infinite in ((EpochBasedTrainLoop, False), (IterBasedTrainLoop, True)):
        if isinstance(loop, kind) and sampler.infinite != infinite:
            raise LaunchError(
                f'{type(loop).__name__} needs train_dataloader.sampler.infinite={infinite}.'
            )


def _describe(dataloader: DataLoader[Any]) -> dict[str, Any]:
    """Return everything that the order of the data depends on."""
    sampler: Any = dataloader.sampler
    dataset: Any = dataloader.dataset
    return {
        'seed': getattr(sampler, 'seed', None),
        'samples': len(dataset),
        'batch_size': dataloader.batch_size,
        'processes': getattr(sampler, 'world_size', 1),
    }


def _number_batches_from(loop: EpochBasedTrainLoop, done: int) -> None:
    """Make the loop count the batches of this epoch from ``done``, for logs and hooks."""
    run_iter = loop.run_iter
    loop.run_iter = lambda idx, data_batch: run_iter(idx + done, data_batch)


def _seed_generators(runner: Runner, iteration: int, phase: Phase) -> None:
    seed_generators(runner.seed, iteration, get_rank(), phase)
