from __future__ import annotations

import copy
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
    PARAM_SCHEDULERS,
    TRANSFORMS,
    DefaultScope,
)
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

CONFIGS = Path(__file__).parents[1] / 'configs'
LEAVES = sorted(path for path in CONFIGS.glob('*/*.py') if path.parent.name != '_base_')
CLASSIFIERS = [path for path in LEAVES if '_imagenet-' in path.stem]
SEGMENTORS = [path for path in LEAVES if path not in CLASSIFIERS]
HOST_NETWORKS = sorted(CONFIGS.glob('samnet/*net*_r18_*.py'))


@pytest.fixture(scope='module')
def leaf(request):
    cfg = Config.fromfile(request.param)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        yield cfg


def each(paths):
    return pytest.mark.parametrize('leaf', paths, ids=lambda path: path.stem, indirect=True)


def packed_test_image(leaf):
    """Run the test pipeline, all but the reading of a file, on noise of 30x40 pixels.

    Saliency networks take any size; at 64x64 the large ones answer in a fraction of a second.
    """
    steps = [dict(step) for step in leaf.test_dataloader.dataset.pipeline]
    small = [
        {**step, 'size': (64, 64)} if step['type'] == 'sod_plugins.ResizeSaliency' else step
        for step in steps
    ]
    pipeline = [TRANSFORMS.build(step) for step in small]
    size = next(step.size for step in pipeline if hasattr(step, 'size'))
    results = {'img': torch.rand(30, 40, 3).numpy(), 'ori_shape': (30, 40)}
    for step in pipeline[1:]:
        results = step(results)
    assert results['inputs'].shape == (3, *size)
    return results


def twice(results):
    """Make a batch: BatchNorm of globally pooled features needs two images."""
    return {key: [value, copy.deepcopy(value)] for key, value in results.items()}


def test_leaves_are_found():
    """The other tests of this file build each of them; none found would leave them green."""
    assert {path.parent.name for path in SEGMENTORS} >= {'csnet', 'itdbu', 'samnet'}
    assert len(SEGMENTORS) >= 50
    assert len(CLASSIFIERS) >= 1
    assert [path.name.split('_')[0] for path in HOST_NETWORKS] == ['bisenetv1', 'icnet']


@each(SEGMENTORS)
def test_model_predicts_at_the_original_size(leaf):
    torch.manual_seed(0)
    # BatchNorm by the batch: with the running statistics of an untrained CSNet, whose depthwise
    # weights count a hundredfold, the activations overflow.
    model = MODELS.build(leaf.model).train()
    results = packed_test_image(leaf)
    with torch.no_grad():
        prediction, _ = model.test_step(twice(results))
    assert prediction.seg_logits.data.shape == (1, 30, 40)
    assert 0 < prediction.seg_logits.data.min() <= prediction.seg_logits.data.max() < 1


@each(CLASSIFIERS)
def test_model_predicts_classes(leaf):
    torch.manual_seed(0)
    model = MODELS.build(leaf.model).train()
    assert model.num_classes == leaf.num_classes == 1000
    results = packed_test_image(leaf)
    with torch.no_grad():
        predictions = model.test_step(twice(results))
    for prediction in predictions:
        torch.testing.assert_close(prediction.pred_score.sum(), torch.tensor(1.0))
        assert prediction.pred_score.shape == (1000,)
    assert leaf.train_dataloader.dataset.split == leaf.val_dataloader.dataset.classes_of == 'train'
    assert leaf.default_hooks.check_classes.type == 'sod_plugins.CheckClassesHook'


@each(LEAVES)
def test_training_parts_build_and_fit(leaf):
    for step in leaf.train_dataloader.dataset.pipeline:
        TRANSFORMS.build(dict(step))
    for hook in [*leaf.default_hooks.values(), *leaf.get('custom_hooks', [])]:
        assert HOOKS.get(hook.type) is not None, hook.type
    assert METRICS.get(leaf.test_evaluator.type) is not None
    for schedule in leaf.param_scheduler:
        assert PARAM_SCHEDULERS.get(schedule.type) is not None, schedule.type
    constructor = leaf.optim_wrapper.get('constructor', 'DefaultOptimWrapperConstructor')
    assert OPTIM_WRAPPER_CONSTRUCTORS.get(constructor) is not None
    sampler = DATA_SAMPLERS.build(
        dict(leaf.train_dataloader.sampler), default_args={'dataset': range(4), 'seed': 0}
    )
    # A sampler that does not fit the loop is refused only when the training begins.
    assert sampler.infinite == (leaf.train_cfg.type == 'IterBasedTrainLoop')
    assert leaf.default_hooks.checkpoint.by_epoch == (leaf.train_cfg.type == 'EpochBasedTrainLoop')
    assert leaf.default_hooks.exact_resume.type == 'sod_plugins.ExactResumeHook'


