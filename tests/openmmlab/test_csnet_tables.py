"""Configs of the tables in CSNet's paper: sizes, differences, and steps of the large ones."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch

pytest.importorskip('mmseg')

from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from reference_values import load_tool

from sod_plugins.analysis.complexity import count_parameters
from sod_plugins.networks import extract_network, load_network
from sod_plugins.openmmlab import launch

FOLDER = Path(__file__).parents[2] / 'configs/csnet'
REST = '_1xb24-300e_duts-224x224.py'
LARGE = '_1xb1-24e_duts-original-size.py'
SMALL = {
    'train_dataloader.batch_size': 2,
    'train_dataloader.dataset.pipeline.4.size': (32, 32),
    'val_dataloader.dataset.pipeline.1.size': (32, 32),
    'test_dataloader.dataset.pipeline.1.size': (32, 32),
}


def build(name):
    cfg = Config.fromfile(FOLDER / name)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        return MODELS.build(cfg.model)


@pytest.mark.parametrize(
    ('name', 'parameters'),
    [
        ('csnet-x1', 210_985),
        ('csnet-x1.2', 298_633),
        ('csnet-x1.5', 455_631),
        ('csnet-x1.8', 645_565),
        ('csnet-x2', 788_631),
        *((f'csnet-x1_split{ratio}', 210_985) for ratio in ('1-0', '3-1', '1-3', '0-1')),
        ('csnet-x1_extractor', 179_501),
        *((f'csnet-x1_extractor-split{r}', 179_501) for r in ('1-0', '3-1', '1-3', '0-1')),
        ('csnet-x1_extractor-vanilla', 1_456_781),
        # 0.49M in Tab. 7. The paper's other light-weight networks are variants that it does not
        # name, of 8.64M, 9.54M and 12.80M.
        ('cgnet', 491_699),
        ('efficientnet-lite0', 3_371_008 + 1_281),
        ('shufflenet-v2-x2', 5_344_996 + 2_049),
    ],
)
def test_parameters_of_tables_6_7_and_11(name, parameters):
    assert count_parameters(build(f'{name}{REST}')) == parameters


def test_parameters_of_bisenet_without_its_auxiliary_heads():
    model = build(f'bisenetv1_r18{REST}')
    parts = count_parameters(model.backbone), count_parameters(model.decode_head)
    assert sum(parts) == 13_270_913


def test_ablations_of_csnet_are_what_their_names_say():
    """Tab. 5, 6 and 11: each differs from the main config, pruned or not, in the model alone."""

    def width(base):
        return {'width': base / 20}, {'in_channels': (2 * base, 4 * base, 4 * base)}

    widths = {'x1.2': width(24), 'x1.5': width(30), 'x1.8': width(36), 'x2': width(40)}
    ratios = {'1-0': (1, 0), '3-1': (3, 1), '1-3': (1, 3), '0-1': (0, 1)}
    whole = {
        **{f'x1_split{name}': ({'split_ratio': ratio}, {}) for name, ratio in ratios.items()},
        **widths,
    }

    def stages(indices):
        channels = [(40, 80, 160, 160)[i] for i in indices]
        return {'width': 2.0, 'out_indices': indices}, {'in_channels': tuple(channels)}

    pruned = {
        **{f'{name}_pruned': change for name, change in widths.items()},
        'x2_stages4_pruned': stages((3,)),
        'x2_stages3-4_pruned': stages((2, 3)),
        'x2_stages1-4_pruned': stages((0, 1, 2, 3)),
    }
    for base, ablations in (('x1', whole), ('x1_pruned', pruned)):
        main = Config.fromfile(FOLDER / f'csnet-{base}{REST}').to_dict()
        for name, (backbone, head) in ablations.items():
            expected = copy.deepcopy(main)
            expected['model']['backbone'].update(backbone)
            expected['model']['decode_head'].update(head)
            assert Config.fromfile(FOLDER / f'csnet-{name}{REST}').to_dict() == expected, name


def test_only_the_first_weights_tell_the_pre_trained_run_from_the_other():
    with_it = Config.fromfile(FOLDER / f'csnet-x1.5_pruned_imagenet{REST}').to_dict()
    source = Path(with_it['model']['backbone'].pop('init_cfg')['checkpoint'])
    assert with_it == Config.fromfile(FOLDER / f'csnet-x1.5_pruned{REST}').to_dict()
    assert (FOLDER / f'{source.parent.name}.py').exists()
    schedule = Config.fromfile(FOLDER / f'{source.parent.name}.py').train_cfg
    assert source.name == f'epoch_{schedule.max_epochs}.pth'


@pytest.mark.parametrize('name', ['cgnet', 'efficientnet-lite0', 'shufflenet-v2-x2'])
def test_light_weight_networks_train_on_soft_masks(name):
    torch.manual_seed(0)
    model = build(f'{name}{REST}').train()
    mask = torch.rand(1, 64, 64)
    sample = SegDataSample(metainfo={'img_shape': (64, 64)})
    sample.gt_sem_seg = PixelData(data=mask)
    images = torch.randn(2, 3, 64, 64)
    loss = model.loss(images, [sample, sample])['decode.loss_ce']
    logits = model.decode_head.forward(model.extract_feat(images))
    logits = torch.nn.functional.interpolate(logits, (64, 64), mode='bilinear')
    likelihoods = torch.nn.functional.logsigmoid(torch.stack([logits, -logits]).double())
    expected = -(mask * likelihoods[0] + (1 - mask) * likelihoods[1]).mean()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-4)
    loss.backward()
    idle = [n for n, p in model.named_parameters() if p.grad is None]
    assert idle == []


def on_photos(photos, name, work_dir, **options):
    """Train by a config on four photos, and validate on one of them."""
    for part, stems in (('train', ('00', '01', '02', '03')), ('val', ('00',))):
        (work_dir / f'{part}.txt').write_text('\n'.join(stems))
        options[f'{part}_dataloader.dataset.list_file'] = str(work_dir / f'{part}.txt')
    dataloaders = {
        f'{part}_dataloader.{key}': value
        for part in ('train', 'val', 'test')
        for key, value in {
            'num_workers': 0,
            'persistent_workers': False,
            'dataset.data_root': str(photos),
            'dataset.preset': None,
        }.items()
    }
    once = {'train_cfg.max_epochs': 1, 'train_cfg.val_interval': 1}
    options = dataloaders | once | options
    return launch.train(FOLDER / name, work_dir=work_dir, options=options)


@pytest.mark.parametrize(
    ('backbone', 'parameters'),
    [
        ('resnet50', 36_367_169),
        pytest.param('res2net50', 36_528_489, marks=pytest.mark.mmdet),
    ],
)
def test_csf_on_a_large_backbone_takes_two_steps(backbone, parameters, photos, tmp_path):
    """Of two photos each, in their own size; what the released recipe freezes stays."""
    if backbone == 'res2net50':
        pytest.importorskip('mmdet.models', reason='needs mmdet', exc_type=ImportError)
    name = f'csf_{backbone}{LARGE}'
    options = {
        'model.backbone.init_cfg': None,
        'optim_wrapper.accumulative_counts': 2,
        'default_hooks.checkpoint': None,
    }
    torch.manual_seed(0)
    runner = on_photos(photos, name, tmp_path, **options)
    trained = runner.model
    assert count_parameters(trained) == parameters
    optimizer = runner.optim_wrapper.optimizer
    steps = {int(state['step']) for state in optimizer.state.values()}
    assert steps == {2}
    norms = [m for m in trained.backbone.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    fresh = [bool((norm.weight == 1).all() and (norm.bias == 0).all()) for norm in norms]
    assert len(norms) - sum(fresh) == (2 if backbone == 'res2net50' else 0)
    assert all((norm.running_mean == 0).all() for norm in norms)
    moved = [p for g in optimizer.param_groups if g['lr'] for p in g['params']]
    assert len(moved) == sum(1 for _ in trained.parameters()) - 2 * sum(fresh)


def test_loss_of_csf_is_the_sum_over_pixels():
    cfg = Config.fromfile(FOLDER / f'csf_resnet50{LARGE}')
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        loss = MODELS.build(cfg.model.decode_head.loss_decode)
    value = loss(torch.zeros(1, 1, 6, 7), torch.rand(1, 6, 7))
    assert value.item() == pytest.approx(42 * torch.tensor(2.0).log().item(), rel=1e-6)
    assert cfg.optim_wrapper.accumulative_counts == 10


def test_extractor_trained_on_classes_starts_the_saliency_network(class_photos, photos, tmp_path):
    """The way of Sec. 5.4 in small: pre-train, train, and the weights are there."""
    small = {
        f'{part}_dataloader.{key}': value
        for part in ('train', 'val')
        for key, value in {
            'num_workers': 0,
            'persistent_workers': False,
            'batch_size': 3,
            'dataset.data_root': str(class_photos),
        }.items()
    }
    size = {'train_dataloader.dataset.pipeline.1.size': (32, 32)}
    size |= {'val_dataloader.dataset.pipeline.1.size': (32, 32)}
    size |= {'val_dataloader.dataset.pipeline.1.short_edge': 36}
    pre_trained = launch.train(
        FOLDER / 'csnet-x1.5_8xb32-100e_imagenet-224x224.py',
        work_dir=tmp_path / 'pre',
        options={**small, **size, 'model.num_classes': 3, 'train_cfg.max_epochs': 1},
    )
    weights = tmp_path / 'pre/epoch_1.pth'
    runner = on_photos(
        photos,
        f'csnet-x1.5_pruned_imagenet{REST}',
        tmp_path,
        **SMALL,
        **{
            'model.backbone.init_cfg.checkpoint': str(weights),
            'optim_wrapper.optimizer.lr': 0.0,
            'custom_hooks': [],  # nothing is pruned before the weights are looked at
        },
    )
    expected = pre_trained.model.backbone.state_dict()
    own = runner.model.backbone.state_dict()
    assert all(torch.equal(own[key], expected[key]) for key in own if key.endswith('weight'))
    extract_network(tmp_path / 'epoch_1.pth', tmp_path / 'extracted.pth')
    assert load_network(tmp_path / 'extracted.pth').arguments['width'] == 1.5


def test_one_stage_is_pruned_within_its_run(photos, tmp_path):
    epochs = {'train_cfg.max_epochs': 2, 'custom_hooks.1.begin': 1}
    large = {'custom_hooks.1.threshold': 0.9999, 'custom_hooks.1.at_least': 2}
    name = f'csnet-x2_stages4_pruned{REST}'
    on_photos(photos, name, tmp_path, **SMALL, **epochs, **large)
    extract_network(tmp_path / 'epoch_2.pth', tmp_path / 'pruned.pth')
    pruned = load_network(tmp_path / 'pruned.pth')
    assert pruned.arguments['fuse_stages'] == (4,)
    assert 0 < count_parameters(pruned) < 697_541 == count_parameters(build(name))


def test_extractor_alone_trains_with_dynamic_decay(photos, tmp_path):
    runner = on_photos(photos, f'csnet-x1_extractor{REST}', tmp_path, **SMALL)
    groups = runner.optim_wrapper.optimizer.param_groups
    assert sorted({group['weight_decay'] for group in groups}) == [0, 5e-3]
    assert int(next(iter(runner.optim_wrapper.optimizer.state.values()))['step']) == 2


@pytest.mark.parametrize(('by_epoch', 'steps'), [(True, [1, 2]), (False, [5, 10, 12])])
def test_errors_of_a_real_run_are_read(by_epoch, steps, toy_config, tmp_path):
    toy_config(by_epoch).dump(tmp_path / 'toy.py')
    runner = launch.train(tmp_path / 'toy.py', work_dir=tmp_path / 'run')
    run = load_tool('analysis_tools/mae_per_epoch.py').read_run(tmp_path / 'run')
    assert run.unit == ('epoch' if by_epoch else 'iteration')
    assert sorted(run.errors) == steps
    history, _ = runner.message_hub.get_scalar('val/saliency/mae').data
    assert list(run.errors.values()) == pytest.approx(list(history))
