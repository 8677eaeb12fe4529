from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from sod_plugins.data import Instances, encode_png
from sod_plugins.data.instance_file import InstanceFile
from sod_plugins.inference import Shard, merge_shards, predict_files
from sod_plugins.inference.manifest import Manifest

pytest.importorskip('onnxruntime')


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / 'photos'
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(7):
        Image.fromarray(rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)).save(
            folder / f'{number}.jpg'
        )
    return folder


def run(photos, out, **options):
    return predict_files([photos], out, device='cpu', progress=False, **options)


def test_shards_are_read_from_words():
    assert Shard.parse('3/8') == Shard(3, 8)
    for text in ('0/3', '4/3', '1', 'a/b', '1/0', '-1/2'):
        with pytest.raises(ValueError, match=r'I/N'):
            Shard.parse(text)


def test_shards_share_the_images_and_are_joined(photos, tmp_path):
    out = tmp_path / 'out'
    (photos / 'broken.jpg').write_bytes(b'no image')
    parts = [run(photos, out, shard=Shard(index, 3)) for index in (2, 1, 3)]
    written = [image for part in parts for image in part.written]
    assert len(written) == len(set(written)) == 7
    merged = merge_shards(out)
    assert (merged.shards, merged.images) == (3, 8)
    assert [name for name in merged.unreadable if name.endswith('broken.jpg')]
    assert {path.name for path in out.iterdir()} == {
        *(f'{number}.png' for number in range(7)),
        'sod-predict.json',
    }
    assert len(run(photos, out).skipped) == 7  # the whole work goes on from the shards'
    run(photos, tmp_path / 'whole')
    for number in range(7):
        first, second = (d / f'{number}.png' for d in (out, tmp_path / 'whole'))
        assert first.read_bytes() == second.read_bytes()


def test_missing_shards_and_other_works_are_named(photos, tmp_path):
    out = tmp_path / 'out'
    out.mkdir()
    with pytest.raises(ValueError, match='has no shards'):
        merge_shards(out)
    run(photos, out, shard=Shard(1, 3))
    with pytest.raises(ValueError, match='missing: 2/3, 3/3'):
        merge_shards(out)
    run(photos, out, shard=Shard(2, 3))
    (photos / '9.jpg').write_bytes((photos / '1.jpg').read_bytes())
    run(photos, out, shard=Shard(3, 3))
    with pytest.raises(ValueError, match='differ in their list of images'):
        merge_shards(out)
    run(photos, out, shard=Shard(1, 2), overwrite=True)
    with pytest.raises(ValueError, match='jobs in 2 and 3 parts'):
        merge_shards(out)


def test_a_killed_shard_is_named_and_run_again(photos, tmp_path):
    """Nothing is lost and nothing made twice."""
    out = tmp_path / 'out'
    for number in range(7, 60):
        (photos / f'{number}.jpg').write_bytes((photos / '0.jpg').read_bytes())
    run(photos, out, shard=Shard(2, 2))
    words = ['-m', 'sod_plugins.cli', 'predict', photos, '-o', out, '--shard', '1/2']
    words += ['--device', 'cpu', '--workers', '0', '--backend', 'torch']
    process = subprocess.Popen([sys.executable, *map(str, words)], stderr=subprocess.DEVNULL)
    mine = [f'{number}.png' for number in sorted(map(str, range(60)))[0::2]]
    deadline = time.monotonic() + 120
    while not (out / mine[2]).exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    done = {name: (out / name).stat().st_mtime_ns for name in mine if (out / name).exists()}
    assert 3 <= len(done) < 30
    with pytest.raises(ValueError, match='did not finish: 1/2'):
        merge_shards(out)
    again = run(photos, out, shard=Shard(1, 2), backend='torch')
    assert {f'{image.stem}.png' for image in again.skipped} == set(done)
    assert all((out / name).stat().st_mtime_ns == stamp for name, stamp in done.items())
    assert merge_shards(out).images == 60
    assert len(list(out.glob('*.png'))) == 60


