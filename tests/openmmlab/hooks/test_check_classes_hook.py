from __future__ import annotations

from types import SimpleNamespace

import pytest
from mmengine.model import MMDistributedDataParallel

from sod_plugins.openmmlab.errors import LaunchError
from sod_plugins.openmmlab.hooks import CheckClassesHook


def loop(*classes):
    dataset = SimpleNamespace(metainfo={'classes': list(classes)})
    return SimpleNamespace(dataloader=SimpleNamespace(dataset=dataset))


def runner(train=None, val=None, test=None, num_classes=2):
    model = SimpleNamespace(num_classes=num_classes)
    return SimpleNamespace(model=model, train_loop=train, val_loop=val, test_loop=test)


def test_equal_classes_pass():
    hook = CheckClassesHook()
    hook.before_train(runner(train=loop('a', 'b'), val=loop('a', 'b')))
    hook.before_train(runner(train=loop('a', 'b')))
    hook.before_test(runner(test=loop('a', 'b')))


def test_a_model_of_several_processes_is_looked_into():
    wrapped = runner(test=loop('a', 'b', 'c'))
    wrapper = MMDistributedDataParallel.__new__(MMDistributedDataParallel)
    wrapper.__dict__['_modules'] = {'module': wrapped.model}
    wrapped.model = wrapper
    with pytest.raises(LaunchError, match='the model has 2'):
        CheckClassesHook().before_test(wrapped)


def test_other_numbers_are_refused():
    message = r'The data have 3 classes, but the model has 2: set model\.num_classes=3'
    with pytest.raises(LaunchError, match=message):
        CheckClassesHook().before_train(runner(train=loop('a', 'b', 'c')))
    with pytest.raises(LaunchError, match=message):
        CheckClassesHook().before_test(runner(test=loop('a', 'b', 'c')))


@pytest.mark.parametrize('measured', [('a', 'c'), ('b', 'a'), ('a',)])
def test_another_validation_set_is_refused(measured):
    message = r'not the same: set val_dataloader\.dataset\.classes_of'
    with pytest.raises(LaunchError, match=message):
        CheckClassesHook().before_train(runner(train=loop('a', 'b'), val=loop(*measured)))
