from __future__ import annotations

import re

import pytest
import torch
from reference_values import load_tool, save_training_checkpoint

from sod_plugins.analysis.complexity import count_macs, count_macs_csnet, count_parameters
from sod_plugins.networks import CSNet, CSNetClassifier, Preprocessing, SAMNet, save_network
from sod_plugins.optim import prune

tool = load_tool('analysis_tools/csnet_tasks.py')
ARGUMENTS = {'width': 0.4, 'stage_blocks': (1, 1, 1, 1)}


@pytest.fixture
def networks(tmp_path):
    """Save a saliency network without 30 of its channels and a classifier without 6 of them."""
    saliency, basis = CSNet(**ARGUMENTS), CSNet(**ARGUMENTS)
    with torch.no_grad():
        for network in (saliency, basis):
            network.backbone.stages[1][0].conv1.norms[0].weight[:6] = 1e-12
        saliency.backbone.stages[2][0].conv1.norms[0].weight[:24] = -1e-12
    basis.preprocessing = Preprocessing((32, 32))
    save_network(tmp_path / 'saliency.pth', saliency)
    save_training_checkpoint(tmp_path / 'classes.pth', CSNetClassifier(basis, 7), ARGUMENTS)
    return saliency, basis


def test_what_a_threshold_leaves_for_each_task(networks, tmp_path, capsys):
    files = [str(tmp_path / 'saliency.pth'), str(tmp_path / 'classes.pth')]
    tool.main([*files, '--threshold', '1e-8', '--size', '32', '48'])
    table = [re.split(r' *\| *', line)[1:-1] for line in capsys.readouterr().out.splitlines()]
    cells = {row[0]: row[1:] for row in table[2:]}
    saliency, basis = networks
    small, left = (prune(network, threshold=1e-8) for network in networks)
    merged = saliency.decode_head.channels
    # The 1x1 classifier makes way for one of 7 classes.
    more = 7 * (merged + 1) - (merged + 1)
    full = count_parameters(saliency), count_parameters(basis) + more
    counts = {
        'saliency, full': (full[0], full[0]),
        'saliency, learned channels': (count_parameters(small), full[0]),
        '7 classes, full': (full[1], full[1]),
        '7 classes, learned channels': (count_parameters(left) + more, full[1]),
    }
    assert list(cells) == list(counts)
    for name, (count, whole) in counts.items():
        assert cells[name][:2] == [f'{count:,}', f'{count / whole:.0%}'], name
    assert cells['saliency, learned channels'][2:] == [
        f'{count_macs(small, (32, 48)) / 1e9:.4f}G',
        f'{count_macs_csnet(small, (32, 48)) / 1e9:.4f}G',
    ]
    costs = [float(row[3][:-1]) for row in cells.values()]
    assert costs[1] < costs[0] > costs[2] > costs[3] > 0


def test_other_files_are_refused(networks, tmp_path):
    saliency, classes = tmp_path / 'saliency.pth', tmp_path / 'classes.pth'
    save_network(tmp_path / 'samnet.pth', SAMNet())
    for files, message in (
        ((saliency, saliency), r'saliency\.pth holds a CSNet, which is not a classifier'),
        ((tmp_path / 'samnet.pth', classes), 'is a SAMNet, not a CSNet'),
    ):
        with pytest.raises(SystemExit, match=message):
            tool.main([str(path) for path in files])