def test_instances_of_shards_become_one_file(tmp_path):
    found = Instances(
        np.array([[1, 1, 3, 4]], np.float32),
        np.pad(np.ones((1, 3, 2), bool), ((0, 0), (1, 2), (1, 4))),
        np.array([0.5], np.float32),
        np.zeros(1, np.int64),
    )
    for index in (1, 2):
        shard = Shard(index, 2)
        names = {tmp_path / f'{n}.jpg': tmp_path / f'{n}.png' for n in 'abc'}
        with InstanceFile(shard.instances(tmp_path)) as file:
            for image in shard.take(names):
                file.add(image.name, found)
        manifest = Manifest(shard.manifest(tmp_path), 'model', {'instances': {}})
        manifest.begin(present=False, overwrite=False)
        manifest.finish(**shard.results(names, shard.take(names), {}))
    assert merge_shards(tmp_path).images == 3
    joined = json.loads((tmp_path / 'instances.json').read_text('utf-8'))
    assert sorted(image['file_name'] for image in joined['images']) == ['a.jpg', 'b.jpg', 'c.jpg']
    assert [entry['id'] for entry in joined['annotations']] == [1, 2, 3]
    assert {path.name for path in tmp_path.iterdir()} == {'instances.json', 'sod-predict.json'}


# --- the record of a run ---


def test_another_model_or_other_options_are_refused(photos, tmp_path):
    out = tmp_path / 'out'
    run(photos, out, cutout=True)
    record = json.loads((out / 'sod-predict.json').read_text('utf-8'))
    assert record['model'].startswith('sod-small, SHA-256 ')
    assert len(run(photos, out, overlay=True).written) == 7  # a kind more is no other option
    assert len(run(photos, out, cutout=True, overlay=True).skipped) == 7
    with pytest.raises(ValueError, match=r'other options of the map\. .*--overwrite'):
        run(photos, out, exif='ignore')
    del record['pictures']['cutout']['contrast']  # as runs did whose cut-outs had the map as alpha
    (out / 'sod-predict.json').write_text(json.dumps(record), 'utf-8')
    with pytest.raises(ValueError, match=r'other options of the cutout\. .*--overwrite'):
        run(photos, out, cutout=True)
    record['model'] = 'another'
    (out / 'sod-predict.json').write_text(json.dumps(record), 'utf-8')
    with pytest.raises(ValueError, match=r"by another model \('another'\)"):
        run(photos, out)
    assert len(run(photos, out, overwrite=True).written) == 7
    assert len(run(photos, out).skipped) == 7
    (out / 'sod-predict.json').unlink()
    with pytest.raises(ValueError, match=r'without a sod-predict\.json that says what made them'):
        run(photos, out)
    (out / 'sod-predict.json').write_text('[]', 'utf-8')
    with pytest.raises(ValueError, match='not a record of a run of this version'):
        run(photos, out, overwrite=True)


def test_an_interrupted_change_of_model_is_not_taken_for_a_whole(photos, tmp_path, monkeypatch):
    out = tmp_path / 'out'
    run(photos, out)

    def interrupted(self, images):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr('sod_plugins.inference.light.LightNetwork.small_maps', interrupted)
        run(photos, out, exif='ignore', overwrite=True)
    with pytest.raises(ValueError, match='interrupted while it replaced them'):
        run(photos, out, exif='ignore')
    assert len(run(photos, out, exif='ignore', overwrite=True).written) == 7
    assert len(run(photos, out, exif='ignore').skipped) == 7


def test_pictures_that_are_no_result_stay_unasked(photos, tmp_path):
    """A folder that has other pictures is no obstacle."""
    out = tmp_path / 'out'
    out.mkdir()
    (out / 'mine.png').write_bytes(encode_png(np.zeros((3, 3), np.uint8)))
    assert len(run(photos, out).written) == 7
