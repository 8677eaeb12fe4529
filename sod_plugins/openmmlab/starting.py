"""Report faults of a config or of data that show while a run of mmengine is built."""

from __future__ import annotations

import traceback
from typing import Any

from mmengine.runner import Runner

from sod_plugins._common import starting
from sod_plugins.data import DataError
from sod_plugins.openmmlab.errors import LaunchError


class Start(starting.Start):
    """The start of a run of mmengine."""

    error = LaunchError
    clear = (LaunchError, DataError, ImportError)

    def watch(self, runner: Runner) -> None:
        """Notice the first batch."""
        call_hook = runner.call_hook

        def noting(fn_name: str, **arguments: Any) -> None:
            self.over = self.over or (fn_name.startswith('after_') and fn_name.endswith('_iter'))
            call_hook(fn_name, **arguments)

        runner.call_hook = noting

    def part(self, error: Exception) -> str:
        """Return which part of the config was being built, the innermost of several."""
        part = None
        for frame, _ in traceback.walk_tb(error.__traceback__):
            if frame.f_code.co_name == 'build_from_cfg':  # of mmengine's registries
                part = frame.f_locals.get('obj_type', part)
        return f" in '{getattr(part, '__name__', part)}'" if part else ''
