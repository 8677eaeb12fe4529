"""What a network costs, and what a reader of results wants to know about it."""

from sod_plugins.analysis.complexity import count_macs, count_macs_csnet, count_parameters
from sod_plugins.analysis.facts import network_facts

__all__ = ['count_macs', 'count_macs_csnet', 'count_parameters', 'network_facts']
