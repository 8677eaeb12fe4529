"""Measures of salient object detection, from arrays or folders to numbers, curves and tables."""

from sod_plugins._common.names import INSTANCE_PROTOCOLS
from sod_plugins.metrics.catalogue import USUAL, register_all
from sod_plugins.metrics.comparison import Comparison
from sod_plugins.metrics.evaluation import evaluate_folders, evaluate_pairs, read_prediction
from sod_plugins.metrics.instances import (
    InstanceEvaluation,
    evaluate_instances,
    read_predictions,
    score_instances,
)
from sod_plugins.metrics.protocols import PROTOCOLS, Protocol, get_protocol
from sod_plugins.metrics.registry import (
    MEASURES,
    Measure,
    MeasureInfo,
    default_measures,
    find_measures,
    register_measure,
)
from sod_plugins.metrics.results import Evaluation, read_json, write_json, write_per_image_csv
from sod_plugins.metrics.saliency import ImageScores, SaliencyEvaluator, score_image
from sod_plugins.metrics.tables import TableRow, TableStyle, evaluation_table, measure_infos

register_all()

# Older names for what the registry holds.
MEASURE_NAMES = {key: MEASURES[key].title for key in USUAL}
LOWER_IS_BETTER = frozenset(key for key, m in MEASURES.items() if m.direction == 'lower')

__all__ = [
    'INSTANCE_PROTOCOLS',
    'LOWER_IS_BETTER',
    'MEASURES',
    'MEASURE_NAMES',
    'PROTOCOLS',
    'Comparison',
    'Evaluation',
    'ImageScores',
    'InstanceEvaluation',
    'Measure',
    'MeasureInfo',
    'Protocol',
    'SaliencyEvaluator',
    'TableRow',
    'TableStyle',
    'default_measures',
    'evaluate_folders',
    'evaluate_instances',
    'evaluate_pairs',
    'evaluation_table',
    'find_measures',
    'get_protocol',
    'measure_infos',
    'read_json',
    'read_prediction',
    'read_predictions',
    'register_measure',
    'score_image',
    'score_instances',
    'write_json',
    'write_per_image_csv',
]
