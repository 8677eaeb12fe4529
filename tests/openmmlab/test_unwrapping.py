from __future__ import annotations

import pytest

pytest.importorskip('mmengine')

from sod_plugins.openmmlab.unwrapping import unwrapped_dataset

SALIENCY = {'type': 'sod_plugins.SaliencyDataset', 'pipeline': []}


@pytest.mark.parametrize(
    'wrapped',
    [
        SALIENCY,
        {'type': 'RepeatDataset', 'times': 2, 'dataset': SALIENCY},
        {'type': 'ConcatDataset', 'datasets': [SALIENCY, {'type': 'Other', 'pipeline': []}]},
        {'dataset': {'datasets': [{'dataset': SALIENCY}]}},
    ],
)
def test_the_first_data_set_is_found_within_wrappers(wrapped):
    assert unwrapped_dataset(wrapped) is SALIENCY


def test_what_has_a_pipeline_of_its_own_is_no_wrapper():
    """Such as mmseg's MultiImageMixDataset, which ends with the images of its own pipeline."""
    mixed = {'dataset': SALIENCY, 'pipeline': []}
    assert unwrapped_dataset({'dataset': mixed}) is mixed
