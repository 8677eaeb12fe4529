from __future__ import annotations

from pathlib import Path

import pytest
import torch

pytest.importorskip('mmseg')

from mmengine.config import Config
from mmengine.registry import (
    DATA_SAMPLERS,
    HOOKS,
    METRICS,
    MODELS,
    OPTIM_WRAPPER_CONSTRUCTORS,
    TRANSFORMS,
    DefaultScope,
)

CONFIGS = Path(__file__).parents[1] / 'configs'
LEAVES = sorted(path for path in CONFIGS.glob('*/*.py') if path.parent.name != '_base_')


@pytest.fixture(scope='module', params=LEAVES, ids=lambda path: path.stem)
def leaf(request):
    cfg = Config.fromfile(request.param)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        yield cfg


def test_leaves_are_found():
    """The other tests of this file build each of them; none found would leave them green."""
    assert len(LEAVES) >= 5


def test_model_predicts_at_the_original_size(leaf):
    torch.manual_seed(0)
    # BatchNorm by the batch: with the running statistics of an untrained CSNet, whose depthwise
    # weights count a hundredfold, the activations overflow.
    model = MODELS.build(leaf.model).train()
    pipeline = [TRANSFORMS.build(dict(step)) for step in leaf.test_dataloader.dataset.pipeline]
    size = next(step.size for step in pipeline if hasattr(step, 'size'))
    results = {'img': torch.rand(30, 40, 3).numpy(), 'ori_shape': (30, 40)}
    for step in pipeline[1:]:  # all but the reading of a file
        results = step(results)
    assert results['inputs'].shape == (3, *size)
    data = {'inputs': [results['inputs']], 'data_samples': [results['data_samples']]}
    with torch.no_grad():
        (prediction,) = model.test_step(data)
    assert prediction.seg_logits.data.shape == (1, 30, 40)
    assert 0 < prediction.seg_logits.data.min() <= prediction.seg_logits.data.max() < 1


def test_training_parts_build_and_fit(leaf):
    for step in leaf.train_dataloader.dataset.pipeline:
        TRANSFORMS.build(dict(step))
    for hook in [*leaf.default_hooks.values(), *leaf.get('custom_hooks', [])]:
        assert HOOKS.get(hook.type) is not None, hook.type
    assert METRICS.get(leaf.test_evaluator.type) is not None
    constructor = leaf.optim_wrapper.get('constructor', 'DefaultOptimWrapperConstructor')
    assert OPTIM_WRAPPER_CONSTRUCTORS.get(constructor) is not None
    sampler = DATA_SAMPLERS.build(
        dict(leaf.train_dataloader.sampler), default_args={'dataset': range(4), 'seed': 0}
    )
    # A sampler that does not fit the loop is refused only when the training begins.
    assert sampler.infinite == (leaf.train_cfg.type == 'IterBasedTrainLoop')
    assert leaf.default_hooks.checkpoint.by_epoch == (leaf.train_cfg.type == 'EpochBasedTrainLoop')
    assert leaf.default_hooks.exact_resume.type == 'sod_plugins.ExactResumeHook'
