"""Measures of salient object detection: arrays or folders in, numbers, curves and tables out."""

from sod_plugins._common.names import INSTANCE_PROTOCOLS
from sod_plugins.metrics.evaluation import evaluate_folders, read_prediction
from sod_plugins.metrics.instances import (
    InstanceEvaluation,
    evaluate_instances,
    read_predictions,
)
from sod_plugins.metrics.protocols import PROTOCOLS, Protocol, get_protocol
from sod_plugins.metrics.saliency import (
    LOWER_IS_BETTER,
    MEASURE_NAMES,
    Evaluation,
    ImageScores,
    SaliencyEvaluator,
    score_image,
)
from sod_plugins.metrics.tables import (
    TableRow,
    TableStyle,
    evaluation_table,
    read_json,
    write_json,
    write_per_image_csv,
)

__all__ = [
    'INSTANCE_PROTOCOLS',
    'LOWER_IS_BETTER',
    'MEASURE_NAMES',
    'PROTOCOLS',
    'Evaluation',
    'ImageScores',
    'InstanceEvaluation',
    'Protocol',
    'SaliencyEvaluator',
    'TableRow',
    'TableStyle',
    'evaluate_folders',
    'evaluate_instances',
    'evaluation_table',
    'get_protocol',
    'read_json',
    'read_prediction',
    'read_predictions',
    'score_image',
    'write_json',
    'write_per_image_csv',
]
