from __future__ import annotations

import json
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip('mmseg')

from mmengine.config import Config
from PIL import Image

from sod_plugins.data import read_image
from sod_plugins.inference import SaliencyPredictor
from sod_plugins.networks import extract_network
from sod_plugins.openmmlab import launch
from sod_plugins.openmmlab.errors import LaunchError
from sod_plugins.openmmlab.loading import read_training_checkpoint

CSNET = Path(__file__).parents[2] / 'configs' / '_base_' / 'models' / 'csnet.py'


def write(config, path):
    config.dump(path)
    return path


def test_config_options_and_work_folder(toy_config, tmp_path):
    path = write(toy_config(), tmp_path / 'toy.py')
    cfg = launch.load_config(
        path, {'optim_wrapper.optimizer.lr': 0.5, 'auto_scale_lr.enable': True}
    )
    assert cfg.optim_wrapper.optimizer.lr == 0.5
    assert cfg.auto_scale_lr.enable is True
    assert cfg.work_dir == 'work_dirs/toy'
    assert launch.load_config(path, {'work_dir': 'there'}).work_dir == 'there'
    assert launch.load_config(path, {'work_dir': 'there'}, tmp_path).work_dir == str(tmp_path)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'optim_wraper.lr': 1}, "no 'optim_wraper'.*did you mean 'optim_wrapper'?"),
        (
            {'param_scheduler.7.gamma': 1},
            "options .*param_scheduler.7.gamma.* do not fit '.*toy.py'",
        ),
    ],
)
def test_options_that_fit_nothing_are_refused(options, message, toy_config, tmp_path):
    path = write(toy_config(), tmp_path / 'toy.py')
    with pytest.raises(LaunchError, match=message):
        launch.load_config(path, options)


def test_no_workers_need_no_other_option(toy_config, tmp_path):
    config = toy_config(num_workers=1)
    config.train_dataloader.update(persistent_workers=True, prefetch_factor=2)
    config.dump(tmp_path / 'toy.py')
    options = {'train_dataloader.num_workers': 0, 'train_cfg.max_iters': 1}
    runner = launch.train(tmp_path / 'toy.py', work_dir=tmp_path, options=options)
    assert (runner.iter, runner.train_dataloader.num_workers) == (1, 0)


def test_missing_and_broken_files_are_named(toy_config, tmp_path):
    with pytest.raises(LaunchError, match=r"no config '.*absent\.py'"):
        launch.train(tmp_path / 'absent.py')
    (tmp_path / 'broken.py').write_text('model = dict(')
    with pytest.raises(LaunchError, match=r"config '.*broken\.py' cannot be read"):
        launch.train(tmp_path / 'broken.py')
    path = write(toy_config(), tmp_path / 'toy.py')
    with pytest.raises(LaunchError, match=r"no checkpoint '.*absent\.pth'"):
        launch.test(path, tmp_path / 'absent.pth')
    with pytest.raises(LaunchError, match=r"no checkpoint '.*absent\.pth'"):
        launch.train(path, work_dir=tmp_path, resume=tmp_path / 'absent.pth')
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'removed.pth'))
    for note, message in (
        (
            str(tmp_path / 'removed.pth'),
            r"last_checkpoint' names no checkpoint, but '.*removed\.pth'",
        ),
        ('', r"last_checkpoint' names no checkpoint: give --resume"),
        ('\0\1' * 99, r"last_checkpoint' names no checkpoint"),
    ):
        (tmp_path / 'last_checkpoint').write_text(note)
        with pytest.raises(LaunchError, match=message):
            launch.train(path, work_dir=tmp_path, resume='auto')


@pytest.mark.skipif(torch.cuda.is_available(), reason='about machines without an accelerator')
def test_what_needs_an_accelerator_says_so(toy_config, tmp_path, monkeypatch):
    monkeypatch.delenv('RANK', raising=False)
    path = write(toy_config(), tmp_path / 'toy.py')
    for kwargs, message in (
        ({'launcher': 'slurm'}, '--launcher slurm needs an accelerator'),
        ({'launcher': 'pytorch'}, '--launcher pytorch needs torchrun'),
    ):
        with pytest.raises(LaunchError, match=message):
            launch.train(path, work_dir=tmp_path, **kwargs)


def test_amp_replaces_only_the_plain_wrapper(toy_config, tmp_path, monkeypatch):
    monkeypatch.setattr(launch, 'get_device', lambda: 'cuda')
    config = toy_config()
    config.optim_wrapper.type = 'ApexOptimWrapper'
    with pytest.raises(LaunchError, match="the config has a 'ApexOptimWrapper'"):
        launch.train(write(config, tmp_path / 'toy.py'), work_dir=tmp_path, amp=True)


