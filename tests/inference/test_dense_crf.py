from __future__ import annotations

import sys

import numpy as np
import pytest

from sod_plugins.networks import DenseCRF


@pytest.fixture
def scene():
    """A noisy photo (30, 44) of a disk, a soft map that misses it by some pixels, and the disk."""
    rows, columns = np.mgrid[:30, :44]
    disk = np.hypot(rows - 13.5, columns - 17.6) < 9
    colours = np.where(disk[..., None], (200, 90, 60), (60, 120, 90)) + 0.3 * columns[..., None]
    image = colours + np.random.default_rng(0).normal(0, 4, (30, 44, 3))
    blob = 1 / (1 + np.exp((np.hypot(rows - 15.5, columns - 14.6) - 11.4) / 4))
    return image.clip(0, 255).astype(np.uint8), (0.1 + 0.8 * blob).astype(np.float32), disk


def exact(image, saliency, crf):
    """The mean-field updates with all pairs of pixels, in double precision."""
    positions = np.stack(np.mgrid[: image.shape[0], : image.shape[1]], -1).reshape(-1, 2)
    colours = image.reshape(-1, 3).astype(np.float64)

    def kernel(*features):
        squares = sum(((f[:, None] - f[None]) ** 2).sum(-1) / theta**2 for f, theta in features)
        values = np.exp(-squares / 2)
        root = np.sqrt(values.sum(1))
        return values / root[:, None] / root

    weights = crf.appearance_weight * kernel(
        (positions, crf.theta_alpha), (colours, crf.theta_beta)
    ) + crf.smoothness_weight * kernel((positions, crf.theta_gamma))
    salient = saliency.ravel().astype(np.float64)
    log_odds, belief = np.log(salient / (1 - salient)), salient
    for _ in range(crf.iterations):
        belief = 1 / (1 + np.exp(-log_odds - weights @ (2 * belief - 1)))
    return belief.reshape(saliency.shape)


@pytest.mark.parametrize(
    'arguments',
    [
        {},
        {'iterations': 1},
        {'iterations': 1, 'appearance_weight': 2.0, 'smoothness_weight': 1.0, 'theta_beta': 20.0},
        {'iterations': 2, 'smoothness_weight': 0.0},
        {'iterations': 2, 'appearance_weight': 0.0, 'theta_gamma': 2.0},
    ],
)
def test_maps_are_near_the_exact_ones(arguments, scene):
    """The lattice is an approximation; parameters taken for each other err by over 0.01."""
    pytest.importorskip('pydensecrf')
    image, saliency, _ = scene
    crf = DenseCRF(**arguments)
    error = np.abs(crf.refine(image, saliency) - exact(image, saliency, crf))
    assert error.mean() < 4e-3
    assert error.max() < 0.04


def test_the_map_moves_to_the_edges_of_the_photo(scene):
    pytest.importorskip('pydensecrf')
    image, saliency, disk = scene
    refined = DenseCRF().refine(image, saliency)
    assert refined.dtype == np.float32
    assert np.abs(saliency - disk).mean() > 0.3
    assert np.abs(refined - disk).mean() < 0.02


def test_without_edges_only_the_floor_acts(scene):
    pytest.importorskip('pydensecrf')
    image = scene[0]
    saliency = np.linspace(0, 1, 30 * 44, dtype=np.float32).reshape(30, 44)
    crf = DenseCRF(appearance_weight=0, smoothness_weight=0, floor=0.1)
    np.testing.assert_allclose(crf.refine(image, saliency), saliency.clip(0.1, 0.9), atol=1e-6)


def test_views_and_read_only_arrays_are_taken(scene):
    pytest.importorskip('pydensecrf')
    image, saliency, _ = scene
    expected = DenseCRF().refine(image, saliency)
    wide = np.repeat(np.repeat(image, 2, axis=0), 2, axis=1)
    wide.setflags(write=False)
    views = wide[::2, ::2], np.asfortranarray(saliency)
    np.testing.assert_array_equal(DenseCRF().refine(*views), expected)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'theta_beta': 0.0}, 'theta_beta is 0.0. Pass a range above 0'),
        ({'iterations': -1}, 'iterations is -1. Pass 0 or more'),
        ({'floor': 0.5}, 'floor is 0.5. Pass a probability between'),
    ],
)
def test_parameters_out_of_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        DenseCRF(**arguments)


def test_a_map_of_another_size_is_refused(scene):
    pytest.importorskip('pydensecrf')
    image, saliency, _ = scene
    with pytest.raises(ValueError, match=r'shape \(30, 44, 3\), the saliency map shape \(44, 30\)'):
        DenseCRF().refine(image, saliency.T)
    with pytest.raises(ValueError, match='type float64'):
        DenseCRF().refine(image / 255, saliency)


def test_an_absent_library_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, 'pydensecrf', None)
    with pytest.raises(ImportError, match=r"pip install 'sod-plugins\[crf\]'"):
        DenseCRF()
