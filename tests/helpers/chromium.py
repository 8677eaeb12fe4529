"""Debian's browser, driven by Playwright."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

PATHS = ('chromium', 'chromium-browser', 'google-chrome')
ARGUMENTS = [
    *('--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'),
    *('--disable-background-networking', '--disable-component-update', '--disable-sync'),
]


@contextmanager
def browser() -> Iterator[Any]:
    """Start a browser with an empty profile, or skip the test where there is none."""
    sync_api = pytest.importorskip('playwright.sync_api')
    program = next(filter(None, map(shutil.which, PATHS)), None)
    if program is None:
        pytest.skip('no Chromium is installed: apt-get install chromium')
    with tempfile.TemporaryDirectory() as home, sync_api.sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            home,
            executable_path=program,
            args=ARGUMENTS,
            accept_downloads=True,
            viewport={'width': 1280, 'height': 900},
        )
        try:
            yield context
        finally:
            context.close()
