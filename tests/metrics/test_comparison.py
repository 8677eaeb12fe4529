from __future__ import annotations

import numpy as np
import pytest

from sod_plugins.metrics import PROTOCOLS, Comparison, get_protocol

LEVELS = np.array([[20, 20, 220], [120, 220, 20]], np.uint8)
MASK = np.array([[0, 0, 255], [255, 255, 100]], np.uint8)


def test_nothing_is_computed_before_it_is_asked_for():
    image = Comparison(LEVELS, MASK, get_protocol('pysodmetrics'))
    computed = {'counts', 'values', 'saliency', 'by_threshold', 'adaptive', 'fixed'}
    assert not computed & vars(image).keys()
    assert image.curves.computed == {}
    assert image.curves['f'].max() == 1
    assert computed & vars(image).keys() == {'counts', 'values', 'by_threshold'}
    assert image.curves.computed.keys() == {'precision', 'recall'}
    assert image.saliency is image.saliency


@pytest.mark.parametrize(
    ('protocol', 'expected', 'objects'),
    [
        ('pysodmetrics', [0, 0.5, 1], 3),
        ('salmetric', [20 / 255, 120 / 255, 220 / 255], 3),
        ('survey', [20 / 220, 120 / 220, 1], 3),
        ('fastsaliency', [20 / 255, 120 / 255, 220 / 255], 3),
    ],
)
def test_maps_are_normalised_as_the_protocol_has_it(protocol, expected, objects):
    image = Comparison(LEVELS, MASK, get_protocol(protocol))
    np.testing.assert_allclose(np.unique(image.saliency), expected)
    assert image.mask.sum() == objects
    assert image.grey_mask is MASK


def test_binary_maps_are_counted():
    image = Comparison(LEVELS, MASK, get_protocol('pysodmetrics'))
    # Above 0.5: the two of 220. From twice the mean 2.5 / 6 on: the same.
    for of in (image.fixed, image.adaptive):
        assert (of.hits, of.false_alarms, of.foreground, of.background) == (2, 0, 3, 3)
        assert of.rejections == 3
    of = image.by_threshold
    assert (of.hits[[0, 1, 127, 128, 255]] == [3, 3, 3, 2, 2]).all()
    assert (of.false_alarms[[0, 1, 255]] == [3, 0, 0]).all()


def test_the_s_measure_has_a_normalisation_of_its_own():
    for name, same in (('survey', False), ('salmetric', True), ('pysodmetrics', True)):
        image = Comparison(LEVELS, MASK, PROTOCOLS[name])
        assert (image.structure_saliency is image.saliency) == same
    image = Comparison(LEVELS, MASK, PROTOCOLS['survey'])
    np.testing.assert_allclose(np.unique(image.structure_saliency), [0, 0.5, 1])
