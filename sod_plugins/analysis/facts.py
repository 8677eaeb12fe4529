"""Facts about the network behind a result."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sod_plugins.analysis.complexity import count_macs, count_macs_csnet, count_parameters
from sod_plugins.checkpoints import load_network
from sod_plugins.networks.base import DescribedNetwork

# Counts of a network, and what to print before them.
COUNTS = {
    'parameters': 'parameters',
    'macs': 'MACs',
    'macs_csnet': "MACs, CSNet authors' counter",
}


def measure_network(
    network: DescribedNetwork, size: tuple[int, int] | None = None
) -> dict[str, int]:
    """Count the parameters and multiply-accumulates of a network, by the keys of ``COUNTS``.

    Args:
        network: The network.
        size: Height and width of the input; by default that of its preprocessing.
    """
    size = size or network.preprocessing.size
    return {
        'parameters': count_parameters(network),
        'macs': count_macs(network, size),
        'macs_csnet': count_macs_csnet(network, size),
    }


def network_measures(checkpoint: str | Path, size: tuple[int, int] | None = None) -> dict[str, Any]:
    """Describe the network in a checkpoint, as plain values.

    Args:
        checkpoint: A file that :func:`sod_plugins.networks.load_network` reads.
        size: Height and width of the input for the counts; by default that of the checkpoint.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is not a checkpoint of this package.
    """
    network = load_network(checkpoint)
    size = size or network.preprocessing.size
    return {
        'checkpoint': str(checkpoint),
        'network': type(network).__name__,
        'arguments': dict(network.arguments),
        'input': list(size),
        **measure_network(network, size),
    }


def network_facts(checkpoint: str | Path, size: tuple[int, int] | None = None) -> dict[str, str]:
    """Describe the network in a checkpoint, as facts by the names to print before them.

    The arguments and errors are those of :func:`network_measures`.
    """
    measures = network_measures(checkpoint, size)
    height, width = measures['input']
    arguments = ', '.join(f'{name}={value!r}' for name, value in measures['arguments'].items())
    return {
        'checkpoint': measures['checkpoint'],
        'network': f'{measures["network"]}({arguments})',
        'input': f'{height} x {width} (height x width)',
        COUNTS['parameters']: f'{measures["parameters"]:,}',
        COUNTS['macs']: f'{measures["macs"] / 1e9:.4f} G',
        COUNTS['macs_csnet']: f'{measures["macs_csnet"] / 1e9:.4f} G',
    }
