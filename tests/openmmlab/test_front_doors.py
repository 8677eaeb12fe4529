"""The hosts' own scripts and functions with our configs, by processes that import nothing of ours.

The scripts lie in the hosts' packages, as ``mim`` finds them.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from host_line import host_line
from host_scripts import host_script, run
from PIL import Image

pytest.importorskip('mmseg')

from sod_plugins.data import generate_scenes, read_image
from sod_plugins.inference import SaliencyPredictor
from sod_plugins.openmmlab import launch

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / 'configs/csnet/csnet-x1_1xb16-450i_synthetic-64x64.py'


def fails_upstream(reason):
    return pytest.mark.xfail(host_line() == 'openmmlab', reason=reason, strict=True)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Three scenes a split, and a config of two iterations on them, in plain text.

    They begin with trained weights: two iterations from scratch leave statistics of BatchNorm with
    which logits are in the millions, and rounding alone changes the maps.
    """
    root = tmp_path_factory.mktemp('doors')
    for split, count in (('train', 4), ('val', 3), ('test', 3)):
        generate_scenes(root / 'data' / split, count, size=(48, 64), split=split)
    cfg = launch.load_config(CONFIG)
    cfg.merge_from_dict(
        {
            'load_from': 'zoo:sod-tiny',
            'train_cfg.max_iters': 2,
            'train_cfg.val_interval': 2,
            'train_dataloader.batch_size': 2,
            'train_dataloader.num_workers': 0,
            'train_dataloader.persistent_workers': False,
            'val_dataloader.num_workers': 0,
            'val_dataloader.persistent_workers': False,
            'test_dataloader.num_workers': 0,
            'default_hooks.checkpoint.interval': 2,
            'default_hooks.logger.interval': 1,
            'work_dir': str(root / 'work'),
        }
    )
    for name in ('train', 'val', 'test'):
        loader = cfg[f'{name}_dataloader']
        loader.pop('persistent_workers', None)
        loader.dataset.data_root = str(root / 'data' / name)
        loader.dataset.pop('list_file', None)
    cfg.dump(root / 'config.py')
    return root


@pytest.fixture(scope='module')
def trained(folder):
    """The work folder of a training by mmseg's own script."""
    run(host_script('mmseg', 'train.py'), folder / 'config.py', cwd=folder)
    return folder / 'work'


@pytest.fixture(scope='module')
def checkpoint(trained):
    return trained / 'iter_2.pth'


def maps_in(path: Path) -> dict[str, np.ndarray]:
    return {p.stem: np.asarray(Image.open(p)) for p in sorted(path.glob('*.png'))}


def test_mmseg_trains_validates_and_describes_the_network(checkpoint, folder):
    predictor = SaliencyPredictor(checkpoint, 'cpu')
    photo = sorted((folder / 'data/test/images').iterdir())[0]
    assert predictor.predict(photo).shape == (48, 64)


def test_mmseg_tests_and_saves_maps(checkpoint, folder):
    out = folder / 'out'
    words = [folder / 'config.py', checkpoint, '--work-dir', folder / 'w']
    printed = run(host_script('mmseg', 'test.py'), *words, '--out', out, cwd=folder)
    assert 'saliency/max_f' in printed
    photos = sorted((folder / 'data/test/images').iterdir())
    predictor = SaliencyPredictor(checkpoint, 'cpu')
    maps = maps_in(out / 'maps')
    assert sorted(maps) == [photo.stem for photo in photos]
    for photo in photos:
        expected = (predictor.predict(photo) * 255).astype(int)
        assert np.abs(maps[photo.stem] - expected).max() <= 1


def test_mmseg_draws_what_it_tests(checkpoint, folder):
    words = [folder / 'config.py', checkpoint, '--work-dir', folder / 'w', '--show-dir', 'shown']
    run(host_script('mmseg', 'test.py'), *words, cwd=folder)
    drawn = list(folder.rglob('shown/**/*.png'))
    assert len(drawn) == 3
    assert all(np.asarray(Image.open(path)).std() > 0 for path in drawn)


def test_mmseg_averages_over_views(checkpoint, folder):
    words = [folder / 'config.py', checkpoint, '--work-dir', folder / 'w', '--tta']
    out = folder / 'tta'
    run(host_script('mmseg', 'test.py'), *words, '--out', out, cwd=folder)
    predictor = SaliencyPredictor(checkpoint, 'cpu')
    for photo in sorted((folder / 'data/test/images').iterdir()):
        image = read_image(photo)
        mirrored = predictor.predict(np.ascontiguousarray(image[:, ::-1]))[:, ::-1]
        expected = ((predictor.predict(image) + mirrored) / 2 * 255).astype(int)
        assert np.abs(maps_in(out / 'maps')[photo.stem] - expected).max() <= 1


