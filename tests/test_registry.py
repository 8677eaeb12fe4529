"""Each test builds from configs in a fresh process, as a user of the hosts does."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

mmengine = pytest.importorskip('mmengine', reason='needs an extra with mmengine')


def run(script: str, *path: Path) -> str:
    """Run a script in a new interpreter, ``path`` ahead of everything else; return its output."""
    search = [str(p) for p in path] + [p for p in sys.path if p]
    result = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', textwrap.dedent(script)],
        env={'PYTHONPATH': ':'.join(search), 'OMP_NUM_THREADS': '1'},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_host_configs_build_with_nothing_of_ours_imported():
    pytest.importorskip('mmseg.models', reason='needs mmseg', exc_type=ImportError)
    output = run("""
        import sys
        from mmengine.config import Config
        from mmengine.registry import MODELS, init_default_scope

        config = Config.fromstring('''
        model = dict(
            type='EncoderDecoder',
            data_preprocessor=dict(type='SegDataPreProcessor'),
            backbone=dict(type='sod_plugins.CSNet'),
            decode_head=dict(type='sod_plugins.CSFHead', in_channels=(40, 80, 80)),
            train_cfg=dict(),
            test_cfg=dict(mode='whole'),
        )
        ''', '.py')
        assert not any(name.startswith('sod_plugins') for name in sys.modules)
        init_default_scope('mmseg')
        model = MODELS.build(config.model)
        print(sum(p.numel() for p in model.parameters()))

        import mmseg.registry
        config.model.type = 'sod_plugins.SaliencySegmentor'
        print(type(mmseg.registry.MODELS.build(config.model)))
    """)
    assert output.splitlines() == [
        '210985',
        "<class 'sod_plugins.openmmlab.models.segmentors.saliency_segmentor.SaliencySegmentor'>",
    ]


@pytest.mark.parametrize('failure', ['absent', 'refuses'])
def test_without_mmseg_the_rest_builds_and_the_error_names_the_extra(failure, tmp_path):
    # A host that refuses its surroundings does so by an assertion about versions.
    shadow = {'absent': 'raise ModuleNotFoundError', 'refuses': 'raise AssertionError'}[failure]
    for host in ('mmcv', 'mmseg'):
        (tmp_path / host).mkdir()
        (tmp_path / host / '__init__.py').write_text(f"{shadow}('{host} says no')")
    output = run(
        """
        from mmengine.registry import DATASETS, HOOKS, METRICS, MODELS, TRANSFORMS

        for name in ('CSNet', 'RoIMasking', 'S4NetFPN', 'S4NetHead', 'S4NetMaskHead'):
            print(type(MODELS.build(dict(type=f'sod_plugins.{name}'))).__name__)
        for registry, name in (
            (DATASETS, 'SaliencyDataset'),
            (METRICS, 'SaliencyMetric'),
            (HOOKS, 'DynamicWeightDecayHook'),
        ):
            print(registry.get(f'sod_plugins.{name}').__name__)
        for registry, name in (
            (MODELS, 'CSFHead'),
            (MODELS, 'SaliencySegmentor'),
            (TRANSFORMS, 'PackSaliencyInputs'),
            (TRANSFORMS, 'PackClassInputs'),
            (MODELS, 'PiCANetSSDNeck'),
        ):
            for _ in range(2):  # the second request must not meet half-registered names
                try:
                    registry.build(dict(type=f'sod_plugins.{name}', in_channels=(1,)))
                except ImportError as error:
                    print(error)
        """,
        tmp_path,
    )
    lines = output.splitlines()
    assert lines[:8] == [
        *('CSNet', 'RoIMasking', 'S4NetFPN', 'S4NetHead', 'S4NetMaskHead'),
        *('SaliencyDataset', 'SaliencyMetric', 'DynamicWeightDecayHook'),
    ]
    assert (
        lines[8::2]
        == lines[9::2]
        == [
            f'sod_plugins.{name} needs {host}, which does not import '
            f"({host.split('.')[0]} says no): run pip install 'sod-plugins[onedl]'."
            for name, host in (
                ('CSFHead', 'mmseg.models'),
                ('SaliencySegmentor', 'mmseg.models'),
                ('PackSaliencyInputs', 'mmseg.models'),
                ('PackClassInputs', 'mmcv.transforms'),
                ('PiCANetSSDNeck', 'mmcv.transforms'),
            )
        ]
    )


def test_without_mmdet_the_error_names_its_extra(tmp_path):
    pytest.importorskip('mmseg.models', reason='needs mmseg', exc_type=ImportError)
    (tmp_path / 'mmdet').mkdir()
    (tmp_path / 'mmdet' / '__init__.py').write_text("raise ModuleNotFoundError('mmdet says no')")
    output = run(
        """
        from mmengine.registry import MODELS

        print(type(MODELS.build(dict(type='sod_plugins.CSFHead', in_channels=(8, 16)))).__name__)
        print(type(MODELS.build(dict(type='sod_plugins.PiCANetSSDNeck'))).__name__)
        for name in ('S4Net', 'SSDHead'):
            try:
                MODELS.build(dict(type=f'sod_plugins.{name}', in_channels=(8, 16)))
            except ImportError as error:
                print(error)
        """,
        tmp_path,
    )
    assert output.splitlines() == [
        'CSFHead',
        'PiCANetSSDNeck',
        *(
            f'sod_plugins.{name} needs mmdet.models, which does not import (mmdet says no): run '
            "pip install 'sod-plugins[onedl-det]'."
            for name in ('S4Net', 'SSDHead')
        ),
    ]


def test_classification_needs_no_mmseg(tmp_path):
    pytest.importorskip('mmcv')
    (tmp_path / 'mmseg').mkdir()
    (tmp_path / 'mmseg' / '__init__.py').write_text("raise ModuleNotFoundError('mmseg says no')")
    output = run(
        """
        import numpy as np
        from mmengine.dataset import Compose
        from mmengine.registry import MODELS

        model = MODELS.build(
            dict(
                type='sod_plugins.ImageClassifier',
                backbone=dict(type='sod_plugins.CSNet'),
                num_classes=2,
                in_channels=80,
                data_preprocessor=dict(type='ImgDataPreprocessor'),
            )
        )
        pipeline = Compose([
            dict(type='sod_plugins.RandomResizedCrop', size=(32, 32)),
            dict(type='sod_plugins.RandomSaliencyFlip'),
            dict(type='sod_plugins.PackClassInputs'),
        ])
        image = np.zeros((40, 50, 3), np.uint8)
        packed = [
            pipeline(dict(img=image, gt_label=1, rng=np.random.default_rng(i))) for i in range(2)
        ]
        data = model.data_preprocessor({key: [p[key] for p in packed] for key in packed[0]})
        print(model(**data, mode='loss')['loss'].item() > 0)
        """,
        tmp_path,
    )
    assert output == 'True\n'


def test_what_a_module_registers_and_needs_is_known_without_importing_it():
    from mmengine.registry import Registry

    from sod_plugins import openmmlab, registry

    modules = openmmlab.modules()
    hosts = {module: openmmlab.hosts_of(module) for module in modules}
    assert {module for module, needed in hosts.items() if 'mmdet' in needed} == {
        'models.dense_heads.ssd_head',
        'models.detectors.network_detector',
        'models.detectors.s4net',
    }
    assert hosts['models.necks.picanet_ssd_neck'] == {'mmcv'}  # through norm_layers
    assert hosts['models.decode_heads.picanet_head'] >= {'mmseg'}  # through its base
    for module, needed in hosts.items():
        folder = module.rpartition('.')[0]  # whose ``__init__`` runs before the module
        assert openmmlab.hosts_of(folder) - {'mmcv'} <= needed, module
        assert 'mmcv' not in openmmlab.hosts_of(folder) or needed, module  # which all need, too
    names = [name for module in modules for name in openmmlab.registered_by(module)]
    assert names == sorted(set(names), key=names.index)
    assert set(names) >= {
        ('MODELS', 'VGG'),
        ('HOOKS', 'PruningHook'),
        ('TRANSFORMS', 'ColorJitter'),
    }
    registries = [value for value in vars(registry).values() if isinstance(value, Registry)]
    registered = {name for one in registries for name in one.module_dict}
    assert registered >= {name for _, name in names}
