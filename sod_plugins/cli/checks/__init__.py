"""What ``sod doctor`` examines: packages, hosts, GPU, folders, weights and predictions.

Hosts are found by the metadata of installed packages, and imported in a child process only.
"""

from __future__ import annotations

from sod_plugins.cli.checks.examination import examine, is_healthy
from sod_plugins.cli.checks.finding import Finding

__all__ = ['Finding', 'examine', 'is_healthy']
