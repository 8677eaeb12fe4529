"""Check that a classifier and its data have the same classes."""

from __future__ import annotations

from typing import Any, cast

from mmengine.dataset import BaseDataset
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from sod_plugins.openmmlab.errors import LaunchError
from sod_plugins.openmmlab.unwrapping import unwrapped
from sod_plugins.registry import HOOKS


@HOOKS.register_module()
class CheckClassesHook(Hook):
    """Rejects training or testing a classifier on data with another number of classes.

    The model must have ``num_classes``, like ``sod_plugins.ImageClassifier``, and the data sets
    ``metainfo['classes']``, like ``sod_plugins.ImageFolderDataset``.

    Raises:
        LaunchError: The numbers differ, or the classes of the validation set or their order differ
            from the training set.
    """

    def before_train(self, runner: Runner) -> None:
        """Compare the model, the training set and the validation set."""
        dataloader = runner.train_loop.dataloader
        _require_number(runner, dataloader)
        if runner.val_loop is None:
            return
        classes = _classes(dataloader)
        measured = _classes(runner.val_loop.dataloader)
        if measured != classes:
            raise LaunchError(
                f'The validation set has {len(measured)} classes, the training set {len(classes)}, '
                'and they are not the same: set val_dataloader.dataset.classes_of to the training '
                'set.'
            )

    def before_test(self, runner: Runner) -> None:
        """Compare the model and the test set."""
        _require_number(runner, runner.test_loop.dataloader)


def _require_number(runner: Runner, dataloader: DataLoader[Any]) -> None:
    model: Any = unwrapped(runner.model)
    count = len(_classes(dataloader))
    if count != model.num_classes:
        raise LaunchError(
            f'The data have {count} classes, but the model has {model.num_classes}: set '
            f'model.num_classes={count}, or correct the folder of the data.'
        )


def _classes(dataloader: DataLoader[Any]) -> tuple[str, ...]:
    return tuple(cast(BaseDataset, dataloader.dataset).metainfo['classes'])