def test_iou_is_measured_beside_saliency(checkpoint, folder):
    options = [
        'test_evaluator=[dict(type="sod_plugins.SaliencyMetric"),dict(type="IoUMetric")]',
    ]
    words = [folder / 'config.py', checkpoint, '--work-dir', folder / 'w', '--cfg-options']
    text = (folder / 'config.py').read_text('utf-8')
    both = folder / 'both.py'
    both.write_text(f'{text}\n{options[0]}\n'.replace('test_evaluator=[', 'test_evaluator = ['))
    printed = run(host_script('mmseg', 'test.py'), both, *words[1:-1], cwd=folder)
    assert 'saliency/max_f' in printed and 'mIoU' in printed


@fails_upstream(
    'mmseg/.mim/tools/analysis_tools/browse_dataset.py of mmsegmentation 1.2.2 reorders channels '
    'by an index, whose result mmseg/visualization/local_visualizer.py cannot hand to OpenCV'
)
def test_data_sets_are_browsed(folder):
    words = [folder / 'config.py', '--not-show', '--output-dir', folder / 'browsed']
    run(host_script('mmseg', 'analysis_tools/browse_dataset.py'), *words, cwd=folder)
    assert len(list((folder / 'browsed').rglob('*.*'))) == 4


API = """
import sys
import cv2
import numpy as np
from mmseg.apis import MMSegInferencer, inference_model, init_model

config, checkpoint, photo, out = sys.argv[1:]
model = init_model(config, checkpoint, device='cpu')
by_path = inference_model(model, photo)
by_array = inference_model(model, cv2.imread(photo))
assert by_path.seg_logits.data.dtype.is_floating_point
np.save(out + '/path.npy', by_path.seg_logits.data[0].numpy())
np.save(out + '/array.npy', by_array.seg_logits.data[0].numpy())
inferencer = MMSegInferencer(model=config, weights=checkpoint, device='cpu')
for number, given in enumerate((photo, cv2.imread(photo))):
    result = inferencer(given, out_dir=out + f'/{number}')
    np.save(out + f'/inferencer{number}.npy', result['predictions'])
assert 'sod_plugins.cli' not in sys.modules
"""


def test_mmseg_s_functions_predict_alike_from_files_and_arrays(checkpoint, folder, tmp_path):
    photo = sorted((folder / 'data/test/images').iterdir())[0]
    (tmp_path / 'api.py').write_text(API)
    run(tmp_path / 'api.py', folder / 'config.py', checkpoint, photo, tmp_path, cwd=tmp_path)
    expected = SaliencyPredictor(checkpoint, 'cpu').predict(photo)
    by_path, by_array = (np.load(tmp_path / f'{name}.npy') for name in ('path', 'array'))
    # Fused or not: rounding of float32, on maps from 0 to 1.
    np.testing.assert_allclose(by_path, expected, rtol=0, atol=1e-4)
    # Two decoders of JPEG differ by a level or two here and there.
    assert np.abs(by_array - expected).mean() < 5e-3
    for number in range(2):
        segmented = np.load(tmp_path / f'inferencer{number}.npy')
        wrong = (segmented != (expected > 0.5)) & (np.abs(expected - 0.5) > 0.02)
        assert not wrong.any()
        assert list((tmp_path / str(number)).rglob('*.png'))


@pytest.mark.parametrize(
    ('script', 'words', 'expected'),
    [
        pytest.param(
            'get_flops.py',
            ['{config}', '--shape', '64', '64'],
            'Params: 0.211M',
            marks=fails_upstream(
                'mmseg/.mim/tools/analysis_tools/get_flops.py of mmsegmentation 1.2.2 gives '
                'input_shape and inputs, of which mmengine 0.10.7 takes one'
            ),
        ),
        ('benchmark.py', ['{config}', '{checkpoint}', '--log-interval', '1'], 'Average fps'),
        (
            'analyze_logs.py',
            ['{log}', '--keys', 'loss', '--out', '{folder}/loss.png'],
            'plot curve of',
        ),
    ],
)
def test_mmseg_s_analysis_tools_run(checkpoint, folder, script, words, expected):
    log = next(folder.rglob('vis_data/scalars.json'))
    values = {
        'config': folder / 'config.py',
        'checkpoint': checkpoint,
        'log': log,
        'folder': folder,
    }
    words = [word.format(**values) for word in words]
    printed = run(host_script('mmseg', f'analysis_tools/{script}'), *words, cwd=folder)
    assert expected in printed


