"""What a host's test found is scored by the images that were tested, and saved as it is scored."""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip('pycocotools')

from sod_plugins.data import Instances
from sod_plugins.data.instances import add_image, new_coco
from sod_plugins.metrics import score_instances
from sod_plugins.metrics.tested_instances import score_tested_instances

SIZE = (24, 30)
OPTIONS = dict(protocol='coco', kinds=('mask', 'box'), occlusion=0.1)


def square(left):
    mask = np.zeros(SIZE, dtype=bool)
    mask[4:12, left : left + 8] = True
    return mask


def found(*masks):
    masks = np.stack(masks)
    boxes = np.array([[m.any(0).argmax(), 4, m.any(0).argmax() + 8, 12] for m in masks], float)
    scores = np.linspace(0.9, 0.5, len(masks))
    return Instances(boxes, masks, scores, np.zeros(len(masks), np.int64)).to_coco()


def test_tested_images_alone_count(tmp_path):
    truth = new_coco()
    for name in 'abc':
        add_image(truth, f'{name}.png', SIZE, [square(0), square(16)])
    evaluation = score_tested_instances(
        {0: found(square(0), square(16)), 2: found(square(0))}, truth, out_dir=tmp_path, **OPTIONS
    )
    # Image 1 was not tested: three of four objects are found, 76 of 101 levels of recall.
    assert (evaluation.images, evaluation.instances, evaluation.predictions) == (2, 4, 3)
    assert evaluation.measures['mask_map'] == pytest.approx(76 / 101)
    saved = json.loads((tmp_path / 'measures.json').read_text('utf-8'))
    assert saved['mask_map'] == evaluation.measures['mask_map']
    again = score_instances(
        json.loads((tmp_path / 'instances.json').read_text('utf-8'))['annotations'],
        truth,
        images=[0, 2],
        **OPTIONS,
    )
    assert again.measures == evaluation.measures
