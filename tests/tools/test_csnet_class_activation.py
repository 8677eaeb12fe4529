from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from reference_values import load_tool, save_training_checkpoint, settle_statistics

from sod_plugins.inference import class_activation
from sod_plugins.networks import CSNet, CSNetClassifier, Preprocessing, save_network
from sod_plugins.ops import resize_bilinear

pytest.importorskip('matplotlib')

tool = load_tool('analysis_tools/csnet_class_activation.py')
ARGUMENTS = {'width': 0.4, 'stage_blocks': (1, 1, 1, 1)}


@pytest.fixture
def classifier():
    torch.manual_seed(0)
    network = CSNet(**ARGUMENTS)
    network.preprocessing = Preprocessing((32, 48))
    settle_statistics(network, torch.randn(4, 3, 32, 48))
    classifier = CSNetClassifier(network, 3)
    settle_statistics(classifier, torch.randn(4, 3, 32, 48))
    return classifier


@pytest.fixture
def photo():
    return np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)


def test_map_and_score_of_a_class(classifier, photo):
    images = classifier.preprocessing.apply(photo)
    with torch.no_grad():
        scores = classifier(images).softmax(1)[0]
        features = classifier.features(images)[0].double()
    best = int(scores.argmax())
    for asked, label in ((None, best), (1, 1)):
        values, found, score = class_activation(classifier, photo, asked)
        assert found == label
        assert score == pytest.approx(float(scores[label]), rel=1e-5)
        weight = classifier.classifier.weight[label].detach()
        weighted = sum(w * x for w, x in zip(weight, features, strict=True))
        expected = resize_bilinear(weighted[None, None], (40, 50))[0, 0]
        np.testing.assert_allclose(values, expected, rtol=1e-4, atol=1e-4 * expected.abs().max())
    with pytest.raises(ValueError, match='no class 3: the classifier has 0 to 2'):
        class_activation(classifier, photo, 3)


def test_from_photos_to_the_figure(classifier, photo, tmp_path, monkeypatch):
    paths = []
    for name in ('cat', 'dog', 'owl'):
        (tmp_path / 'classes' / name).mkdir(parents=True)
        paths.append(tmp_path / 'classes' / name / 'photo.png')
        Image.fromarray(photo).save(paths[-1])
    save_training_checkpoint(tmp_path / 'classes.pth', classifier, ARGUMENTS)
    save_network(tmp_path / 'saliency.pth', classifier.to_saliency())
    drawn = []
    monkeypatch.setattr(tool, 'draw_activations', lambda rows: drawn.append(rows) or draw(rows))
    draw = load_tool('analysis_tools/csnet_class_activation.py').draw_activations
    words = [*paths[:2], '--classifiers', f'ALL={tmp_path / "classes.pth"}']
    options = ['--saliency', tmp_path / 'saliency.pth', '-o', tmp_path / 'out' / 'fig9.png']
    classes = ['--classes', tmp_path / 'classes']
    tool.main([str(word) for word in (*words, *options, *classes)])
    ((first, second),) = drawn
    for row, label in ((first, 0), (second, 1)):
        values, _, score = class_activation(classifier, photo, label)
        np.testing.assert_allclose(row.activations['ALL'].values, values, rtol=1e-5)
        assert row.activations['ALL'].title == f'{("cat", "dog")[label]} ({score:.0%})'
        assert row.saliency.shape == (40, 50)
    titles = [axes.get_title() for axes in draw([first, second]).axes]
    assert titles[:3] == ['photo', 'saliency', f'ALL: {first.activations["ALL"].title}']
    assert titles[3:] == ['', '', second.activations['ALL'].title]
    with Image.open(tmp_path / 'out' / 'fig9.png') as figure:
        assert np.asarray(figure.convert('L')).std() > 20
    (tmp_path / 'classes' / 'rat').mkdir()
    Image.fromarray(photo).save(tmp_path / 'classes' / 'rat' / 'photo.png')
    with pytest.raises(SystemExit, match=r'ALL has 3 classes, but .* has 4'):
        tool.main([str(word) for word in (*words, *options, *classes)])
