"""The Python of docs/detectron2.md runs as it stands there, its training cut down to one step."""

from __future__ import annotations

import multiprocessing
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

pytest.importorskip('detectron2.engine', exc_type=ImportError)

import sod_plugins.detectron2 as adapter
from sod_plugins.checkpoints import load_network
from sod_plugins.inference import SaliencyPredictor

ROOT = Path(__file__).parents[3]


def run_blocks(blocks):
    torch.set_num_threads(1)
    begin = adapter.Trainer.__init__

    def begin_small(self, cfg):
        cfg.MODEL.DEVICE = 'cpu'
        cfg.SOLVER.MAX_ITER, cfg.SOLVER.IMS_PER_BATCH, cfg.DATALOADER.NUM_WORKERS = 1, 2, 0
        begin(self, cfg)

    adapter.Trainer.__init__ = begin_small
    names = {}
    for number, block in enumerate(blocks, 1):
        exec(compile(block, f'detectron2.md, block {number}', 'exec'), names)
    assert set(names['hooks']) == {'decay', 'exact_resume'}
    saliency = SaliencyPredictor(load_network(names['cfg'].MODEL.WEIGHTS)).predict('photo.jpg')
    # OpenCV and Pillow may decode a JPEG's pixels one level apart.
    np.testing.assert_allclose(names['found']['saliency'].numpy(), saliency, rtol=0, atol=0.01)


def test_the_python_of_the_page_runs(scenes, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'configs').symlink_to(ROOT / 'configs')
    (tmp_path / 'data').mkdir()
    (tmp_path / 'data/mine').symlink_to(scenes / 'train')
    (tmp_path / 'photo.jpg').symlink_to(scenes / 'test/images/000000.jpg')
    page = (ROOT / 'docs/detectron2.md').read_text('utf-8')
    blocks = re.findall(r'```python\n(.*?)```', page, flags=re.DOTALL)
    assert len(blocks) == 3
    # In a process of its own, as it registers data sets.
    process = multiprocessing.get_context('fork').Process(target=run_blocks, args=(blocks,))
    process.start()
    process.join()
    assert process.exitcode == 0, 'a block ended with the traceback above'
    assert load_network(next(tmp_path.rglob('model_final.pth'))).task == 'saliency'
    assert Image.open(tmp_path / 'drawn.png').size == Image.open(tmp_path / 'photo.jpg').size
