"""Broken and hostile bodies get an answer that blames them, never the service."""

from __future__ import annotations

import socket
import sys
import time
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from toy_service import TOY, picture, running

sys.path.insert(0, str(Path(__file__).parents[1] / 'hostile'))
from uploads import bodies

pytestmark = pytest.mark.service
POST = b'POST /api/predict HTTP/1.1\r\nHost: a\r\n'


@pytest.fixture(scope='module')
def base():
    with running(TOY, max_body=8 << 20, body_time_limit=2) as (base, _):
        yield base
        # Bodies whose clients have left may still be judged: nothing is held once they are done.
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and not _is_idle(base):
            time.sleep(0.1)
        assert _is_idle(base), httpx.get(f'{base}/metrics').text


def _is_idle(base):
    lines = httpx.get(f'{base}/metrics').text.splitlines()
    return {'sod_held_bytes 0.0', 'sod_pixels_at_work 0.0'} <= set(lines)


def test_every_body_is_answered(base):
    answers: Counter[int] = Counter()
    wrong = []
    with httpx.Client(timeout=60) as client:
        for path in ('predict', 'remove'):
            for body in bodies():
                headers = {'content-type': body.kind}
                answer = client.post(f'{base}/api/{path}', content=body.content, headers=headers)
                answers[answer.status_code] += 1
                # rembg's interface ignores fields that it does not know.
                expected = body.statuses | ({200} if path == 'remove' else set())
                if answer.status_code not in expected:
                    wrong.append((path, body.name, answer.status_code, answer.text[:200]))
                elif answer.status_code != 200 and not answer.json()['detail'].strip():
                    wrong.append((path, body.name, 'no sentence'))
        assert wrong == []
        assert client.post(f'{base}/api/predict', content=picture()).status_code == 200
    assert answers[415] > 100 and answers[422] > 100 and answers[413] > 5


@pytest.mark.parametrize(
    'request_bytes',
    [
        b'nonsense\r\n\r\n',
        b'GET /healthz\r\n\r\n',
        POST + b'Content-Length: -5\r\n\r\nabc',
        POST + b'Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef',
        POST + b'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
        POST + b'Transfer-Encoding: chunked\r\n\r\nzz\r\nabc',
        POST + b'Transfer-Encoding: chunked\r\n\r\nffffffffff\r\na',
        POST + b'Content-Length: 999999999999\r\n\r\nabc',
        POST + b'Content-Length: 50\r\n\r\nhalf',
        b'GET / HTTP/1.1\r\nX: ' + b'a' * 100_000 + b'\r\n\r\n',
        b'GET /%00/../../../../etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n',
        b'GET /..%2f..%2f..%2f..%2fetc/passwd HTTP/1.1\r\nHost: a\r\n\r\n',
        b'GET //etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n',
    ],
)
def test_broken_http_gets_an_error(base, request_bytes):
    """Or, where the request never ends, the limit of time."""
    address = urlsplit(base)
    with socket.create_connection((address.hostname, address.port), 20) as connection:
        connection.sendall(request_bytes)
        start = connection.recv(1000)
    assert start.startswith((b'HTTP/1.1 4', b'HTTP/1.0 4')), start
    assert httpx.get(f'{base}/healthz').status_code == 200


def test_clients_that_leave_in_the_middle_leave_nothing_behind(base):
    address = urlsplit(base)
    head = POST + b'Content-Length: 4000000\r\n\r\n'
    for sent in (head, head + bytes(2_000_000), head + bytes(4_000_000)):
        for _ in range(10):
            with socket.create_connection((address.hostname, address.port)) as connection:
                connection.sendall(sent)
    assert httpx.post(f'{base}/api/predict', content=picture()).status_code == 200
