import pytest
import torch
from torch import nn
from torch.nn import functional as F

from sod_plugins.networks import S4NetFPN, S4NetMaskBranch, count_parameters


def test_pyramid_has_the_published_parameters() -> None:
    assert count_parameters(S4NetFPN((256, 512, 1024, 2048), num_outs=5)) == 2_754_304


@pytest.mark.parametrize('upsample', ['nearest', 'bilinear'])
def test_pyramid_step_by_step(upsample: str) -> None:
    pyramid = S4NetFPN((2, 3, 4), 5, 4, upsample=upsample)
    maps = [torch.rand(2, c, s, s + 1) for c, s in ((2, 9), (3, 5), (4, 3))]
    laterals = [conv(x) for conv, x in zip(pyramid.laterals, maps, strict=True)]
    middle = laterals[1] + F.interpolate(laterals[2], size=(5, 6), mode=upsample)
    fine = laterals[0] + F.interpolate(middle, size=(9, 10), mode=upsample)
    levels = pyramid(maps)
    torch.testing.assert_close(levels[0], pyramid.smooth[0](fine))
    torch.testing.assert_close(levels[1], pyramid.smooth[1](middle))
    torch.testing.assert_close(levels[2], laterals[2])
    # Windows at the border of an odd size average what is there.
    assert levels[3].shape == (2, 5, 2, 2)
    torch.testing.assert_close(levels[3][:, :, 1, 1], laterals[2][:, :, 2, 2:].mean(-1))


def test_legacy_resize_is_the_tensorflow_one() -> None:
    pyramid = S4NetFPN((1, 1), 1, 2, upsample='legacy_bilinear')
    for conv in (*pyramid.laterals, *pyramid.smooth):
        nn.init.dirac_(conv.weight)
    coarse = torch.tensor([[0.0, 4, 8], [12, 16, 20]])[None, None]
    fine = pyramid([torch.zeros(1, 1, 4, 6), coarse])[0]
    # Even pixels are the old ones, odd ones the means of neighbours, the last one is repeated.
    expected = [[0.0, 2, 4, 6, 8, 8], [6, 8, 10, 12, 14, 14], [12, 14, 16, 18, 20, 20]]
    assert fine[0, 0].tolist() == [*expected, expected[-1]]


def test_branch_has_the_published_parameters_and_the_plain_one_as_many() -> None:
    # 739,010 less the 3x3 convolution to 128 channels before RoIMasking.
    arguments = {'num_logits': 2, 'relu_logits': True}
    dilated = S4NetMaskBranch(128, **arguments)
    plain = S4NetMaskBranch(128, kind='plain', **arguments)
    assert count_parameters(dilated) == count_parameters(plain) == 739_010 - 295_040


def test_branch_step_by_step() -> None:
    branch = S4NetMaskBranch(6, (4, 2), num_logits=2, relu_logits=True)
    for parameter in branch.parameters():
        nn.init.normal_(parameter, std=0.3)
    features = torch.randn(3, 6, 7, 9)

    def conv(layer: nn.Module, x: torch.Tensor, dilation: int = 1) -> torch.Tensor:
        weight, bias = layer[0].weight, layer[0].bias
        return F.conv2d(x, weight, bias, padding=dilation, dilation=dilation).relu()

    x = F.max_pool2d(conv(branch.entry, features), 3, 1, 1)
    x = F.max_pool2d(x + conv(branch.first[1], conv(branch.first[0], x)), 3, 1, 1)
    x = conv(branch.middle, x, dilation=2)
    x = x + conv(branch.second[1], conv(branch.second[0], x))
    logits = F.conv2d(x, branch.predict.weight, branch.predict.bias, padding=1).relu()
    torch.testing.assert_close(branch(features), logits[:, 1:] - logits[:, :1])


def test_plain_branch_sees_less_far() -> None:
    def extent(kind: str) -> int:
        branch = S4NetMaskBranch(1, (1, 1), kind=kind)
        for conv in branch.modules():
            if isinstance(conv, nn.Conv2d):
                nn.init.ones_(conv.weight)
        features = torch.ones(1, 1, 41, 41, requires_grad=True)
        branch(features)[0, 0, 20, 20].backward()
        return int((features.grad[0, 0, 20] != 0).sum())

    # Six 3x3 convolutions reach 6 cells; with dilation 2 one more, with two poolings two more.
    # The maximum of equal values has its gradient at one of them, here the first.
    assert extent('plain') == 13
    assert extent('dilated') > 13


def test_refuses_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match='num_outs must be at least'):
        S4NetFPN((1, 2, 3), num_outs=2)
    with pytest.raises(ValueError, match='upsample must be one of'):
        S4NetFPN((1, 2), upsample='cubic')
    with pytest.raises(ValueError, match="kind must be one of 'dilated', 'plain', got 'deep'"):
        S4NetMaskBranch(kind='deep')
    with pytest.raises(ValueError, match='num_logits must be'):
        S4NetMaskBranch(relu_logits=True)
