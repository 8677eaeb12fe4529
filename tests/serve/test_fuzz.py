"""Schemathesis sends what the API's description allows and what it does not."""

from __future__ import annotations

import base64
import subprocess
import sys
import textwrap

import pytest
from toy_service import TOY, picture, running

pytestmark = pytest.mark.service

# Bodies that the description can only call binary: images, and what is none.
HOOKS = """
    import base64

    import schemathesis
    from hypothesis import strategies

    PICTURES = [base64.b64decode(text) for text in {pictures!r}]
    IMAGES = strategies.sampled_from(PICTURES)
    for kind in ('image/jpeg', 'image/png', 'image/webp', 'application/octet-stream'):
        schemathesis.openapi.media_type(kind, IMAGES)
    schemathesis.openapi.format('binary', IMAGES)
    schemathesis.openapi.format('color', strategies.sampled_from(['red', '#0f0', 'blur']))
    schemathesis.openapi.format('rgba', strategies.sampled_from(['1,2,3,4', '255,0,9']))
"""


# Booleans may be written as yes, on or 1, as rembg and FastAPI read them. Which options of
# /api/predict go together is said by no schema.
SETTINGS = """
    [checks]
    negative_data_rejection.enabled = false

    [[operations]]
    include-name = "POST /api/predict"
    checks.positive_data_acceptance.enabled = false
"""


def test_answers_are_those_of_the_description(tmp_path):
    pytest.importorskip('schemathesis')
    pictures = [picture(8, 6), picture(9, 5, 'JPEG'), picture(7, 7, 'WEBP')]
    hooks = HOOKS.format(pictures=[base64.b64encode(one).decode() for one in pictures])
    (tmp_path / 'hooks.py').write_text(textwrap.dedent(hooks))
    (tmp_path / 'schemathesis.toml').write_text(textwrap.dedent(SETTINGS))
    command = [
        *(sys.executable, '-m', 'schemathesis.cli', 'run'),
        *('--phases', 'examples,coverage,fuzzing', '--max-examples', '25', '--seed', '1'),
        *('--request-timeout', '20', '--no-shrink'),
    ]
    environ = {'SCHEMATHESIS_HOOKS': 'hooks', 'PYTHONPATH': str(tmp_path), 'PATH': ''}
    with running(TOY) as (base, _):
        done = subprocess.run(
            [*command, f'{base}/openapi.json'],
            cwd=tmp_path,
            env=environ,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stdout[-15000:] + done.stderr[-2000:]
    assert 'Tested: 6' in done.stdout
