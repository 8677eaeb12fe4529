"""The loop of ``docs/plain-pytorch.md`` trains each of the five networks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from sod_plugins.networks import ITDBU, CSNet, PiCANet, S4Net, SAMNet

PAGE = Path(__file__).parents[1] / 'docs' / 'plain-pytorch.md'
NARROW = {'type': 'MobileNet', 'width': 0.25}
NETWORKS = {
    'CSNet': lambda: CSNet(width=0.4),
    'SAMNet': lambda: SAMNet({'type': 'SAMNet', 'width': 0.5, 'modules': (1, 1, 1, 1, 1)}),
    'ITDBU': lambda: ITDBU(NARROW, iterations=2, unify_channels=8, hidden_channels=4),
    'PiCANet': lambda: PiCANet(
        '5GAP_4AC',
        NARROW,
        channels=(4, 4, 6, 6, 8),
        renet_channels=4,
        attention_channels=4,
        init_std=None,
    ),
    'S4Net': lambda: S4Net(NARROW),
}


@pytest.fixture(scope='module')
def train():
    """The function of the first block: ten lines that need nothing of this package."""
    block = re.search(r'```python\n(.*?)```', PAGE.read_text('utf-8'), re.DOTALL)[1]
    assert 'sod_plugins' not in block
    assert len([line for line in block.splitlines() if line.strip()]) <= 10
    names = {}
    exec(compile(block, PAGE.name, 'exec'), names)
    return names['train']


@pytest.mark.parametrize('name', NETWORKS)
def test_the_loop_trains_it(name, train):
    torch.manual_seed(0)
    network = NETWORKS[name]()
    masks = torch.zeros(2, 1, 64, 64)
    masks[0, :, 8:40, 10:50] = masks[1, :, 20:60, 4:30] = 1
    images = torch.randn(2, 3, 64, 64) + 2 * masks
    targets = masks
    if name == 'S4Net':
        boxes = torch.tensor([[10.0, 8, 50, 40], [4, 20, 30, 60]])
        targets = [
            {'boxes': box[None], 'masks': mask} for box, mask in zip(boxes, masks, strict=True)
        ]
    first = train(network, [(images, targets)])
    last = train(network, [(images, targets)] * 20)
    assert last.keys() == first.keys()
    assert sum(last.values()) < 0.9 * sum(first.values())
