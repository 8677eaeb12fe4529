"""From images to saliency maps: one image in Python, or files and folders on disk."""

from sod_plugins.inference.files import (
    PredictionSummary,
    collect_images,
    predict_files,
)
from sod_plugins.inference.outputs import save_cutout, save_map, save_overlay
from sod_plugins.inference.predictor import SaliencyPredictor
from sod_plugins.networks import DenseCRF

__all__ = [
    'DenseCRF',
    'PredictionSummary',
    'SaliencyPredictor',
    'collect_images',
    'predict_files',
    'save_cutout',
    'save_map',
    'save_overlay',
]