@pytest.mark.parametrize(('amp', 'channels_last'), [(True, False), (False, True), (True, True)])
def test_cpu_trains_in_bfloat16_and_channels_last(
    amp, channels_last, toy_config, tmp_path, monkeypatch
):
    monkeypatch.setattr(launch, 'get_device', lambda: 'cpu')
    seen = []

    def note(layer, _, out):
        seen.append((layer.training, out.dtype, layer.weight.is_contiguous()))

    class Runner(launch.Runner):
        def build_model(self, model):
            model = super().build_model(model)
            model.layers[0].register_forward_hook(note)
            return model

    monkeypatch.setattr(launch, 'Runner', Runner)
    runner = launch.train(
        write(toy_config(), tmp_path / 'toy.py'),
        work_dir=tmp_path,
        amp=amp,
        channels_last=channels_last,
    )
    trained = {(kind, plain) for training, kind, plain in seen if training}
    assert trained == {(torch.bfloat16 if amp else torch.float32, not channels_last)}
    assert {kind for training, kind, _ in seen if not training} == {torch.float32}
    assert all(p.dtype == torch.float32 for p in runner.model.parameters())


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (None, r'some\.pth is empty'),
        (
            {'state_dict': {'other.weight': torch.ones(2)}},
            r'does not fit.*no weights for layers\.0\.weight, layers\.0\.bias',
        ),
        (
            {'state_dict': {'layers.0.weight': torch.ones(4, 3, 5, 5)}},
            r'does not fit.*size mismatch for layers\.0\.weight',
        ),
        ([1, 2], r'some\.pth holds a list, not a checkpoint'),
    ],
)
def test_no_initial_weights_are_tested(content, message, toy_config, tmp_path):
    """mmengine would warn and measure the untrained network."""
    checkpoint = tmp_path / 'some.pth'
    checkpoint.write_bytes(b'') if content is None else torch.save(content, checkpoint)
    path = write(toy_config(), tmp_path / 'toy.py')
    with pytest.raises(LaunchError, match=message):
        launch.test(path, checkpoint, work_dir=tmp_path, out_dir=tmp_path / 'out')
    assert not (tmp_path / 'out').exists()


def test_a_damaged_checkpoint_is_not_resumed(toy_config, tmp_path):
    (tmp_path / 'cut.pth').write_bytes(b'PK')
    path = write(toy_config(), tmp_path / 'toy.py')
    with pytest.raises(LaunchError, match=r'cut\.pth is damaged or cut short'):
        launch.train(path, work_dir=tmp_path / 'work', resume=tmp_path / 'cut.pth')


def test_a_file_is_no_output_folder(toy_config, tmp_path):
    path = write(toy_config(), tmp_path / 'toy.py')
    with pytest.raises(LaunchError, match=r"toy\.py' is a file, so nothing can be written below"):
        launch.train(path, work_dir=path)
    (tmp_path / 'some.pth').touch()
    for option in ('out_dir', 'show_dir'):
        with pytest.raises(LaunchError, match=r"toy\.py' is a file"):
            launch.test(path, tmp_path / 'some.pth', **{option: path})


def test_results_need_one_saliency_metric(toy_config, tmp_path):
    config = toy_config()
    config.test_evaluator = [dict(type='sod_plugins.SaliencyMetric')] * 2
    (tmp_path / 'some.pth').touch()
    path = write(config, tmp_path / 'toy.py')
    with pytest.raises(LaunchError, match=r'--out saves .*test_evaluator has 2 of them'):
        launch.test(path, tmp_path / 'some.pth', out_dir=tmp_path / 'out')
    config.test_evaluator = dict(type='mmseg.IoUMetric')
    with pytest.raises(LaunchError, match=r'--show-dir draws .*test_evaluator has 0 of them'):
        launch.test(write(config, path), tmp_path / 'some.pth', show_dir=tmp_path / 'out')


def test_the_crf_needs_the_segmentor_and_its_library(toy_config, tmp_path, monkeypatch):
    (tmp_path / 'some.pth').touch()
    path = write(toy_config(), tmp_path / 'toy.py')
    with pytest.raises(LaunchError, match="the config's model is a 'ToySegmentor'"):
        launch.test(path, tmp_path / 'some.pth', crf=True)
    config = toy_config()
    config.model = Config.fromfile(CSNET).model
    path = write(config, tmp_path / 'csnet.py')
    monkeypatch.setitem(sys.modules, 'pydensecrf', None)
    with pytest.raises(ImportError, match=r'sod-plugins\[crf\]'):
        launch.test(path, tmp_path / 'some.pth', crf=True, work_dir=tmp_path)


