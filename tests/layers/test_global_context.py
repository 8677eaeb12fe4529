from __future__ import annotations

import torch

from sod_plugins.layers.global_context import GlobalContext


def test_adds_the_fusion_of_the_map_and_what_it_attends_to():
    torch.manual_seed(0)
    context = GlobalContext(6, hidden_channels=4, kernel_size=3).eval()
    x = torch.randn(2, 6, 5, 7)
    fused = context.fuse.conv(torch.cat((x, context.attention(x)), 1))
    torch.testing.assert_close(context(x), x + context.fuse.norm(fused))


def test_every_pixel_sees_the_whole_map_and_every_parameter_learns():
    torch.manual_seed(0)
    context = GlobalContext(6, hidden_channels=4, kernel_size=3)
    x = torch.randn(2, 6, 5, 7, requires_grad=True)
    seen = torch.autograd.grad(context(x)[0, :, 0, 0].sum(), x, retain_graph=True)[0]
    assert (seen[0].abs().sum(0) > 0).all()
    context(x).square().sum().backward()
    assert all(p.grad.isfinite().all() and p.grad.any() for p in context.parameters())
