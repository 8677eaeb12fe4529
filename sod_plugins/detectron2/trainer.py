"""detectron2's trainer with this package's data, evaluators, hooks and checkpoints."""

from __future__ import annotations

import inspect
import logging
import weakref
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from detectron2.config import instantiate
from detectron2.data import MetadataCatalog
from detectron2.engine import (
    AMPTrainer,
    DefaultTrainer,
    HookBase,
    SimpleTrainer,
    TrainerBase,
    default_writers,
    hooks,
)
from detectron2.evaluation import DatasetEvaluator, inference_on_dataset, print_csv_format
from detectron2.utils import comm
from detectron2.utils.logger import setup_logger
from torch.utils.data import DataLoader

from sod_plugins.checkpoints.reading import read_checkpoint
from sod_plugins.detectron2.adapters import arguments
from sod_plugins.detectron2.checkpointer import FOREIGN, Checkpointer
from sod_plugins.detectron2.datasets import register_configured
from sod_plugins.detectron2.evaluators import SaliencyEvaluator, SalientInstanceEvaluator
from sod_plugins.detectron2.hooks import DynamicWeightDecayHook, ExactResumeHook
from sod_plugins.detectron2.loaders import build_test_loader, build_train_loader
from sod_plugins.detectron2.mappers import InstanceMapper, SaliencyMapper
from sod_plugins.detectron2.optim import build_optimizer
from sod_plugins.detectron2.pruning import PruningHook, adopt_pruning
from sod_plugins.detectron2.wrapping import DDP, wrap_model

# The kinds of data sets, by their metadata -> mapper and evaluator.
KINDS: dict[str, tuple[Any, Any]] = {
    'saliency': (SaliencyMapper, SaliencyEvaluator),
    'salient_instances': (InstanceMapper, SalientInstanceEvaluator),
}


class Trainer(DefaultTrainer):
    """``DefaultTrainer`` for the data sets, hooks and checkpoints of this package.

    Data sets are those of ``SOD.DATASETS``, which are registered here, and of
    :func:`~sod_plugins.detectron2.register_saliency_dataset` and
    :func:`~sod_plugins.detectron2.register_salient_instances`.
    """

    def __init__(self, cfg: Any) -> None:
        # As the base class does, which wraps models for GPUs alone and has its own checkpointer.
        TrainerBase.__init__(self)
        register_configured(cfg.SOD.DATASETS)
        if not logging.getLogger('detectron2').isEnabledFor(logging.INFO):
            setup_logger()
        cfg = DefaultTrainer.auto_scale_workers(cfg, comm.get_world_size())
        model = with_format(self.build_model(cfg), cfg.SOD.CHANNELS_LAST)
        optimizer = self.build_optimizer(cfg, model)
        self._assemble(model, optimizer, self.build_train_loader(cfg), cfg.SOLVER.AMP.ENABLED)
        self.scheduler = self.build_lr_scheduler(cfg, optimizer)
        self._begin(cfg, cfg.OUTPUT_DIR, cfg.SOLVER.MAX_ITER)

    def _assemble(
        self, model: Any, optimizer: Any, loader: Any, amp: bool, ddp: Mapping[str, Any] = DDP
    ) -> None:
        """Put the parts of a step together.

        Raises:
            ValueError: Mixed precision is requested on a CPU.
        """
        if amp and not next(model.parameters()).is_cuda:
            raise ValueError(
                'Mixed precision (--amp, SOLVER.AMP.ENABLED, train.amp.enabled) needs a GPU in '
                'detectron2: leave it out.'
            )
        trainer = AMPTrainer if amp else SimpleTrainer
        self._trainer = trainer(wrap_model(model, **ddp), loader, optimizer)

    def _begin(self, cfg: Any, output_dir: str, max_iter: int) -> None:
        """Add the checkpointer and the hooks."""
        self.checkpointer = Checkpointer(
            self._trainer.model, output_dir, trainer=weakref.proxy(self)
        )
        self.cfg, self.start_iter, self.max_iter = cfg, 0, max_iter
        self.register_hooks(self.build_hooks())

    def resume_or_load(self, resume: bool = True) -> None:
        """Resume from the last checkpoint in the folder, or start from ``MODEL.WEIGHTS``.

        Raises:
            ValueError: The checkpoint does not fit the model.
        """
        if resume and self.checkpointer.has_checkpoint():
            path = self.checkpointer.get_checkpoint_file()
            if not path.endswith(FOREIGN):
                adopt_pruning(self, read_checkpoint(Path(path)))
        super().resume_or_load(resume)

    def build_hooks(self) -> list[HookBase | None]:
        """Add this package's hooks to detectron2's: before what writes checkpoints."""
        own = self.own_hooks()
        built = list(super().build_hooks())
        return [*own, *built]

    def own_hooks(self) -> list[HookBase]:
        """Build the hooks that the config asks for."""
        sod = self.cfg.SOD
        chosen: list[HookBase] = []
        for hook, node in (
            (DynamicWeightDecayHook, sod.DYNAMIC_WEIGHT_DECAY),
            (PruningHook, sod.PRUNING),
        ):
            given = {name: value for name, value in arguments(node).items() if name != 'enabled'}
            if node.enabled:
                chosen.append(hook(**given))
            else:  # a misspelt switch looks like an argument
                inspect.signature(hook).bind_partial(**given)
        if sod.EXACT_RESUME:
            chosen.append(ExactResumeHook())
        return chosen

    @classmethod
    def build_optimizer(cls, cfg: Any, model: Any) -> torch.optim.Optimizer:
        """Build the optimizer that ``SOD.OPTIMIZER`` names."""
        return build_optimizer(cfg, model)

    @classmethod
    def build_train_loader(cls, cfg: Any) -> DataLoader[Any]:
        """Build the loader of ``DATASETS.TRAIN``."""
        mapper, _ = kind_of(cfg.DATASETS.TRAIN[0])
        return build_train_loader(
            cfg.DATASETS.TRAIN,
            mapper(cfg, is_train=True),
            total_batch_size=cfg.SOLVER.IMS_PER_BATCH,
            num_workers=cfg.DATALOADER.NUM_WORKERS,
            seed=cfg.SEED if cfg.SEED >= 0 else None,
        )

    @classmethod
    def build_test_loader(cls, cfg: Any, dataset_name: str) -> DataLoader[Any]:
        """Build the loader of a data set of ``DATASETS.TEST``."""
        mapper, _ = kind_of(dataset_name)
        return build_test_loader(
            dataset_name,
            mapper(cfg, is_train=False),
            num_workers=cfg.DATALOADER.NUM_WORKERS,
        )

    @classmethod
    def build_evaluator(cls, cfg: Any, dataset_name: str) -> DatasetEvaluator:
        """Build the evaluator of a data set, with the arguments of ``SOD.EVALUATOR``."""
        _, evaluator = kind_of(dataset_name)
        given = arguments(cfg.SOD.EVALUATOR)
        if evaluator is SalientInstanceEvaluator:
            given = {'dataset_name': dataset_name, **given}
        return evaluator(**given)


