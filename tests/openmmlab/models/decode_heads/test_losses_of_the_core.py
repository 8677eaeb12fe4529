"""By default a head's losses are the plain decoder's, to the bit."""

from __future__ import annotations

import pytest
import torch
from mmengine.registry import MODELS

WIDTHS = (8, 16, 32)
CONTEXT = {'gap_kernel_size': 4, 'renet_channels': 4, 'attention_channels': 4, 'tap_norm': 'all'}
SALIENCY = {
    'CSFHead': {},
    'SAMNetHead': {'dropout': 0.0},
    'ITDBUHead': {'iterations': 2, 'unify_channels': 8, 'hidden_channels': 4},
    'PiCANetHead': {'setting': '3GAP_2AC', 'local_attention_weight': 0.1, **CONTEXT},
}
SEMANTIC = {
    'PiCANetASPPHead': {'in_channels': 32, 'channels': 16, 'num_classes': 5, 'dropout_ratio': 0.0},
    'PiCANetUNetHead': {
        'in_channels': WIDTHS,
        'num_classes': 5,
        'setting': '5GAP_4AC',
        'level_weights': (0.8, 0.5, 0.5),
        **CONTEXT,
    },
}
LOGGED = {'bce_last', 'acc_seg'}  # what a head logs beside the losses


def losses_of_both(name, arguments, labels, labelled):
    """Return the losses of a registered head, and those of its decoder outside the host."""
    torch.manual_seed(0)
    head = MODELS.build({'type': f'sod_plugins.{name}', **arguments}).train()
    maps = [torch.randn(2, c, s, s) for c, s in zip(WIDTHS, (16, 8, 4), strict=True)]
    found = head.loss(maps, [labelled(label) for label in labels], train_cfg={})
    assert LOGGED & set(found) == {key for key in found if 'loss' not in key}
    outputs = head.net(maps[-1] if name == 'PiCANetASPPHead' else maps)
    expected = head.net.losses(outputs, labels[:, None], ignore_value=255)
    return {key: loss for key, loss in found.items() if key not in LOGGED}, expected


@pytest.mark.parametrize('name', SALIENCY)
@pytest.mark.parametrize('padding', [0, 5])
def test_saliency(name, padding, labelled):
    torch.manual_seed(1)
    masks = torch.rand(2, 30, 28)
    masks[:, 30 - padding :] = 255
    arguments = {'in_channels': WIDTHS, **SALIENCY[name]}
    found, expected = losses_of_both(name, arguments, masks, labelled)
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[key], expected[key]) for key in expected)


@pytest.mark.parametrize('name', SEMANTIC)
def test_classes(name, labelled):
    torch.manual_seed(1)
    labels = torch.randint(5, (2, 30, 28))
    labels[:, 25:] = 255
    found, expected = losses_of_both(name, SEMANTIC[name], labels, labelled)
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[key], expected[key]) for key in expected)
