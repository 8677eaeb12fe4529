from __future__ import annotations

import copy

import numpy as np
import pytest

from sod_plugins.data import DataError, ignore_small
from sod_plugins.data.instances import add_image, new_coco


def test_instances_below_the_share_are_ignored():
    masks = np.zeros((3, 10, 20), bool)
    masks[0, 0, :4] = True  # exactly 2%
    masks[1, 5, :3] = True
    masks[2, 6:] = True
    coco = new_coco()
    add_image(coco, 'a.png', (10, 20), masks)
    add_image(coco, 'b.png', (2, 2), [np.eye(2, dtype=bool)])
    coco['annotations'][2]['iscrowd'] = 1
    before = copy.deepcopy(coco)
    marked = ignore_small(coco, 0.02)
    assert coco == before
    assert [entry['iscrowd'] for entry in marked['annotations']] == [0, 1, 1, 0]
    assert marked['images'] == coco['images']
    assert ignore_small(coco, 0) == coco
    for share in (-0.1, 1.1, float('nan')):
        with pytest.raises(DataError, match=f'share is {share}'):
            ignore_small(coco, share)