def test_denormal_numbers_are_flushed(toy_config, tmp_path):
    """Decay makes them, and they slow a CPU down by an order of magnitude."""
    torch.set_flush_denormal(False)
    config = toy_config()
    config.train_cfg.max_iters = 1
    launch.train(write(config, tmp_path / 'toy.py'), work_dir=tmp_path)
    assert (torch.tensor([1e-38]) * 0.01).item() == 0


def test_memory_is_kept_on_a_cpu(toy_config, tmp_path, monkeypatch):
    kept = []
    monkeypatch.setattr(launch, 'keep_freed_memory', lambda: kept.append(True))
    monkeypatch.setattr(launch, 'get_device', lambda: 'cpu')
    config = toy_config()
    config.train_cfg.max_iters = 1
    launch.train(write(config, tmp_path / 'toy.py'), work_dir=tmp_path)
    assert kept == [True]


def test_resume_without_a_checkpoint_starts_from_the_beginning(toy_config, tmp_path):
    config = toy_config()
    config.train_cfg.update(max_iters=1)
    runner = launch.train(write(config, tmp_path / 'fresh.py'), work_dir=tmp_path, resume='auto')
    assert runner.iter == 1


def test_checkpoints_are_read_with_their_log_and_nobody_elses_loads_change(toy_config, tmp_path):
    """torch's own default refuses the history of logged numbers, before and after."""
    config = toy_config()
    config.train_cfg.update(max_iters=1)
    launch.train(write(config, tmp_path / 'short.py'), work_dir=tmp_path)
    path = tmp_path / 'iter_1.pth'
    checkpoint = read_training_checkpoint(path)
    assert checkpoint['message_hub']['log_scalars']['train/loss'].current() > 0
    with pytest.raises(pickle.UnpicklingError):
        torch.load(path, weights_only=True)


def test_maps_are_those_of_sod_predict(toy_config, photos, tmp_path):
    """CSNet with weights from a few steps: tested maps equal predicted ones to one grey level.

    A factor of 5 on some weights, not the released 100, which in so young a network blows the
    rounding of a batch of four against one image up to several levels.
    """
    config = toy_config()
    config.merge_from_dict(Config.fromfile(CSNET)._cfg_dict.to_dict())
    config.model = Config.fromfile(CSNET).model
    config.model.backbone.weight_scale = config.model.decode_head.weight_scale = 5.0
    config.default_scope = 'mmseg'
    for split in ('train', 'test', 'val'):
        for transform in config[f'{split}_dataloader'].dataset.pipeline:
            if transform.type == 'sod_plugins.ResizeSaliency':
                transform.size = (64, 48)
            if transform.type == 'sod_plugins.LoadSaliencyImage':
                transform.channel_order = 'bgr'  # as CSNet's preprocessor expects it
    config.train_cfg.update(max_iters=3)
    path = write(config, tmp_path / 'csnet.py')
    launch.train(path, work_dir=tmp_path)

    out = tmp_path / 'out'
    measures = launch.test(
        path, tmp_path / 'iter_3.pth', work_dir=tmp_path, out_dir=out, show_dir=tmp_path / 'show'
    )
    record = json.loads((out / 'measures.json').read_text())
    assert measures['saliency/max_f'] == record['max_f']
    extract_network(tmp_path / 'iter_3.pth', tmp_path / 'plain.pth')
    assert launch.test(path, tmp_path / 'plain.pth', work_dir=tmp_path) == measures
    predictor = SaliencyPredictor(tmp_path / 'iter_3.pth', device='cpu')
    assert predictor.preprocessing.size == (64, 48)
    images = sorted((photos / 'images').iterdir())
    for image in images:
        predicted = np.floor(predictor.predict(image) * 255)
        tested = np.asarray(Image.open(out / 'maps' / image.name), dtype=np.float32)
        assert predicted.std() > 1  # the maps are not flat
        assert np.abs(tested - predicted).max() <= 1
        overlay = np.asarray(Image.open(tmp_path / 'show' / image.name))
        assert overlay.shape == read_image(image).shape
    assert len(list((out / 'maps').iterdir())) == len(images) == 11


def test_each_run_of_a_process_writes_to_its_own_folder(toy_config, tmp_path):
    """Though the configs name the visualizer, as the hosts' scripts ask."""
    config = toy_config()
    config.visualizer = dict(
        type='mmseg.SegLocalVisualizer',
        name='visualizer',
        vis_backends=[dict(type='LocalVisBackend')],
    )
    config.train_cfg.update(max_iters=1)
    for name in ('first', 'second'):
        launch.train(write(config, tmp_path / f'{name}.py'), work_dir=tmp_path / name)
        assert list((tmp_path / name).glob('*/vis_data/scalars.json')), name
