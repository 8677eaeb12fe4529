"""Costs of a network, and facts about it for readers of results."""

from sod_plugins.analysis.complexity import count_macs, count_macs_csnet, count_parameters
from sod_plugins.analysis.facts import network_facts

__all__ = ['count_macs', 'count_macs_csnet', 'count_parameters', 'network_facts']
