"""Every network on a CUDA device: the numbers of the CPU, and training in mixed precision."""

from __future__ import annotations

import copy

import pytest
import torch

from sod_plugins.networks import ITDBU, CSNet, PiCANet, S4Net, SAMNet

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a CUDA device'),
]
NARROW = {'type': 'MobileNet', 'width': 0.25}
SALIENCY = {
    'CSNet': lambda: CSNet(weight_scale=1.0),
    'SAMNet': lambda: SAMNet(dropout=0),
    'ITDBU': lambda: ITDBU(NARROW),
    'PiCANet': lambda: PiCANet('5GAP_432AC', NARROW),
}


@pytest.fixture(params=SALIENCY)
def network(request):
    torch.manual_seed(0)
    return SALIENCY[request.param]()


@pytest.fixture(scope='module')
def batch():
    """Two images of noise with a brighter rectangle each, and their masks."""
    generator = torch.Generator().manual_seed(1)
    masks = torch.zeros(2, 1, 96, 128)
    masks[0, :, 8:60, 10:100] = masks[1, :, 20:84, 4:60] = 1
    return torch.randn(2, 3, 96, 128, generator=generator) + 2 * masks, masks


def on_gpu(value):
    """Copy tensors, in lists and mappings too."""
    if isinstance(value, dict):
        return {key: on_gpu(entry) for key, entry in value.items()}
    return [on_gpu(entry) for entry in value] if isinstance(value, list) else value.cuda()


def check_training(network, images, targets):
    """The losses are the CPU's, and ten steps in half precision lower them."""
    gpu = copy.deepcopy(network).cuda().train()
    expected = network.train().losses(images, targets)
    losses = gpu.losses(images.cuda(), on_gpu(targets))
    assert list(losses) == list(expected)
    for name, loss in losses.items():  # TF32 of convolutions has 10 bits of a factor
        torch.testing.assert_close(loss.cpu(), expected[name], rtol=1e-2, atol=1e-3)
    optimizer = torch.optim.Adam(gpu.parameters(), lr=1e-3)
    scaler = torch.amp.GradScaler('cuda')
    totals = []
    for _ in range(10):
        with torch.autocast('cuda', torch.float16):
            total = sum(gpu.losses(images.cuda(), on_gpu(targets)).values())
        optimizer.zero_grad()
        scaler.scale(total).backward()
        scaler.step(optimizer)
        scaler.update()
        totals.append(float(total.detach()))
    assert all(torch.isfinite(p).all() for p in gpu.parameters())
    assert totals[-1] < totals[0]


def test_forward_is_that_of_the_cpu(network, batch):
    images, _ = batch
    with torch.no_grad():
        network.train()(images)  # which gives BatchNorm statistics to go by
        expected = network.eval()(images).sigmoid()
        found = network.cuda()(images.cuda()).sigmoid().cpu()
    torch.testing.assert_close(found, expected, rtol=0, atol=2e-2)  # TF32


def test_training_in_mixed_precision_learns(network, batch):
    check_training(network, *batch)


def test_instances_are_trained_and_found(batch):
    torch.manual_seed(0)
    network = S4Net(backbone=NARROW | {'out_indices': (2, 3, 4)})
    images, masks = batch
    boxes = [[10.0, 8, 100, 60], [4.0, 20, 60, 84]]
    targets = [
        {'boxes': torch.tensor([box]), 'masks': mask.bool()}
        for box, mask in zip(boxes, masks, strict=True)
    ]
    check_training(network, images, targets)
    with torch.no_grad():
        for instances in network.cuda().eval()(images.cuda()):
            assert instances.boxes.isfinite().all()
