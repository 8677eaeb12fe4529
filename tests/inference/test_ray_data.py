"""Two local workers of Ray, one of them killed."""

from __future__ import annotations

import io
import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sod_plugins._common.input_format import InputFormat
from sod_plugins.data import DataError, encode_image
from sod_plugins.inference import OutputOptions, encode_product, ray_predict
from sod_plugins.inference.image_work import ImageWork
from sod_plugins.inference.preparing import prepare

pytestmark = pytest.mark.service
pytest.importorskip('ray.data')


class Mortal:
    """A runner whose map is the red channel; the first process to reach a photo of red 77 dies."""

    input_format = InputFormat(size=(8, 8), mean=(0, 0, 0), std=(255, 255, 255))
    batch_size = 1
    model = 'red'

    def __init__(self, folder):
        self.folder = str(folder)

    def prepare(self, image):
        return prepare(image, self.input_format)

    def small_maps(self, inputs):
        with (Path(self.folder) / f'{os.getpid()}.log').open('a') as file:
            file.write('x\n')
        maps = np.stack(inputs)[:, 0]
        if np.abs(maps - 77 / 255).max() < 1e-6:
            try:
                (Path(self.folder) / 'died').touch(exist_ok=False)
            except FileExistsError:
                return maps
            os.kill(os.getpid(), signal.SIGKILL)
        return maps


@pytest.fixture(scope='module')
def ray():
    import ray

    os.environ['RAY_USAGE_STATS_ENABLED'] = '0'
    ray.init(
        num_cpus=2,
        include_dashboard=False,
        object_store_memory=200_000_000,
        _node_ip_address='127.0.0.1',
        runtime_env={'env_vars': {'PYTHONPATH': os.pathsep.join(sys.path)}},
    )
    ray.data.DataContext.get_current().enable_progress_bars = False
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    yield ray
    ray.shutdown()


def photo(red):
    return encode_image(np.full((20, 30, 3), (red, 9, 9), np.uint8))


def test_a_killed_worker_loses_nothing_and_doubles_nothing(ray, tmp_path):
    rows = [{'name': str(red), 'bytes': photo(red)} for red in range(120)]
    rows[40]['bytes'] = b'no image'
    rows[90]['bytes'] = photo(90)[:60]
    result = ray_predict(ray.data.from_items(rows), Mortal(tmp_path), batch_size=4, num_cpus=1)
    found = result.take_all()
    assert (tmp_path / 'died').exists()
    assert len(list(tmp_path.glob('*.log'))) == 3  # two workers, and the one in a dead one's place
    assert sorted(int(row['name']) for row in found) == list(range(120))
    for row in found:
        assert set(row) == {'name', 'map', 'error'}
        red = int(row['name'])
        if red in (40, 90):
            assert row['map'] == b'' and row['error'].startswith('Cannot read image of ')
            continue
        assert row['error'] == ''
        with Image.open(io.BytesIO(row['map'])) as image:
            assert (np.asarray(image) == red).all() and image.size == (30, 20)


def test_two_actors_on_two_processors_leave_room_for_reading_files(ray, tmp_path):
    folder = tmp_path / 'photos'
    folder.mkdir()
    for red in range(12):
        (folder / f'{red}.png').write_bytes(photo(red))
    files = ray.data.read_binary_files(str(folder), include_paths=True)
    found = ray_predict(files, Mortal(tmp_path), actors=2, batch_size=2).take_all()
    assert sorted(Path(row['path']).name for row in found) == sorted(f'{r}.png' for r in range(12))
    for row in found:
        with Image.open(io.BytesIO(row['map'])) as image:
            assert (np.asarray(image) == int(Path(row['path']).stem)).all()


def test_the_default_model_gives_several_products(ray):
    pytest.importorskip('onnxruntime')
    from sod_plugins.data import draw_scene
    from sod_plugins.inference import SaliencyPredictor

    scenes = [draw_scene(np.random.default_rng(s), (60, 80)).image for s in range(4)]
    rows = ray.data.from_items([{'bytes': encode_image(scene)} for scene in scenes])
    options = OutputOptions(format='webp', threshold=0.5)
    found = ray_predict(
        rows, products=('mask', 'cutout'), options=options, actors=1, backend='torch'
    ).take_all()
    predictor = SaliencyPredictor(device='cpu')
    for product in ('mask', 'cutout'):
        expected = [encode_product(predictor, s, product, options).content for s in scenes]
        assert {row[product] for row in found} == set(expected)


def test_wrong_words_are_refused_before_work(ray):
    rows = ray.data.from_items([{'image': b''}])
    with pytest.raises(ValueError, match="Did you mean 'cutout'"):
        ray_predict(rows, products=('cutuot',))
    with pytest.raises(ValueError, match='jpeg holds no transparency'):
        ray_predict(rows, products=('cutout',), options=OutputOptions(format='jpeg'))
    with pytest.raises(Exception, match="no column 'bytes' of encoded images"):
        ray_predict(rows, Mortal('.'), actors=1).take_all()


def test_the_stand_in_is_what_it_says(tmp_path):
    work = ImageWork(Mortal(tmp_path), ['map'])
    image = work.decode(photo(200))
    assert (work.compute([image])[0] == np.float32(200 / 255)).all()
    with pytest.raises(DataError):
        work.decode(b'no image')
