"""The evaluation protocols of the field, each a row of ``docs/measures.md``.

Published numbers for one network differ in how maps are normalised, which thresholds are tried,
how ties with a threshold count, and whether F or precision and recall are averaged over the
images. A ``Protocol`` states these choices; the measures themselves are in
``sod_plugins.metrics.measures``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sod_plugins._common.choices import require_choice
from sod_plugins._common.names import ProtocolName

FloatArray = NDArray[np.float64]
Normalisation = Literal['none', 'minmax', 'max']


@dataclass(frozen=True)
class Protocol:
    """How one group's tool scores saliency maps.

    Attributes:
        name: The name reported with every number.
        origin: The tool it reproduces.
        normalisation: What happens to a map in [0, 1] before it is compared with the mask:
            nothing, division by its maximum, or stretching from its minimum to its maximum.
        structure_normalisation: The same for the S-measure alone.
        quantisation: How normalised values become levels 0..255 before they meet the
            thresholds; ``'none'`` compares the values themselves.
        thresholds: Ascending thresholds, as fractions of the largest value.
        strict: Whether salient means > threshold (True) or >= threshold (False).
        foreground_level: The mask level, of 0..255, from which a pixel is foreground.
        ratio_epsilon: Added to numerator and denominator of precision and recall.
        precision_epsilon: Added to the denominator of precision.
        recall_epsilon: Added to the denominator of recall.
        f_epsilon: Added to the denominator of F.
        f_of_means: Whether F is computed from the data set's mean precision and recall (True)
            or is averaged over the images (False).
        normalised_mae: Whether the MAE uses the normalised map.
        soft_mask_mae: Whether the MAE uses the grey mask instead of the binary one.
        resizes_mask: Whether a mask of another size is resized to the map.
        skips_empty: Whether images without any foreground are left out of every mean.
        keeps_floats: Whether floating-point maps are scored unquantised; otherwise they are
            truncated to 8 bits first, as saved maps are.
    """

    name: ProtocolName
    origin: str
    normalisation: Normalisation = 'none'
    structure_normalisation: Normalisation = 'none'
    quantisation: Literal['none', 'truncate', 'round'] = 'round'
    thresholds: tuple[float, ...] = tuple(level / 255 for level in range(256))
    strict: bool = False
    foreground_level: int = 129
    ratio_epsilon: float = 0.0
    precision_epsilon: float = 0.0
    recall_epsilon: float = 0.0
    f_epsilon: float = 0.0
    f_of_means: bool = False
    normalised_mae: bool = False
    soft_mask_mae: bool = False
    resizes_mask: bool = False
    skips_empty: bool = False
    keeps_floats: bool = False

    def comparison_keys(self, values: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return normalised values and thresholds on the scale on which they are compared."""
        if self.quantisation == 'none':
            return values, self._threshold_keys
        if self.quantisation == 'truncate':
            return np.floor(values * 255), self._threshold_keys
        # Round half a level up, regardless of the last bits of the division.
        return np.floor(np.round(values * 255, 9) + 0.5), self._threshold_keys

    @cached_property
    def _threshold_keys(self) -> FloatArray:
        thresholds = np.asarray(self.thresholds)
        return thresholds if self.quantisation == 'none' else np.rint(thresholds * 255)

    def precision_recall(
        self, hits: FloatArray, false_alarms: FloatArray, foreground: float
    ) -> tuple[FloatArray, FloatArray]:
        """Return precision and recall from pixel counts; 0 / 0 counts as 0."""
        hit_count = hits + self.ratio_epsilon
        found = hits + false_alarms + (self.ratio_epsilon + self.precision_epsilon)
        present = np.full_like(found, foreground + self.ratio_epsilon + self.recall_epsilon)
        precision = np.divide(hit_count, found, out=np.zeros_like(found), where=found > 0)
        recall = np.divide(hit_count, present, out=np.zeros_like(found), where=present > 0)
        return precision, recall


PROTOCOLS: dict[str, Protocol] = {
    protocol.name: protocol
    for protocol in (
        Protocol(
            'pysodmetrics',
            'the reference library PySODMetrics',
            normalisation='minmax',
            structure_normalisation='minmax',
            quantisation='truncate',
            normalised_mae=True,
        ),
        Protocol(
            'salmetric',
            "the CSNet authors' tool SalMetric",
            strict=True,
            ratio_epsilon=1e-4,
            f_of_means=True,
            soft_mask_mae=True,
        ),
        Protocol(
            'fastsaliency',
            "the SAMNet authors' FastSaliency",
            quantisation='none',
            thresholds=tuple(step / 50 for step in range(1, 50)),
            strict=True,
            foreground_level=255,
            precision_epsilon=1e-8,
            recall_epsilon=1e-8,
            f_epsilon=1e-8,
            f_of_means=True,
            keeps_floats=True,
        ),
        Protocol(
            'survey',
            "the saliency survey's tool, of ITDBU's first author",
            normalisation='max',
            structure_normalisation='minmax',
            precision_epsilon=1e-5,
            resizes_mask=True,
            skips_empty=True,
        ),
    )
}


def get_protocol(name: ProtocolName) -> Protocol:
    """Return a protocol by name.

    Raises:
        ValueError: The name is unknown; the message lists the known names.
    """
    return PROTOCOLS[require_choice('protocol', name, PROTOCOLS)]


def normalise(values: FloatArray, lowest: float, highest: float, rule: Normalisation) -> FloatArray:
    """Normalise the values of a map with the given extremes; a constant map stays unchanged."""
    if rule == 'minmax' and highest > lowest:
        return (values - lowest) / (highest - lowest)
    if rule == 'max' and highest > 0:
        return values / highest
    return values
