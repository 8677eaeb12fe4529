"""What a measure is, and the registry of measures.

Register a measure of your own with::

    from sod_plugins.metrics import Measure, register_measure

    def largest_error(image):
        return abs(image.saliency - image.mask).max()

    register_measure(Measure('largest_error', 'largest error', 'lower', largest_error))

in a file that ``--import`` names, in a module of a config's ``custom_imports``, or in one that an
installed package offers in the entry-point group ``sod_plugins``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, get_args

from sod_plugins._common.choices import require_choice
from sod_plugins._common.user_code import import_entry_points

Direction = Literal['higher', 'lower']
Averaging = Literal['images', 'curves']

# Other fields of a record or columns of a table.
_RESERVED = {
    *('all', 'count', 'curves', 'dark', 'dataset', 'default', 'images', 'measures', 'method'),
    *('protocol', 'skipped', 'stem'),
}


@dataclass(frozen=True)
class MeasureInfo:
    """What a reader of results needs to know of a measure.

    Attributes:
        key: The name in records and arguments, an identifier such as ``'max_f'``.
        title: The name that tables print, such as ``'max F'``.
        direction: Whether ``'higher'`` or ``'lower'`` values are better.

    Raises:
        ValueError: The key is not an identifier or is reserved, or the direction is invalid.
    """

    key: str
    title: str
    direction: Direction

    def __post_init__(self) -> None:
        """Check the fields."""
        require_choice('direction', self.direction, get_args(Direction))
        if not self.key.isidentifier() or self.key in _RESERVED:
            raise ValueError(
                f"A measure cannot have the key '{self.key}'. Choose an identifier other than "
                f'{", ".join(sorted(_RESERVED))}.'
            )

    @property
    def arrow(self) -> str:
        """Return the arrow that tables print."""
        return '↑' if self.direction == 'higher' else '↓'


@dataclass(frozen=True)
class Measure(MeasureInfo):
    """A measure of saliency maps.

    Attributes:
        function: Computes the value. If averaged over images, it takes a ``Comparison`` (a map and
            a mask under a protocol) and returns a number. If computed from curves, it takes a
            mapping of curves by name (``precision``, ``recall``, ``f``, ``e``, ...), each an array
            over the thresholds.
        averaging: ``'images'``: the data set's value is the mean over its images. ``'curves'``:
            the curves are averaged over the images, and the function is applied to the means.
        definition: One line for the documentation.
    """

    function: Callable[[Any], float]
    averaging: Averaging = 'images'
    definition: str = ''

    def __post_init__(self) -> None:
        """Check the fields."""
        super().__post_init__()
        require_choice('averaging', self.averaging, ('images', 'curves'))

    def info(self) -> MeasureInfo:
        """Return the key, title and direction alone."""
        return MeasureInfo(self.key, self.title, self.direction)


MEASURES: dict[str, Measure] = {}
_DEFAULT_KEYS: list[str] = []


def register_measure(measure: Measure, *, default: bool = True) -> Measure:
    """Register a measure under its key.

    Args:
        measure: The measure.
        default: Whether it is computed by default.

    Raises:
        ValueError: Another measure already has this key.
    """
    other = MEASURES.get(measure.key)
    if other is not None and _origin(other) != _origin(measure):
        raise ValueError(f"There already is a measure '{measure.key}'. Choose another key.")
    MEASURES[measure.key] = measure
    if default and measure.key not in _DEFAULT_KEYS:
        _DEFAULT_KEYS.append(measure.key)
    return measure


def default_measures() -> tuple[Measure, ...]:
    """Return the measures computed by default: the usual ones and the registered ones of users."""
    return tuple(MEASURES[key] for key in _DEFAULT_KEYS)


def find_measures(chosen: Iterable[str | Measure] | None = None) -> tuple[Measure, ...]:
    """Return the chosen measures, without duplicates, in order.

    Args:
        chosen: Keys, ``'default'``, ``'all'`` or measures, registered or not; None is the default.

    Raises:
        ValueError: A key is unknown, or no measure is chosen.
        ImportError: An installed package that provides measures fails to import.
    """
    import_entry_points()
    if isinstance(chosen, str):
        raise ValueError(f"measures must be a list of keys, got '{chosen}'.")
    found: dict[str, Measure] = {}
    for choice in ('default',) if chosen is None else chosen:
        if isinstance(choice, Measure):
            measures: tuple[Measure, ...] = (choice,)
        elif choice == 'default':
            measures = default_measures()
        elif choice == 'all':
            measures = tuple(MEASURES.values())
        else:
            measures = (MEASURES[require_choice('measures', choice, MEASURES)],)
        found |= {measure.key: measure for measure in measures}
    if not found:
        raise ValueError('No measure was chosen. Name at least one, or leave measures out.')
    return tuple(found.values())


def _origin(measure: Measure) -> tuple[str, str]:
    """Return where a measure's function is defined, to recognise a second import of it."""
    function = measure.function
    return (
        getattr(function, '__module__', type(function).__module__),
        getattr(function, '__qualname__', repr(function)),
    )
