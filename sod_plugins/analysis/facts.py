"""Facts about the network behind a result."""

from __future__ import annotations

from pathlib import Path

from sod_plugins.analysis.complexity import count_macs, count_macs_csnet, count_parameters
from sod_plugins.checkpoints import load_network


def network_facts(checkpoint: str | Path, size: tuple[int, int] | None = None) -> dict[str, str]:
    """Describe the network in a checkpoint, as facts by the names to print before them.

    Args:
        checkpoint: A file that :func:`sod_plugins.networks.load_network` reads.
        size: Height and width of the input for the counts; by default that of the checkpoint.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is not a checkpoint of this package.
    """
    network = load_network(checkpoint)
    size = size or network.preprocessing.size
    arguments = ', '.join(f'{name}={value!r}' for name, value in network.arguments.items())
    return {
        'checkpoint': str(checkpoint),
        'network': f'{type(network).__name__}({arguments})',
        'input': f'{size[0]} x {size[1]} (height x width)',
        'parameters': f'{count_parameters(network):,}',
        'MACs': f'{count_macs(network, size) / 1e9:.4f} G',
        "MACs, CSNet authors' counter": f'{count_macs_csnet(network, size) / 1e9:.4f} G',
    }
