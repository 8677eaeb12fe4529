from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sod_plugins.data import DataError, check_dataset, find_pairs, generate_scenes, read_mask

SIZE = (48, 64)
TOOL = Path(__file__).parents[2] / 'tools' / 'dataset_converters' / 'synthetic_scenes.py'


def content(root: Path) -> dict[str, bytes]:
    files = sorted(path for path in root.rglob('*') if path.is_file())
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


@pytest.fixture(scope='module')
def scenes(tmp_path_factory):
    return generate_scenes(tmp_path_factory.mktemp('scenes') / 'train', 12, size=SIZE)


def test_folder_is_a_sound_data_set(scenes):
    pairs = find_pairs(scenes)
    assert [pair.stem for pair in pairs] == [f'{index:06d}' for index in range(12)]
    report = check_dataset(scenes, progress=False)
    assert report.ok
    assert report.sizes == {SIZE: 12}
    assert len(report.soft_masks) == 12
    assert not report.empty_masks
    assert {Image.open(pair.mask).mode for pair in pairs} == {'L'}


def test_same_seed_gives_the_same_bytes(scenes, tmp_path):
    assert content(generate_scenes(tmp_path / 'again', 12, size=SIZE)) == content(scenes)


def test_fewer_scenes_are_the_beginning_of_more(scenes, tmp_path):
    fewer, more = content(generate_scenes(tmp_path / 'few', 5, size=SIZE)), content(scenes)
    drawn = [name for name in fewer if not name.endswith('.json')]
    assert len(drawn) == 10
    assert all(fewer[name] == more[name] for name in drawn)
    fewer_coco, coco = (json.loads(files['annotations.json']) for files in (fewer, more))
    for key in ('images', 'annotations'):
        assert fewer_coco[key] == coco[key][: len(fewer_coco[key])]


@pytest.mark.parametrize('other', [{'seed': 1}, {'split': 'val'}, {'split': 'test'}])
def test_seeds_and_splits_share_no_scene(scenes, tmp_path, other):
    images = content(generate_scenes(tmp_path / 'other', 4, size=SIZE, **other) / 'images')
    assert not set(images.values()) & set(content(scenes / 'images').values())


def test_annotations_match_the_masks_through_pycocotools(scenes):
    coco_module = pytest.importorskip('pycocotools.coco')
    coco = coco_module.COCO(scenes / 'annotations.json')
    assert [category['name'] for category in coco.loadCats(coco.getCatIds())] == ['salient']
    assert sorted(coco.anns) == list(range(1, len(coco.anns) + 1))
    assert {annotation['iscrowd'] for annotation in coco.anns.values()} == {0}
    for index, image in coco.imgs.items():
        annotations = coco.loadAnns(coco.getAnnIds(index))
        masks = [coco.annToMask(annotation) for annotation in annotations]
        # Instances are disjoint, and together they are the salient pixels.
        saliency = read_mask(scenes / 'masks' / Path(image['file_name']).with_suffix('.png'))
        np.testing.assert_array_equal(np.sum(masks, axis=0), saliency > 0.5)
        for annotation, mask in zip(annotations, masks, strict=True):
            rows, columns = np.nonzero(mask)
            x, y, width, height = annotation['bbox']
            assert (x, x + width - 1) == (columns.min(), columns.max())
            assert (y, y + height - 1) == (rows.min(), rows.max())
            assert annotation['area'] == mask.sum()


def test_second_call_writes_nothing(scenes):
    before = {path: path.stat().st_mtime_ns for path in scenes.rglob('*')}
    assert generate_scenes(scenes, 12, size=SIZE) == scenes
    assert {path: path.stat().st_mtime_ns for path in scenes.rglob('*')} == before


def test_interrupted_call_is_completed(scenes, tmp_path):
    out = generate_scenes(tmp_path / 'out', 12, size=SIZE)
    manifest = out / 'manifest.json'
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), 'complete': False}))
    (out / 'annotations.json').unlink()
    (out / 'images/000003.jpg').write_bytes(b'half')
    generate_scenes(out, 12, size=SIZE)
    assert content(out) == content(scenes)


def test_other_parameters_are_refused(scenes):
    with pytest.raises(DataError, match=r'holds other scenes: seed 0 instead of 7\. Give another'):
        generate_scenes(scenes, 12, size=SIZE, seed=7)


def test_other_content_is_refused_and_kept(tmp_path):
    (tmp_path / 'notes.txt').write_text('mine')
    with pytest.raises(DataError, match=r'holds other files: notes\.txt\. Give a new or empty'):
        generate_scenes(tmp_path, 2, size=SIZE)
    assert content(tmp_path) == {'notes.txt': b'mine'}
    with pytest.raises(DataError, match='is not a folder'):
        generate_scenes(tmp_path / 'notes.txt', 2, size=SIZE)


def test_damaged_manifest_is_refused(tmp_path):
    (tmp_path / 'manifest.json').write_text('{')
    with pytest.raises(DataError, match=r"manifest\.json' is damaged"):
        generate_scenes(tmp_path, 2, size=SIZE)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'count': 0}, 'count is 0. Give 1 to 10,000,000 scenes.'),
        ({'seed': -1}, 'seed is -1. Give 0 or a positive number.'),
        ({'size': (16, 64)}, r'size is \(16, 64\)\. Give a height and a width of 32'),
        ({'split': 'dev'}, "split must be one of 'train', 'val', 'test', got 'dev'."),
    ],
)
def test_bad_arguments_are_refused_before_writing(tmp_path, arguments, message):
    with pytest.raises(DataError, match=message):
        generate_scenes(tmp_path / 'out', **{'count': 1, **arguments})
    assert not (tmp_path / 'out').exists()


def test_command(scenes, tmp_path):
    command = [sys.executable, TOOL, tmp_path / 'out', '--size', '48', '64', '--count']
    done = subprocess.run([*command, '12'], capture_output=True, text=True, check=True)
    assert done.stdout == f'12 scenes in {tmp_path / "out"}\n'
    assert content(tmp_path / 'out') == content(scenes)
    refused = subprocess.run([*command, '3'], capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert refused.stderr.startswith('sod: error: ')
    assert 'count 12 instead of 3' in refused.stderr