CAM = """
import numpy as np
import torch

class GradCAM:
    def __init__(self, model, target_layers, use_cuda):
        self.model = model.eval()
        target_layers[0].register_forward_hook(self.keep)

    def keep(self, module, inputs, output):
        output.retain_grad()
        self.maps = output

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def __call__(self, input_tensor, targets):
        outputs = self.model(input_tensor.requires_grad_())
        sum(target(output) for target, output in zip(targets, outputs)).backward()
        weights = self.maps.grad.mean((2, 3), keepdim=True)
        cam = (weights * self.maps).sum(1, keepdim=True).clamp_min(0)
        cam = torch.nn.functional.interpolate(cam, input_tensor.shape[2:])[:, 0]
        return (cam / cam.max()).detach().numpy()
"""
IMAGE = """
import numpy as np
import torch

def preprocess_image(image, mean, std):
    return torch.tensor(((image - mean) / std).transpose(2, 0, 1)[None]).float()

def show_cam_on_image(image, cam, use_rgb):
    return np.uint8(255 * (image + cam[..., None]) / 2)
"""


def test_mmseg_draws_class_activations(checkpoint, folder, tmp_path, monkeypatch):
    """With what the script takes from pytorch_grad_cam, which needs torchvision."""
    package = tmp_path / 'stand_in/pytorch_grad_cam'
    (package / 'utils').mkdir(parents=True)
    (package / '__init__.py').write_text(CAM)
    (package / 'utils/__init__.py').touch()
    (package / 'utils/image.py').write_text(IMAGE)
    paths = [str(package.parent), os.environ.get('PYTHONPATH', '')]
    monkeypatch.setenv('PYTHONPATH', os.pathsep.join(filter(None, paths)))
    photo = sorted((folder / 'data/test/images').iterdir())[0]
    words = [photo, folder / 'config.py', checkpoint, '--device', 'cpu', '--category-index', '0']
    words += ['--target-layers', 'decode_head.net.dilated[0]']
    run(host_script('mmseg', 'analysis_tools/visualization_cam.py'), *words, cwd=tmp_path)
    drawn = np.asarray(Image.open(tmp_path / 'vis_cam.png'), int)
    assert drawn.shape == (48, 64, 3)
    assert np.ptp(drawn - read_image(photo) // 2) > 20


def test_tensorboard_gets_predictions_during_validation(folder, tmp_path):
    pytest.importorskip('tensorboard')
    text = (folder / 'config.py').read_text('utf-8')
    backends = "[dict(type='LocalVisBackend'), dict(type='TensorboardVisBackend')]"
    (tmp_path / 'board.py').write_text(
        f"{text}\nvisualizer = dict(type='SegLocalVisualizer', vis_backends={backends})\n"
        "default_hooks['visualization'] = dict(\n"
        "    type='SegVisualizationHook', draw=True, interval=1)\n"
        "custom_hooks = [dict(type='EMAHook')]\n"
    )
    words = ['board.py', '--work-dir', tmp_path / 'work']
    run(host_script('mmseg', 'train.py'), *words, cwd=tmp_path)
    events = [path.read_bytes() for path in (tmp_path / 'work').rglob('events.out.tfevents.*')]
    assert any(b'val_' in event and b'PNG' in event for event in events)
    assert any(b'saliency/max_f' in event for event in events)
    # The averaged weights are what the checkpoint gives.
    photo = sorted((folder / 'data/test/images').iterdir())[0]
    assert SaliencyPredictor(tmp_path / 'work/iter_2.pth', 'cpu').predict(photo).std() > 0


def test_mmseg_counts_confusions(folder, tmp_path):
    masks = sorted((folder / 'data/test/masks').iterdir())
    (tmp_path / 'labels').mkdir()
    for path in masks:
        salient = np.asarray(Image.open(path)) == 255
        Image.fromarray(salient.astype(np.uint8)).save(tmp_path / 'labels' / path.name)
    script = host_script('mmseg', 'analysis_tools/confusion_matrix.py')
    run(script, folder / 'config.py', tmp_path / 'labels', tmp_path, cwd=tmp_path)
    assert (tmp_path / 'confusion_matrix.png').is_file()
