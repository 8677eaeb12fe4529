"""Import ONNX Runtime so that it reports nothing about the user's machine and networks."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

TELEMETRY_OFF = 'ORT_DISABLE_TELEMETRY'


def import_onnx_runtime() -> Any:
    """Import ONNX Runtime with its telemetry off, unless the environment has a word on that.

    From version 1.29 on, its builds keep a number of the machine in the user's cache and send what
    they run to their maker. They read the variable once, when they are imported: afterwards the
    environment is as before. What the user's own code imported first stays as it is.
    """
    if TELEMETRY_OFF in os.environ or 'onnxruntime' in sys.modules:
        return importlib.import_module('onnxruntime')
    os.environ[TELEMETRY_OFF] = '1'
    try:
        return importlib.import_module('onnxruntime')
    finally:
        os.environ.pop(TELEMETRY_OFF, None)
