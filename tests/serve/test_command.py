"""``sod serve`` as users start, call and end it."""

from __future__ import annotations

import contextlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

import httpx
import numpy as np
import pytest
from toy_service import picture, pixels_of

from sod_plugins.cli import main

pytestmark = pytest.mark.service


@contextlib.contextmanager
def served(*words: str):
    """Start the command at a free port; give the process and the service's address."""
    command = [sys.executable, '-m', 'sod_plugins.cli', 'serve', '--port', '0', *words]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        base = ''
        for line in process.stderr:
            if found := re.search(r'sod-small at (http://127\.0\.0\.1:\d+)', line):
                base = found[1]
            if 'startup complete' in line:
                break
        assert base
        rest = threading.Thread(target=process.stderr.read)  # else the pipe fills up
        rest.start()
        yield process, base
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope='module')
def base():
    with served() as (_, base):
        yield base


def test_curl_as_rembg_documents_it(base, tmp_path):
    if shutil.which('curl') is None:
        pytest.skip('there is no curl')
    photo, result = tmp_path / 'input.png', tmp_path / 'output.png'
    photo.write_bytes(picture(640, 480))
    url = f'{base}/api/remove'
    subprocess.run(['curl', '-s', '-F', f'file=@{photo}', url, '-o', result], check=True)
    cutout = pixels_of(result.read_bytes())
    assert cutout.shape == (480, 640, 4)
    assert cutout[240, 320, 3] > 200  # the bright disk
    assert cutout[5, 5, 3] < 50
    fields = ['-F', 'model=u2net', '-F', 'om=true', '-F', 'a=false', '-F', 'af=240']
    command = ['curl', '-s', '-F', f'file=@{photo}', *fields, url, '-o', result]
    subprocess.run(command, check=True)
    mask = pixels_of(result.read_bytes())
    np.testing.assert_array_equal(np.clip(2 * mask.astype(int) - 127, 0, 255), cutout[..., 3])
    command = ['curl', '-s', f'{url}?url=http://input.png', '-w', '%{http_code}']
    answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert answer.endswith('403') and '--allow-urls' in answer


def test_the_map_is_that_of_the_command(base, tmp_path):
    photo = tmp_path / 'photo.jpg'
    photo.write_bytes(picture(900, 700, 'JPEG'))
    assert main(['predict', str(photo), '-o', str(tmp_path / 'maps')]) == 0
    assert main(['predict', str(photo), '-o', str(tmp_path / 'all'), '--cutout']) == 0
    for output, file in (('map', 'maps/photo.png'), ('cutout', 'all/cutout/photo.png')):
        answer = httpx.post(f'{base}/api/predict?output={output}', content=photo.read_bytes())
        assert answer.content == (tmp_path / file).read_bytes()


@pytest.mark.parametrize('sign', [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order(sign):
    with served() as (process, base):
        answers = []
        clients = [
            threading.Thread(
                target=lambda: answers.append(
                    httpx.post(
                        f'{base}/api/remove',
                        files={'file': ('a', picture(3000, 2000, 'JPEG'))},
                        timeout=60,
                    ).status_code
                )
            )
            for _ in range(4)
        ]
        for client in clients:
            client.start()
        end = time.monotonic() + 30
        while httpx.get(f'{base}/healthz').json()['queued'] < 4 and time.monotonic() < end:
            time.sleep(0.01)
        process.send_signal(sign)
        for client in clients:
            client.join()
        assert process.wait(60) == 0
        assert answers == [200] * 4


def test_what_cannot_be_served_is_said_before(capsys):
    with socket.socket() as taken:
        taken.bind(('127.0.0.1', 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert main(['serve', '--port', port]) == 2
    error = capsys.readouterr().err
    assert f'port {port}' in error and '--port' in error
    assert main(['serve', '--port', '99999']) == 2
    assert '99999' in capsys.readouterr().err
    assert main(['serve', '--model', 'sod-smal']) == 2
    assert "Did you mean 'sod-small'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ('words', 'reason'),
    [
        (['--max-queue', '-1'], "'-1' is not a whole number from 1 to 1,000,000"),
        (['--max-queue', '0'], "'0' is not a whole number from 1"),
        (['--max-mb', 'inf'], "'inf' is not a number above 0"),
        (['--max-mb', '0'], "'0' is not a number above 0"),
        (['--max-megapixels', 'nan'], "'nan' is not a number above 0"),
        (['--time-limit', 'soon'], "'soon' is not a number above 0"),
        (['--batch-size', '0'], "'0' is not a number of images from 1 to 65,536"),
        (['--workers', '100000'], "'100000' is not a number of workers from 1 to 1,000"),
        (['--cors', 'example.org'], "'example.org' is no origin such as https://example.org"),
        (['--cors', 'https://example.org/'], 'without a path'),
    ],
)
def test_wrong_limits_are_refused_in_a_sentence(capsys, words, reason):
    with pytest.raises(SystemExit) as stop:
        main(['serve', *words])
    errors = capsys.readouterr().err
    assert stop.value.code == 2 and reason in errors and errors.count('\n') == 1


def test_the_limits_are_those_of_the_service(monkeypatch):
    calls = []
    monkeypatch.setattr('sod_plugins.serve.serve', lambda *arguments: calls.append(arguments))
    words = ['--max-mb', '0.5', '--max-megapixels', '1e-9', '--workers', '3', '--cors', '*']
    assert main(['serve', '--quiet', *words, '--cors', 'https://example.org:8080']) == 0
    ((_, host, port, settings, level),) = calls
    assert (host, port, level) == ('127.0.0.1', 7000, 'warning')
    assert (settings.max_body, settings.max_pixels, settings.workers) == (1 << 19, 1, 3)
    assert settings.origins == ('*', 'https://example.org:8080')
    assert main(['serve', '--log-level', 'error', '-q']) == 0
    assert calls[1][-1] == 'error'
