from __future__ import annotations

import torch

from sod_plugins.networks.backbones import SAMNetBackbone


def first_gradient(zero_init_residual):
    """Return the gradient's norm at the first layer, for a fixed direction at the last map."""
    torch.manual_seed(0)
    net = SAMNetBackbone(zero_init_residual=zero_init_residual)
    maps = net(torch.randn(4, 3, 64, 64))
    torch.nn.functional.normalize(maps[-1].mean(dim=(2, 3))).sum().backward()
    return net.stages[0][0].conv.weight.grad.norm()


def test_modules_may_begin_as_the_identity():
    torch.manual_seed(0)
    net = SAMNetBackbone(zero_init_residual=True)
    x = images = torch.randn(2, 3, 64, 64)
    for stage, expected in zip(net.stages, net(images), strict=True):
        x = stage[0](x)  # the down-sampler
        torch.testing.assert_close(x, expected)
    assert torch.equal(net.stages[3][2].fuse.norm.weight, torch.zeros(96))
    assert torch.equal(SAMNetBackbone().stages[3][2].fuse.norm.weight, torch.ones(96))


def test_gradients_of_fresh_weights_explode_without_it():
    """Why it is there: measured are factors of some hundred."""
    assert first_gradient(False) > 30 * first_gradient(True)
