"""Measures of salient object detection: arrays or folders in, numbers, curves and tables out."""

from sod_plugins.metrics.protocols import PROTOCOLS, Protocol, get_protocol
from sod_plugins.metrics.saliency import (
    LOWER_IS_BETTER,
    MEASURE_NAMES,
    Evaluation,
    ImageScores,
    SaliencyEvaluator,
    score_image,
)

__all__ = [
    'LOWER_IS_BETTER',
    'MEASURE_NAMES',
    'PROTOCOLS',
    'Evaluation',
    'ImageScores',
    'Protocol',
    'SaliencyEvaluator',
    'get_protocol',
    'score_image',
]
