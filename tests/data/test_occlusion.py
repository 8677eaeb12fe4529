from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sod_plugins.data import occluded_images
from sod_plugins.data.instances import add_image, new_coco
from sod_plugins.data.occlusion import box_overlaps

TOOL = Path(__file__).parents[2] / 'tools' / 'analysis_tools' / 'occlusion_subset.py'


def rectangle(left, top, width, height):
    mask = np.zeros((40, 40), dtype=bool)
    mask[top : top + height, left : left + width] = True
    return mask


@pytest.fixture
def coco():
    """Images of: no object, one, two apart, two that touch, share 1/4, one in another."""
    made = new_coco()
    scenes = [
        [],
        [rectangle(0, 0, 9, 9)],
        [rectangle(0, 0, 9, 9), rectangle(10, 0, 9, 9)],
        [rectangle(0, 0, 10, 9), rectangle(10, 0, 9, 9)],
        [rectangle(0, 0, 20, 20), rectangle(15, 15, 10, 10), rectangle(35, 35, 2, 2)],
        [rectangle(0, 0, 30, 30), rectangle(5, 5, 3, 3)],
    ]
    for number, masks in enumerate(scenes):
        add_image(made, f'{number}.png', (40, 40), masks)
    return made


def test_overlap_is_a_part_of_the_smaller_box():
    boxes = [[0, 0, 20, 20], [15, 15, 10, 10], [20, 0, 5, 5], [30, 30, 1, 1]]
    np.testing.assert_allclose(
        box_overlaps(boxes),
        [[-1, 0.25, 0, -1], [0.25, -1, -1, -1], [0, -1, -1, -1], [-1, -1, -1, -1]],
    )
    assert box_overlaps([]).shape == (0, 0)


def test_images_with_occlusion(coco):
    assert occluded_images(coco) == {4: 0.25, 5: 1.0}
    assert occluded_images(coco, 0.3) == {5: 1.0}
    assert occluded_images(coco, 0) == {3: 0.0, 4: 0.25, 5: 1.0}
    coco['annotations'][-1]['iscrowd'] = 1
    assert occluded_images(coco) == {4: 0.25}
    with pytest.raises(ValueError, match='Give a number from 0 to 1'):
        occluded_images(coco, 25)


def test_tool_lists_the_images(coco, tmp_path):
    path = tmp_path / 'instances.json'
    path.write_text(json.dumps(coco))
    command = [sys.executable, TOOL, path, '--occlusion', '0', '-o', tmp_path / 'out' / 'list.txt']
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == '3.png\t0.000\n4.png\t0.250\n5.png\t1.000\n3 of 6 images\n'
    assert (tmp_path / 'out' / 'list.txt').read_text() == '3.png\n4.png\n5.png\n'