class LazyTrainer(Trainer):
    """The same trainer from a LazyConfig.

    The config has ``model``, ``optimizer``, ``lr_multiplier``, ``dataloader`` with ``train``,
    ``test`` and ``evaluator``, ``train`` as detectron2's ``configs/common/train.py``, and perhaps
    ``hooks``, a dict (of lists LazyConfig keeps none).
    """

    def __init__(self, cfg: Any) -> None:
        TrainerBase.__init__(self)
        settings = cfg.train
        model = instantiate(cfg.model).to(settings.device)
        model = with_format(model, settings.get('channels_last', False))
        cfg.optimizer.params.model = model
        optimizer = instantiate(cfg.optimizer)
        for group in optimizer.param_groups:  # omegaconf's lists have no place in a checkpoint
            group.update(arguments({k: v for k, v in group.items() if k != 'params'}))
        loader = instantiate(cfg.dataloader.train)
        self._assemble(model, optimizer, loader, settings.amp.enabled, settings.get('ddp', DDP))
        self._begin(cfg, settings.output_dir, settings.max_iter)

    def resume_or_load(self, resume: bool = True) -> None:
        """Resume from the last checkpoint in the folder, or load ``train.init_checkpoint``."""
        if resume and self.checkpointer.has_checkpoint():
            adopt_pruning(self, read_checkpoint(Path(self.checkpointer.get_checkpoint_file())))
        self.checkpointer.resume_or_load(self.cfg.train.init_checkpoint, resume=resume)
        if resume and self.checkpointer.has_checkpoint():
            self.start_iter = self.iter + 1

    def build_hooks(self) -> list[HookBase | None]:
        """Build the hooks of the config, and those of detectron2's own training from one."""
        settings = self.cfg.train
        own = [instantiate(hook) for hook in self.cfg.get('hooks', {}).values()]
        main = comm.is_main_process()
        return [
            *own,
            hooks.IterationTimer(),
            hooks.LRScheduler(scheduler=instantiate(self.cfg.lr_multiplier)),
            hooks.PeriodicCheckpointer(self.checkpointer, **settings.checkpointer)
            if main
            else None,
            hooks.EvalHook(settings.eval_period, self.evaluate),
            hooks.PeriodicWriter(
                default_writers(settings.output_dir, self.max_iter), period=settings.log_period
            )
            if main
            else None,
        ]

    def evaluate(self) -> Mapping[str, Any]:
        """Test the model by the config's loader and evaluator."""
        self._last_eval_results = evaluate_lazily(self.cfg, self._trainer.model)
        return self._last_eval_results

    def train(self) -> Any:
        """Run the training."""
        TrainerBase.train(self, self.start_iter, self.max_iter)
        return getattr(self, '_last_eval_results', None)


def with_format(model: Any, channels_last: bool) -> Any:
    """Return the model, in the memory format channels-last if requested."""
    return model.to(memory_format=torch.channels_last) if channels_last else model


def evaluate_lazily(cfg: Any, model: Any) -> Mapping[str, Any]:
    """Test a model by the loader and the evaluator of a LazyConfig."""
    results: OrderedDict[str, Any] = inference_on_dataset(
        model, instantiate(cfg.dataloader.test), instantiate(cfg.dataloader.evaluator)
    )
    if results:
        print_csv_format(results)
    return results or {}


def kind_of(dataset_name: str) -> tuple[Any, Any]:
    """Return the mapper and the evaluator of a data set.

    Raises:
        ValueError: It is not one of this package.
    """
    kind = MetadataCatalog.get(dataset_name).get('evaluator_type')
    if kind not in KINDS:
        raise ValueError(
            f"The data set '{dataset_name}' is not registered by register_saliency_dataset or "
            'register_salient_instances of sod_plugins.detectron2: register it there, or build its '
            'loader and evaluator by a trainer of your own.'
        )
    return KINDS[kind]
