"""Average the weights of networks of one architecture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from sod_plugins.checkpoints.description import describe
from sod_plugins.checkpoints.network_file import load_network
from sod_plugins.networks.base import DescribedNetwork


def average_networks(
    paths: Sequence[str | Path], weights: Sequence[float] | None = None
) -> DescribedNetwork:
    """Average the weights of networks, such as those after several stages of one training.

    The average of networks that were trained from the same beginning often predicts better than
    each of them, and takes the time of one (Wortsman et al., "Model soups", ICML 2022, Sec. 3).

    Args:
        paths: Checkpoints of networks with equal class and arguments.
        weights: The share of each, at least 0 and 1 in sum; by default equal shares.

    Returns:
        The network in eval mode on the CPU, with the preprocessing of the last file. What cannot
        be averaged, such as counts of batches, is the last file's too.

    Raises:
        FileNotFoundError: A file does not exist.
        ValueError: A file is no checkpoint of this package, the networks differ, or the weights are
            not as described.
    """
    if len(paths) < 2:
        raise ValueError('An average needs two checkpoints or more.')
    shares = [1 / len(paths)] * len(paths) if weights is None else list(weights)
    if len(shares) != len(paths):
        raise ValueError(f'{len(shares)} weights are given for {len(paths)} checkpoints.')
    if not (all(share >= 0 for share in shares) and math.isclose(sum(shares), 1, abs_tol=1e-6)):
        given = ' '.join(f'{share:g}' for share in shares)
        raise ValueError(f'The weights are {given}. Give numbers from 0 whose sum is 1.')
    networks = [load_network(path) for path in paths]
    result = networks[-1]
    for path, network in zip(paths, networks, strict=True):
        if _structure(network) != _structure(result):
            raise ValueError(
                f'{path} and {paths[-1]} hold networks of different structure, which have no '
                'average.'
            )
    states = [network.state_dict() for network in networks]  # the last is the result's
    for name, value in states[-1].items():
        if value.is_floating_point():
            parts = (
                share * state[name].double() for share, state in zip(shares, states, strict=True)
            )
            value.copy_(sum(parts))
    return result


def _structure(network: DescribedNetwork) -> tuple[object, ...]:
    """Return what two networks with the same names and shapes of weights have in common."""
    description = describe(network)
    return description.network, description.arguments
