from __future__ import annotations

import pytest
import torch
from mmengine.registry import MODELS
from mmengine.runner import load_checkpoint

from sod_plugins.networks import CSNet, Preprocessing, load_network, save_network


@pytest.fixture
def plain(tmp_path) -> tuple[CSNet, str]:
    """A network with weights of its own, and the file that holds it."""
    torch.manual_seed(0)
    network = CSNet()
    path = tmp_path / 'plain.pth'
    save_network(path, network, Preprocessing())
    return network, str(path)


def assert_same_weights(adapter: torch.nn.Module, plain: torch.nn.Module) -> None:
    expected = {f'net.{key}': value for key, value in plain.state_dict().items()}
    actual = adapter.state_dict()
    assert set(actual) == set(expected)
    assert all(torch.equal(actual[key], expected[key]) for key in expected)


def test_a_whole_model_loads_a_plain_checkpoint_strictly(plain, model_config):
    network, path = plain
    model = MODELS.build(model_config)
    load_checkpoint(model, path, strict=True)  # what load_from does, less its tolerance
    assert_same_weights(model.backbone, network.backbone)
    assert_same_weights(model.decode_head, network.decode_head)


def test_init_cfg_takes_a_part_of_a_plain_checkpoint(plain):
    network, path = plain
    backbone = MODELS.build(
        dict(
            type='sod_plugins.CSNet',
            init_cfg=dict(type='Pretrained', checkpoint=path, prefix='backbone.'),
        )
    )
    backbone.init_weights()
    assert_same_weights(backbone, network.backbone)


def test_init_cfg_takes_a_part_of_a_training_checkpoint(plain, model_config, tmp_path):
    network, path = plain
    model = MODELS.build(model_config)
    load_checkpoint(model, path)
    torch.save({'state_dict': model.state_dict(), 'meta': {}}, tmp_path / 'epoch_1.pth')
    model_config.decode_head.init_cfg = dict(
        type='Pretrained', checkpoint=str(tmp_path / 'epoch_1.pth'), prefix='decode_head.'
    )
    head = MODELS.build(model_config.decode_head)
    head.init_weights()
    assert_same_weights(head, network.decode_head)


def test_loading_leaves_the_given_weights_alone_and_still_names_strangers(plain, model_config):
    network, _ = plain
    weights = network.state_dict() | {'decode_head.conv_seg.weight': torch.zeros(1)}
    keys = list(weights)
    with pytest.raises(RuntimeError, match=r'Unexpected key.*: "decode_head\.conv_seg\.weight"\.'):
        MODELS.build(model_config).load_state_dict(weights)
    assert list(weights) == keys


def test_plain_torch_loads_what_training_saved(plain, model_config):
    network, path = plain
    model = MODELS.build(model_config)
    load_checkpoint(model, path)
    renamed = {key.replace('.net.', '.', 1): value for key, value in model.state_dict().items()}
    load_network(path).load_state_dict(renamed, strict=True)
    assert all(torch.equal(renamed[key], value) for key, value in network.state_dict().items())