def test_ablations_of_itdbu_are_what_their_names_say():
    """Tab. 2 to 6: each differs from the main config in one argument of the head."""
    folder, rest = CONFIGS / 'itdbu', '_1xb4-10e_msra10k-224x224.py'
    main = Config.fromfile(folder / f'itdbu_vgg16{rest}')
    values = {'iterations': 3, 'steps': 2, 'cell': 'gru', 'sharing': 'ii'}
    assert {name: main.model.decode_head[name] for name in values} == values
    ablations = {
        **{f'n{n}': {'iterations': n} for n in (1, 2, 4, 5)},
        **{f't{t}': {'steps': t} for t in (1, 3, 4)},
        **{cell: {'cell': cell} for cell in ('cnn', 'rnn', 'lstm')},
        **{f'sharing-{strategy}': {'sharing': strategy} for strategy in ('i', 'iii', 'iv')},
        'last-step': {'last_step_only': True},
    }
    found = {path.name.split('_')[2] for path in folder.glob(f'itdbu_vgg16_*{rest}')}
    assert found == set(ablations)
    for name, changed in ablations.items():
        ablation = Config.fromfile(folder / f'itdbu_vgg16_{name}{rest}')
        expected = main.to_dict()
        expected['model']['decode_head'].update(changed)
        assert ablation.to_dict() == expected, name


def test_ablations_of_samnet_are_what_their_names_say():
    """Tab. IV and V: each differs from the main config in the model alone."""
    folder, rest = CONFIGS / 'samnet', '_1xb20-50e_duts-336x336.py'
    main = Config.fromfile(folder / f'samnet{rest}').to_dict()

    def dilations(first, last):
        return {'dilations': ((*first,),) * 4 + ((*last,),)}

    no_pooling = {'pyramid_pooling': False}
    ablations = {
        'single-branch': ({'dilations': ((),) * 5, 'attention': 'none'}, no_pooling),
        'sum': ({'attention': 'none'}, no_pooling),
        'channel': ({'attention': 'channel'}, no_pooling),
        'spatial': ({'attention': 'spatial', 'shared_spatial': False}, no_pooling),
        'no-pooling': ({}, no_pooling),
        'spatial-maps': ({'shared_spatial': False}, {}),
        **{
            f'dilations14-{d}': (dilations(map(int, d), (1, 2)), {}) for d in ('12', '1234', '1248')
        },
        **{f'dilations5-{d}': (dilations((1, 2, 3), map(int, d)), {}) for d in ('123', '1234')},
        'filters075': ({'width': 0.75}, {'in_channels': (12, 24, 48, 72, 96)}),
        'filters125': ({'width': 1.25}, {'in_channels': (20, 40, 80, 120, 160)}),
    }
    for stage, count in ((3, 2), (4, 5), (4, 7), (5, 2), (5, 4)):
        modules = [1, 1, 3, 6, 3]
        modules[stage - 1] = count
        ablations[f'modules{stage}-{count}'] = ({'modules': tuple(modules)}, {})
    found = {path.name.split('_')[1] for path in folder.glob(f'samnet_*{rest}')} - {'1xb20-50e'}
    assert found == set(ablations)
    for name, (backbone, head) in ablations.items():
        expected = copy.deepcopy(main)
        expected['model']['backbone'].update(backbone)
        expected['model']['decode_head'].update(head)
        assert Config.fromfile(folder / f'samnet_{name}{rest}').to_dict() == expected, name


@each(HOST_NETWORKS)
def test_networks_of_the_host_train_on_soft_masks(leaf):
    torch.manual_seed(0)
    model = MODELS.build(leaf.model).train()
    samples = []
    for mask in torch.rand(2, 1, 64, 64):
        sample = SegDataSample(metainfo={'img_shape': (64, 64)})
        sample.gt_sem_seg = PixelData(data=mask)
        samples.append(sample)
    losses = model.loss(torch.randn(2, 3, 64, 64), samples)
    terms = {name: value for name, value in losses.items() if 'loss' in name}
    assert list(terms) == ['decode.loss_ce', 'aux_0.loss_ce', 'aux_1.loss_ce']
    sum(terms.values()).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
