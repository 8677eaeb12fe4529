"""The built-in measures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial

from sod_plugins.metrics import confusion, measures, size_invariance
from sod_plugins.metrics.comparison import Comparison
from sod_plugins.metrics.confusion import Confusion, area_under_curve
from sod_plugins.metrics.protocols import FloatArray
from sod_plugins.metrics.registry import Direction, Measure, register_measure

Curves = Mapping[str, FloatArray]


def largest(name: str, curves: Curves) -> float:
    """Return the largest value of a curve."""
    return float(curves[name].max())


def mean(name: str, curves: Curves) -> float:
    """Return the mean of a curve over the thresholds."""
    return float(curves[name].mean())


def fixed(name: str, image: Comparison) -> float:
    """Return a measure of the map thresholded above 0.5."""
    return float(_of_binary_map(name, image.fixed))


def adaptive(name: str, image: Comparison) -> float:
    """Return a measure of the map thresholded at min(2 · its mean, 1)."""
    return float(_of_binary_map(name, image.adaptive))


def adaptive_e(image: Comparison) -> float:
    """Return the E-measure of the map thresholded at min(2 · its mean, 1)."""
    of = image.adaptive
    (value,) = measures.e_measure(
        of.hits, of.false_alarms, of.foreground, of.foreground + of.background
    )
    return float(value)


def weighted_f(image: Comparison) -> float:
    """Return the weighted F-measure of the normalised map."""
    return measures.weighted_f_measure(image.saliency, image.mask)


def s_measure(image: Comparison) -> float:
    """Return the structure measure."""
    return measures.s_measure(image.structure_saliency, image.structure_values, image.counts)


def mae(image: Comparison) -> float:
    """Return the mean absolute error of the raw or the normalised map, as the protocol says."""
    compared = image.values if image.protocol.normalised_mae else image.counts.values
    if image.protocol.soft_mask_mae:
        return float(abs(image.map_of(compared) - image.grey_mask / 255).mean())
    return measures.mean_absolute_error(compared, image.counts.totals)


def auc_pr(curves: Curves) -> float:
    """Return the area under precision as a function of recall."""
    return area_under_curve(curves['precision'], curves['recall'])


def auc_roc(curves: Curves) -> float:
    """Return the area under recall as a function of the false positive rate."""
    return area_under_curve(curves['recall'], curves['fpr'])


def _of_binary_map(name: str, of: Confusion) -> float:
    (value,) = _BINARY[name][1](of)
    return float(value)


# Measures of binary maps. Each yields one measure of the fixed, one of the adaptive and two of the
# dynamic binary maps.
_BINARY: dict[str, tuple[str, Callable[[Confusion], FloatArray], str]] = {
    'precision': ('precision', confusion.precision, 'TP / (TP + FP)'),
    'recall': ('recall', confusion.recall, 'TP / (TP + FN), also called sensitivity'),
    'specificity': ('specificity', confusion.specificity, 'TN / (TN + FP)'),
    'f': ('F', confusion.f_measure, 'F-measure, beta² = 0.3'),
    'dice': ('Dice', confusion.dice, '2 TP / (2 TP + FP + FN): F with beta² = 1'),
    'iou': ('IoU', confusion.iou, 'intersection over union'),
    'accuracy': ('accuracy', confusion.accuracy, 'overall accuracy, (TP + TN) / all'),
    'kappa': ('kappa', confusion.kappa, 'accuracy beyond chance, as PySODMetrics computes it'),
    'cohen_kappa': ("Cohen's kappa", confusion.cohen_kappa, 'accuracy beyond chance'),
    'ber': ('BER', confusion.ber, 'balanced error rate'),
}


def _binary_measures(name: str) -> Iterator[Measure]:
    title, _, text = _BINARY[name]
    direction: Direction = 'lower' if name == 'ber' else 'higher'
    yield Measure(
        name, title, direction, partial(fixed, name), 'images', f'{text}; of the map above 0.5'
    )
    yield Measure(
        f'adp_{name}',
        f'adaptive {title}',
        direction,
        partial(adaptive, name),
        'images',
        f'{text}; of the map at or above min(2 · its mean, 1)',
    )
    # The largest error over all thresholds is that of the worst threshold, which says nothing.
    for function, words in ((largest, 'max'), (mean, 'mean'))[direction == 'lower' :]:
        yield Measure(
            f'{words}_{name}',
            f'{words} {title}',
            direction,
            partial(function, name),
            'curves',
            f"{text}; {words} over the data set's curve",
        )


_OTHERS = (
    Measure(
        'weighted_f',
        'weighted F',
        'higher',
        weighted_f,
        'images',
        'weighted F-measure, beta² = 1 (Margolin et al., CVPR 2014)',
    ),
    Measure(
        's_measure',
        'S-measure',
        'higher',
        s_measure,
        'images',
        'structure measure, alpha = 0.5 (Fan et al., ICCV 2017)',
    ),
    Measure(
        'max_e',
        'max E',
        'higher',
        partial(largest, 'e'),
        'curves',
        "enhanced-alignment measure (Fan et al., IJCAI 2018); max over the data set's curve",
    ),
    Measure(
        'mean_e',
        'mean E',
        'higher',
        partial(mean, 'e'),
        'curves',
        "enhanced-alignment measure; mean over the data set's curve",
    ),
    Measure(
        'adp_e',
        'adaptive E',
        'higher',
        adaptive_e,
        'images',
        'enhanced-alignment measure; of the map at or above min(2 · its mean, 1)',
    ),
    Measure('mae', 'MAE', 'lower', mae, 'images', 'mean absolute error'),
    Measure(
        'auc_pr',
        'AUC PR',
        'higher',
        auc_pr,
        'curves',
        "area under the data set's precision-recall curve",
    ),
    Measure(
        'auc_roc',
        'AUC ROC',
        'higher',
        auc_roc,
        'curves',
        "area under the data set's ROC curve: recall over the false positive rate",
    ),
    Measure(
        'si_mae',
        'SI MAE',
        'lower',
        size_invariance.si_mae,
        'images',
        'size-invariant MAE: objects have equal weight (Li et al., ICML 2024)',
    ),
    Measure(
        'si_max_f',
        'SI max F',
        'higher',
        size_invariance.si_max_f,
        'images',
        'size-invariant F: the largest F of each object, averaged over the objects',
    ),
    Measure(
        'si_mean_f',
        'SI mean F',
        'higher',
        size_invariance.si_mean_f,
        'images',
        'the mean F of each object, averaged over the objects',
    ),
    Measure(
        'si_auc_pr',
        'SI AUC PR',
        'higher',
        size_invariance.si_auc_pr,
        'images',
        "the area under each object's precision-recall curve, averaged over the objects",
    ),
    Measure(
        'si_auc_roc',
        'SI AUC ROC',
        'higher',
        size_invariance.si_auc_roc,
        'images',
        "the area under each object's ROC curve, averaged over the objects",
    ),
)

# The usual measures, in the order of the field's tables; the default if none are chosen.
USUAL = (
    *('max_f', 'mean_f', 'adp_f', 'weighted_f', 's_measure', 'max_e', 'mean_e', 'adp_e'),
    *('mae', 'iou', 'ber'),
)


def register_all() -> None:
    """Register every measure of the package, the usual ones first."""
    known = {m.key: m for name in _BINARY for m in _binary_measures(name)}
    known |= {m.key: m for m in _OTHERS}
    for key in USUAL:
        register_measure(known.pop(key))
    for measure in known.values():
        register_measure(measure, default=False)
