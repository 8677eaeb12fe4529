from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from reference_values import settle_statistics

from sod_plugins.analysis.complexity import count_macs, count_macs_csnet, count_parameters
from sod_plugins.networks import (
    CSNet,
    CSNetClassifier,
    Preprocessing,
    load_classifier,
    save_network,
)

SMALL = {'width': 0.4, 'stage_blocks': (1, 1, 1, 1)}


@pytest.fixture
def saliency():
    torch.manual_seed(0)
    network = CSNet(**SMALL).double()
    settle_statistics(network, torch.randn(2, 3, 48, 64, dtype=torch.float64))
    network.preprocessing = Preprocessing((48, 64))
    return network


def test_features_are_merged_at_the_lowest_resolution(saliency):
    classifier = CSNetClassifier(saliency, 3)
    images = torch.randn(2, 3, 48, 64, dtype=torch.float64)
    found = {}
    for scale, layer in enumerate(saliency.decode_head.dilated):
        layer.register_forward_hook(lambda _, x, y, scale=scale: found.update({scale: y}))
    saliency(images)
    pooled = [F.max_pool2d(found[scale], 2 ** (2 - scale)) for scale in range(3)]
    merge = saliency.decode_head.merge
    merged = torch.einsum('oc,nchw->nohw', merge.conv.weight[..., 0, 0], torch.cat(pooled, 1))
    expected = merge.acts[0](merge.norms[0](merged))
    features = classifier.features(images)
    assert features.shape[2:] == (6, 8)
    torch.testing.assert_close(features, expected)
    logits = expected.mean((2, 3)) @ classifier.classifier.weight.T + classifier.classifier.bias
    torch.testing.assert_close(classifier(images), logits)


def test_a_map_averages_to_the_logit_of_its_class(saliency):
    classifier = CSNetClassifier(saliency, 3)
    images = torch.randn(2, 3, 48, 64, dtype=torch.float64)
    maps = classifier.activation_maps(images)
    assert maps.shape == (2, 3, 6, 8)
    logits = maps.mean((2, 3)) + classifier.classifier.bias
    torch.testing.assert_close(logits, classifier(images))
    features, weight = classifier.features(images), classifier.classifier.weight
    expected = sum(weight[2, c] * features[1, c, 4, 5] for c in range(features.shape[1]))
    torch.testing.assert_close(maps[1, 2, 4, 5], expected)


@pytest.mark.parametrize('fuse_stages', [(4,), (2, 3, 4), (1, 2, 3, 4)])
def test_weights_go_there_and_back(fuse_stages):
    network = CSNet(**SMALL, fuse_stages=fuse_stages)
    classifier = CSNetClassifier(network, 5)
    returned = classifier.to_saliency().state_dict()
    for key, value in network.state_dict().items():
        assert key.startswith('decode_head.classifier') or torch.equal(returned[key], value), key
    with torch.no_grad():
        next(classifier.parameters()).zero_()
    assert any(p.any() for p in next(network.parameters()))  # nothing is shared


def test_counts_by_hand():
    """At 32x32 the fusion has 13, 26 and 26 channels at 16x16, 8x8 and 4x4, and merges to 65."""
    saliency, classifier = CSNet(), CSNetClassifier(CSNet(), 10)
    size = (32, 32)
    assert count_parameters(classifier) == 210_985 - 66 + 65 * 10 + 10
    fine = 65 * (13 * 256 + 26 * 64 + 26 * 16)
    plain = count_macs(saliency, size) - fine - 65 * 256 + 65 * 65 * 16 + 650
    assert count_macs(classifier, size) == plain
    # 9 per output of an up-sampling; a 1x1 convolution's pooling costs 1 per output; 4 + 3 for
    # normalisation and PReLU; one for each bias.
    finest = fine + 2 * 9 * 65 * 256 + 7 * 65 * 256 + 66 * 256
    coarsest = 65 * 65 * 16 + (13 + 26) * 16 + 7 * 65 * 16 + 660
    expected = count_macs_csnet(saliency, size) - finest + coarsest
    assert count_macs_csnet(classifier, size) == expected


def test_refuses_what_makes_no_classifier(saliency, tmp_path):
    with pytest.raises(ValueError, match=r'fuse_stages=\(\)'):
        CSNetClassifier(CSNet(fuse_stages=()), 3)
    with pytest.raises(FileNotFoundError, match=r'missing\.pth'):
        load_classifier(tmp_path / 'missing.pth')
    torch.save({'state_dict': {}}, tmp_path / 'none.pth')
    with pytest.raises(ValueError, match=r'none\.pth holds weights without a description'):
        load_classifier(tmp_path / 'none.pth')
    config = (
        "model = dict(type='sod_plugins.ImageClassifier', backbone=dict(type='sod_plugins.VGG'))"
    )
    cfg = config + '\ntest_dataloader = dict()'
    torch.save({'state_dict': {}, 'meta': {'cfg': cfg}}, tmp_path / 'vgg.pth')
    with pytest.raises(ValueError, match=r'ImageClassifier of sod_plugins\.VGG and None'):
        load_classifier(tmp_path / 'vgg.pth')
    save_network(tmp_path / 'saliency.pth', saliency)
    with pytest.raises(ValueError, match=r'saliency\.pth holds a CSNet, which is not a classifier'):
        load_classifier(tmp_path / 'saliency.pth')


def test_a_described_classifier_needs_no_config(saliency, tmp_path):
    classifier = CSNetClassifier(saliency, 3).float().eval()
    save_network(tmp_path / 'classifier.pth', classifier)
    loaded = load_classifier(tmp_path / 'classifier.pth')
    images = torch.randn(1, 3, 32, 32)
    assert torch.equal(loaded(images), classifier(images))
