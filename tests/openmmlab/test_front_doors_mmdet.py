"""mmdet's own scripts and functions with S4Net's config; their processes import nothing of ours."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest

pytest.importorskip('mmdet.models', reason='needs mmdet', exc_type=ImportError)

from host_scripts import host_script, run
from small_s4net import small_s4net

from sod_plugins.data import generate_scenes
from sod_plugins.inference import InstancePredictor

pytestmark = pytest.mark.mmdet


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp('doors')
    for split, count in (('train', 5), ('val', 2), ('test', 2)):
        generate_scenes(root / split, count, size=(48, 64), split=split)
    cfg = small_s4net(root)
    cfg.train_cfg.update(max_iters=2, val_interval=2)
    cfg.default_hooks.logger.interval = 1
    cfg.work_dir = str(root / 'work')
    cfg.dump(root / 'config.py')
    return root


@pytest.fixture(scope='module')
def checkpoint(folder):
    """What a training by mmdet's own script leaves."""
    run(host_script('mmdet', 'train.py'), folder / 'config.py', cwd=folder)
    return folder / 'work' / 'iter_2.pth'


@pytest.fixture(scope='module')
def results(checkpoint, folder):
    """The results that mmdet's own test script saves, and draws."""
    words = [folder / 'config.py', checkpoint, '--work-dir', folder / 'w']
    words += ['--out', folder / 'results.pkl', '--show-dir', 'shown']
    printed = run(host_script('mmdet', 'test.py'), *words, cwd=folder)
    assert 'instances/mask_ap50' in printed or 'mask_ap50' in printed
    return folder / 'results.pkl'


def test_mmdet_tests_saves_and_draws(results, folder):
    predictions = pickle.loads(results.read_bytes())
    assert len(predictions) == 2
    assert {'bboxes', 'scores', 'labels', 'masks'} <= set(predictions[0]['pred_instances'])
    assert len(list(folder.rglob('shown/**/*.png')) + list(folder.rglob('shown/**/*.jpg'))) == 2


def test_saved_results_are_scored_again(results, folder):
    words = [folder / 'config.py', results]
    printed = run(host_script('mmdet', 'analysis_tools/eval_metric.py'), *words, cwd=folder)
    assert 'mask_ap50' in printed


def test_data_sets_are_browsed(folder):
    words = [folder / 'config.py', '--not-show', '--output-dir', folder / 'browsed']
    run(host_script('mmdet', 'analysis_tools/browse_dataset.py'), *words, cwd=folder)
    assert len(list((folder / 'browsed').rglob('*.*'))) == 5


def test_flops_are_counted(folder):
    words = [folder / 'config.py', '--num-images', '1']
    printed = run(host_script('mmdet', 'analysis_tools/get_flops.py'), *words, cwd=folder)
    assert 'Flops' in printed and 'Params' in printed


API = """
import sys
import cv2
import numpy as np
from mmdet.apis import DetInferencer, inference_detector, init_detector

config, checkpoint, photo, out = sys.argv[1:]
model = init_detector(config, checkpoint, device='cpu')
assert model.dataset_meta['classes'] == ('salient',)
for name, given in (('path', photo), ('array', cv2.imread(photo))):
    instances = inference_detector(model, given).pred_instances
    np.savez(out + f'/{name}.npz', scores=instances.scores, boxes=instances.bboxes,
             masks=instances.masks)
inferencer = DetInferencer(model=config, weights=checkpoint, device='cpu')
result = inferencer(photo, out_dir=out, no_save_pred=False)
np.savez(out + '/inferencer.npz', scores=result['predictions'][0]['scores'])
assert 'sod_plugins.cli' not in sys.modules
"""


def test_mmdet_s_functions_find_what_ours_do(checkpoint, folder, tmp_path):
    photo = sorted((folder / 'test/images').iterdir())[0]
    (tmp_path / 'api.py').write_text(API)
    run(tmp_path / 'api.py', folder / 'config.py', checkpoint, photo, tmp_path, cwd=tmp_path)
    by_path, by_array = (np.load(tmp_path / f'{name}.npz') for name in ('path', 'array'))
    assert len(by_path['scores']) > 0
    for key in ('scores', 'boxes', 'masks'):
        np.testing.assert_array_equal(by_array[key], by_path[key])
    # The inferencer rounds what it returns.
    inferred = np.load(tmp_path / 'inferencer.npz')['scores']
    np.testing.assert_allclose(np.sort(inferred), np.sort(by_path['scores']), atol=1e-4)
    assert InstancePredictor(checkpoint, 'cpu').predict(photo) is not None
    assert json.loads(next(tmp_path.rglob('*.json')).read_text())['scores']


def test_mmdet_counts_confusions(results, folder, tmp_path):
    script = host_script('mmdet', 'analysis_tools/confusion_matrix.py')
    run(script, folder / 'config.py', results, tmp_path, cwd=tmp_path)
    assert (tmp_path / 'confusion_matrix.png').is_file()


def test_mmdet_analyses_errors_of_saved_results(results, folder, tmp_path):
    """COCO's list of results, as its own evaluation reads it."""
    truth = json.loads((folder / 'test/annotations.json').read_text())
    found = [
        {key: entry[key] for key in ('image_id', 'category_id', 'bbox')} | {'score': 0.5}
        for entry in truth['annotations']
    ]
    (tmp_path / 'found.json').write_text(json.dumps(found))
    words = ['found.json', 'errors', '--ann', folder / 'test/annotations.json']
    run(host_script('mmdet', 'analysis_tools/coco_error_analysis.py'), *words, cwd=tmp_path)
    assert list((tmp_path / 'errors').rglob('*.png'))
