"""The Python of the README and the docs runs as it stands there."""

from __future__ import annotations

import multiprocessing
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from reference_values import settle_statistics

from sod_plugins.networks import CSNet, PiCANet, S4Net, SAMNet, save_network
from sod_plugins.networks.backbones import VGG

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    page
    for page in (ROOT / 'README.md', *sorted((ROOT / 'docs').glob('*.md')))
    if '```python' in page.read_text('utf-8') and page.name != 'detectron2.md'  # needs detectron2
]
NARROW = {'type': 'MobileNet', 'width': 0.25}


def blocks_of(page: Path) -> list[str]:
    return re.findall(r'```python\n(.*?)```', page.read_text('utf-8'), flags=re.DOTALL)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A folder with the files that the pages name."""
    root = tmp_path_factory.mktemp('docs')
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (160, 200, 3), dtype=np.uint8)).save(root / 'photo.jpg')
    for name in ('maps', 'masks'):
        (root / name).mkdir()
        mask = np.zeros((20, 30), np.uint8)
        mask[5:15, 8:20] = 255
        Image.fromarray(mask).save(root / name / 'a.png')
    torch.manual_seed(0)
    csnet = CSNet(weight_scale=1.0)
    settle_statistics(csnet, torch.randn(4, 3, 64, 64))
    for name, weight in csnet.named_parameters():
        if '.norms.' in name and name.endswith('.weight'):
            weight.data[0] = 0  # a channel to prune
    for name in ('csnet', 'csnet-x1', 'csnet-x2'):
        save_network(root / f'{name}.pth', csnet)
    save_network(root / 'samnet.pth', SAMNet(backbone={'type': 'SAMNet', 'width': 0.5}))
    save_network(root / 's4net.pth', S4Net(backbone=NARROW | {'out_indices': (2, 3, 4)}))
    save_network(root / 'picanet.pth', PiCANet(backbone=NARROW, setting='5GAP_432AC'))
    torch.save(VGG(16).state_dict(), root / 'vgg16-397923af.pth')
    return root


@pytest.mark.parametrize('page', PAGES, ids=lambda page: page.name)
def test_the_python_of_a_page_runs(page, folder, monkeypatch):
    """All blocks of a page one after the other, with the names that its prose introduces."""
    monkeypatch.chdir(folder)
    names = {
        'images': torch.rand(2, 3, 64, 64),
        'saliency': np.full((20, 30), 0.5, np.float32),
        'mask': np.eye(20, 30, dtype=np.float32),
    }
    # In a process of its own, as a page may register what other tests would meet.
    process = multiprocessing.get_context('fork').Process(target=run_blocks, args=(page, names))
    process.start()
    process.join()
    assert process.exitcode == 0, f'{page.name} ended with the traceback above'


def run_blocks(page: Path, names: dict[str, Any]) -> None:
    torch.set_num_threads(1)
    for number, block in enumerate(blocks_of(page), 1):
        code = compile(block, f'{page.name}, block {number}', 'exec')
        exec(code, names)
