"""The description of a network in a checkpoint, and the network built from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from sod_plugins._common.limits import require_size
from sod_plugins.networks.base import DescribedNetwork
from sod_plugins.networks.preprocessing import Preprocessing
from sod_plugins.networks.registry import find_network, network_of_parts

VERSION = 2
FIELDS = {'format', 'network', 'arguments', 'preprocessing'}
PLAIN = (str, int, float, bool, type(None))
NAMED_AT_MOST = 3
LARGEST_NUMBER = 1 << 20
# Building and initialising a network takes fewer torch calls than this for each of its tensors.
CALLS_PER_TENSOR = 100


@dataclass(frozen=True)
class Description:
    """A network without its weights.

    Args:
        network: The registered name of its class.
        arguments: The arguments of :meth:`DescribedNetwork.from_arguments`, as plain values.
        preprocessing: Input size and normalisation that the weights expect.
        prefixes: Maps prefixes of weight names in a trainer's checkpoint to those in the network.
            Weights with other names do not belong to the network. If empty, all weights do.
    """

    network: str
    arguments: Mapping[str, Any]
    preprocessing: Preprocessing
    prefixes: Mapping[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the description as plain values for a checkpoint."""
        values = {
            'format': VERSION,
            'network': self.network,
            'arguments': dict(self.arguments),
            'preprocessing': self.preprocessing.to_dict(),
        }
        return {**values, 'prefixes': dict(self.prefixes)} if self.prefixes else values

    @classmethod
    def from_dict(cls, values: Any) -> Description:
        """Check and return the description in a checkpoint.

        Raises:
            ValueError: It is invalid or newer; the message continues after the file name.
        """
        if not isinstance(values, dict) or type(values.get('format')) is not int:
            raise ValueError('has a description of an unknown form')
        if values['format'] > VERSION:
            raise ValueError(
                f'was written by a newer sod_plugins (format {values["format"]}, this one reads '
                f'formats up to {VERSION}): update sod_plugins'
            )
        if values.keys() - {'prefixes'} != FIELDS or not isinstance(values['network'], str):
            raise ValueError('has a description of an unknown form')
        arguments = check_plain(values['arguments'])
        if not isinstance(arguments, dict) or not all(isinstance(name, str) for name in arguments):
            raise ValueError('has a description without arguments')
        prefixes = check_plain(values.get('prefixes', {}))
        if not isinstance(prefixes, dict) or not all(isinstance(p, str) for p in prefixes.values()):
            raise ValueError('has a description of an unknown form')
        preprocessing = check_preprocessing(check_plain(values['preprocessing']))
        return cls(values['network'], arguments, preprocessing, prefixes)

    def own_weights(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Select the weights of the network from a checkpoint, and rename them."""
        if not self.prefixes:
            return dict(weights)
        return {
            self.prefixes[prefix] + name.removeprefix(prefix): value
            for name, value in weights.items()
            for prefix in self.prefixes
            if name.startswith(prefix)
        }

    def build(self, weights: Mapping[str, Tensor]) -> DescribedNetwork:
        """Build the network with these weights, in evaluation mode on the CPU.

        The network is first built without memory, so that a description that does not match the
        weights costs nothing, however large its network is.

        Raises:
            ValueError: The network is unknown, does not accept the arguments, or does not match
                the weights; the message continues after the file name.
        """
        cls = _known(self.network)
        try:
            sketch = sketch_network(cls, self.arguments, len(weights))
        except (ArithmeticError, LookupError, AttributeError, RuntimeError) as error:
            raise ValueError(f'has arguments that {self.network} does not take') from error
        except (TypeError, ValueError) as error:
            raise ValueError(
                f'has arguments that {self.network} does not take: {one_line(error)}'
            ) from error
        if problem := misfit(sketch.state_dict(), weights):
            raise ValueError(f'has weights that do not fit its description: {problem}')
        network = cls.from_arguments(self.arguments)
        network.load_state_dict(weights)
        network.preprocessing = self.preprocessing
        return network.eval()


def describe(network: DescribedNetwork, preprocessing: Preprocessing | None = None) -> Description:
    """Describe a network of a registered class.

    Raises:
        ValueError: The class is not registered.
    """
    name = type(network).__name__
    if not isinstance(network, DescribedNetwork) or find_network(name) is not type(network):
        raise ValueError(f'a {name} is not registered: see sod_plugins.networks.register_network')
    return Description(name, network.described_arguments(), preprocessing or network.preprocessing)


def describe_parts(parts: Mapping[str, nn.Module], preprocessing: Preprocessing) -> Description:
    """Describe the network that a trainer has assembled from parts.

    Raises:
        ValueError: The parts do not form a registered network; the message says why.
    """
    cls, arguments = network_of_parts(parts)
    weights = {
        f'{name}.{key}': value
        for name, part in parts.items()
        for key, value in part.state_dict().items()
    }
    sketch = sketch_network(cls, arguments, len(weights))
    if problem := misfit(sketch.state_dict(), weights) or _other_layer(sketch, parts):
        raise ValueError(f'its parts differ from those of a {cls.__name__}: {problem}')
    return Description(cls.__name__, arguments, preprocessing)


def sketch_network(
    cls: type[DescribedNetwork], arguments: Mapping[str, Any], tensors: int
) -> DescribedNetwork:
    """Build a network without memory for its weights.

    Args:
        cls: The class of the network.
        arguments: The arguments of :meth:`DescribedNetwork.from_arguments`.
        tensors: The expected number of tensors; building is aborted if there are many more.

    Raises:
        ValueError: The network has many more tensors.
    """
    with sketching(tensors):
        return cls.from_arguments(arguments)


@contextmanager
def sketching(tensors: int) -> Iterator[None]:
    """Build modules without memory for their weights, in this thread only.

    Args:
        tensors: The expected number of tensors; building is aborted if there are many more.

    Raises:
        ValueError: The modules have many more tensors.
    """
    with torch.device('meta'), _Bounded(CALLS_PER_TENSOR * (tensors + 10)):
        yield


class _Bounded(TorchFunctionMode):
    """Counts the torch calls of this thread, and aborts after too many."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.left = limit

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.left -= 1
        if self.left < 0:
            raise ValueError('it has far more layers than there are weights')
        return func(*args, **(kwargs or {}))


def misfit(own: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> str | None:
    """Describe how weights differ from those of a network; None if they match."""
    shared = [key for key in own if key in given]
    problems = (
        ('missing keys', [key for key in own if key not in given]),
        ('unexpected keys', [key for key in given if key not in own]),
        ('size mismatch for', [key for key in shared if own[key].shape != given[key].shape]),
    )
    return '; '.join(f'{what} {some(keys)}' for what, keys in problems if keys) or None


def some(names: list[str], at_most: int = NAMED_AT_MOST) -> str:
    """Name the first few and count the rest."""
    more = len(names) - at_most
    shown = ', '.join(name[:80] for name in names[:at_most])
    return shown + (f' and {more} more' if more > 0 else '')


def not_finite(weights: Mapping[str, Tensor]) -> list[str]:
    """Return the names of weights that hold NaN or infinity."""
    return [
        name
        for name, value in weights.items()
        if value.is_floating_point() and not value.isfinite().all()
    ]


def check_plain(value: Any) -> Any:
    """Return a value if it consists of plain values.

    Raises:
        ValueError: It does not, is nested too deep, or is too long.
    """
    left, queue = 10_000, [(value, 0)]
    while queue:
        content, depth = queue.pop()
        left -= 1
        if isinstance(content, dict | list | tuple) and depth < 20 and left > len(content):
            inner = [*content, *content.values()] if isinstance(content, dict) else content
            queue.extend((part, depth + 1) for part in inner)
        elif type(content) not in PLAIN or left < 0:
            raise ValueError('has a description with other than plain values')
        elif isinstance(content, int | float) and not abs(content) <= LARGEST_NUMBER:
            raise ValueError('has a description with absurd numbers')
    return value


def check_preprocessing(values: Any) -> Preprocessing:
    """Return the preprocessing of a description.

    Raises:
        ValueError: The values are not a valid preprocessing.
    """
    try:
        preprocessing = Preprocessing.from_dict(values)
        require_size(preprocessing.size)
        numbers = [*preprocessing.mean, *preprocessing.std]
        fits = (
            all(type(side) is int for side in preprocessing.size)
            and len(preprocessing.mean) == len(preprocessing.std) == 3
            and all(isinstance(number, int | float) for number in numbers)
            and all(preprocessing.std)
            and isinstance(preprocessing.antialias, bool)
        )
    except (AttributeError, TypeError, ValueError) as error:
        raise ValueError('has a description without preprocessing') from error
    if not fits:
        raise ValueError('has a description with absurd preprocessing')
    return preprocessing


def _known(name: str) -> type[DescribedNetwork]:
    try:
        return find_network(name)
    except ValueError as error:
        raise ValueError(f'holds {error}') from error


def _other_layer(sketch: nn.Module, parts: Mapping[str, nn.Module]) -> str | None:
    """Name a layer with equal weights but other settings, such as strides or a larger eps."""
    layers = dict(sketch.named_modules())
    for prefix, part in parts.items():
        for name, layer in part.named_modules(prefix=prefix):
            leaf = not any(layer.children())
            if leaf and (name not in layers or layers[name].extra_repr() != layer.extra_repr()):
                return f'{name} is {layer.extra_repr()}'
    return None


def one_line(error: Exception) -> str:
    """Return the message of an error in one line, without its full stop."""
    return ' '.join(str(error).split())[:300].rstrip('.')
