"""Hooks for detectron2's trainers."""

from __future__ import annotations

from typing import Any

from detectron2.engine import HookBase
from detectron2.utils import comm

from sod_plugins._common.declarations import passes_on
from sod_plugins.detectron2.adapters import arguments
from sod_plugins.detectron2.loaders import ResumableSampler
from sod_plugins.detectron2.wrapping import unwrapped
from sod_plugins.optim import DynamicWeightDecay
from sod_plugins.optim.seeding import seed_generators


@passes_on(DynamicWeightDecay, without=('model',))
class DynamicWeightDecayHook(HookBase):
    """Attach :class:`DynamicWeightDecay` to the trainer's optimizer during training.

    In a config, ``SOD.DYNAMIC_WEIGHT_DECAY.enabled: True`` turns it on. The optimizer's parameter
    groups must be those of :func:`~sod_plugins.detectron2.optimizer_params`, which exclude the
    weights that are decayed here from standard decay; otherwise training stops before its first
    step. The rule keeps no state between steps, so a resume needs none.
    """

    def __init__(self, **given: Any) -> None:
        self.rule: DynamicWeightDecay | None = None
        self._arguments = arguments(given)

    def before_train(self) -> None:
        """Attach the rule."""
        self.rule = DynamicWeightDecay(unwrapped(self.trainer.model), **self._arguments)
        self.rule.attach(self.trainer.optimizer)

    def after_step(self) -> None:
        """Discard the measurements of a step, also if a gradient scaler skipped it."""
        if self.rule is not None:
            self.rule.reset()

    def after_train(self) -> None:
        """Detach the rule from the model and the optimizer."""
        self.detach()

    def detach(self) -> None:
        """End the decay before the training ends."""
        if self.rule is not None:
            self.rule.detach()
            self.rule = None


class ExactResumeHook(HookBase):
    """Make a resumed training continue exactly as if it had never been interrupted.

    The data must come from :func:`~sod_plugins.detectron2.build_train_loader`, whose samples are
    functions of (seed, draw): a resume continues with the next draw. The global generators are
    seeded before each step by (seed, iteration, process). This is exact if all operations are
    deterministic.

    Raises:
        ValueError: The data come from another loader, or a resumed training has another number of
            samples, batch size or number of processes.
    """

    def __init__(self) -> None:
        self._saved: dict[str, int] | None = None

    def state_dict(self) -> dict[str, int]:
        """Return the values on which the position in the data depends."""
        sampler = self._sampler
        return {
            'seed': sampler.seed,
            'samples': sampler.size,
            'batch_size': self._loader.batch_size,
            'processes': sampler.world_size,
        }

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Keep the values of the interrupted training."""
        self._saved = dict(state)

    def before_train(self) -> None:
        """Go to the next draw of an interrupted training."""
        sampler = self._sampler
        if self._saved is not None and self.trainer.start_iter > 0:
            sampler.seed = self._saved['seed']
            if self.state_dict() != self._saved:
                raise ValueError(
                    f'The interrupted training had {self._saved}, this one {self.state_dict()}. '
                    'Resume with the same values.'
                )
        sampler.skipped = self.trainer.start_iter * self._loader.batch_size
        # An iterator draws from the global generators when it is made: not within a seeded step.
        trainer: Any = self.trainer
        getattr(trainer, '_trainer', trainer)._data_loader_iter  # noqa: B018

    def before_step(self) -> None:
        """Seed the generators for this step."""
        seed_generators(self._sampler.seed, self.trainer.iter, comm.get_rank(), 'train')

    @property
    def _loader(self) -> Any:
        return self.trainer.data_loader

    @property
    def _sampler(self) -> ResumableSampler:
        sampler = getattr(getattr(self._loader, 'dataset', None), 'sampler', None)
        if not isinstance(sampler, ResumableSampler):
            raise ValueError(
                'ExactResumeHook needs a loader of sod_plugins.detectron2.build_train_loader: '
                'build it so, or leave the hook out (SOD.EXACT_RESUME: False).'
            )
        return sampler
