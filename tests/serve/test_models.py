"""What the service makes of a model's name or file."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from toy_service import make_client, picture, pixels_of

from sod_plugins.cli import main
from sod_plugins.networks import S4Net, SAMNet, save_network
from sod_plugins.serve import open_model

NARROW = {'type': 'MobileNet', 'width': 0.25}


def test_the_default_model_has_its_card():
    model = open_model()
    assert (model.name, model.task, model.batch_size) == ('sod-small', 'saliency', 1)
    assert model.card['licence']
    assert open_model('zoo:sod-small', batch_size=3).batch_size == 3


def test_a_checkpoint_of_ones_own(tmp_path):
    save_network(tmp_path / 'mine.pth', SAMNet(NARROW, channels=[8] * 5, dropout=0))
    model = open_model(tmp_path / 'mine.pth')
    assert (model.name, model.task) == ('mine', 'saliency')
    answer = make_client(model).post('/api/predict', content=picture(80, 60))
    assert pixels_of(answer.content).shape == (60, 80)


def test_a_checkpoint_of_instances(tmp_path):
    torch.manual_seed(0)
    network = S4Net(backbone=NARROW | {'out_indices': (2, 3, 4)})
    save_network(tmp_path / 'mine.pth', network)
    model = open_model(tmp_path / 'mine.pth')
    assert model.task == 'instances'
    client = make_client(model)
    answer = client.post('/api/predict?output=instances', content=picture(80, 60))
    body = answer.json()
    assert (body['height'], body['width']) == (60, 80)
    assert client.get('/api/model').json()['model']['task'] == 'instances'


def test_half_precision_needs_a_gpu(capsys):
    assert main(['serve', '--half', '--device', 'cpu']) == 2
    assert '--half needs a CUDA device' in capsys.readouterr().err


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a CUDA device')
def test_half_precision_in_batches_on_a_gpu():
    images = [np.full((60, 80, 3), 40 * n, np.uint8) for n in range(5)]
    expected = open_model(device='cpu')
    model = open_model(device='cuda', half=True)
    assert model.batch_size == 8
    maps = model.predict([model.prepare(image) for image in images])
    for found, image in zip(maps, images, strict=True):
        (plain,) = expected.predict([expected.prepare(image)])
        assert np.abs(found - plain).mean() < 0.01
