from __future__ import annotations

import hashlib
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from sod_plugins.checkpoints import downloads
from sod_plugins.checkpoints.downloads import download

CONTENT = bytes(range(256)) * 5000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def server():
    """A server on this machine that notes what it was asked for, and may break off."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            begin = int((self.headers.get('Range') or 'bytes=0-')[6:-1])
            asked.append((self.path, begin))
            if self.path.startswith('/missing'):
                self.send_error(404)
                return
            part = CONTENT[begin:]
            self.send_response(206 if begin else 200)
            self.send_header('Content-Length', str(len(part)))
            self.end_headers()
            self.wfile.write(part[: breaks.pop() if breaks else None])

        def log_message(self, *_):
            pass

    asked, breaks = [], []
    with ThreadingHTTPServer(('127.0.0.1', 0), Handler) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        httpd.url, httpd.asked, httpd.breaks = (
            f'http://127.0.0.1:{httpd.server_port}/a/net.pth',
            asked,
            breaks,
        )
        yield httpd
        httpd.shutdown()


def test_a_file_is_fetched_once(server, tmp_path):
    path = download(server.url, SHA256, tmp_path)
    assert path.read_bytes() == CONTENT
    assert path.name == f'{SHA256[:16]}-net.pth'
    assert download(server.url, SHA256, tmp_path) == path
    assert server.asked == [('/a/net.pth', 0)]


def test_what_is_cached_is_checked_before_it_is_used(server, tmp_path):
    path = download(server.url, SHA256, tmp_path)
    path.write_bytes(b'rotten')
    assert download(server.url, SHA256, tmp_path).read_bytes() == CONTENT
    assert len(server.asked) == 2


def test_a_broken_download_goes_on_where_it_was(server, tmp_path):
    server.breaks.append(70_000)
    with pytest.raises(OSError, match=r'cannot fetch http://.*(connection broke|IncompleteRead)'):
        download(server.url, SHA256, tmp_path)
    assert download(server.url, SHA256, tmp_path).read_bytes() == CONTENT
    assert [begin for _, begin in server.asked] == [0, 70_000]


def test_other_content_is_refused_and_not_kept(server, tmp_path):
    with pytest.raises(OSError, match='has another content than expected'):
        download(server.url, '0' * 64, tmp_path)
    assert [path.suffix for path in tmp_path.iterdir()] == ['.lock']


def test_what_cannot_be_fetched_gets_one_sentence(server, tmp_path):
    missing = server.url.replace('/a/', '/missing/')
    with pytest.raises(OSError, match=r'cannot fetch .*Not Found.*get the file by other means'):
        download(missing, SHA256, tmp_path)
    server.shutdown()
    server.server_close()
    with pytest.raises(OSError, match=r'cannot fetch .*Connection refused.*Without a network'):
        download(server.url, SHA256, tmp_path)


@pytest.mark.parametrize('sha256', ['', 'abc', SHA256.upper()])
def test_a_hash_is_demanded(sha256, tmp_path):
    with pytest.raises(ValueError, match='needs the SHA-256 of its content, 64 hex digits'):
        download('http://127.0.0.1/net.pth', sha256, tmp_path)


def test_two_at_once_fetch_once(server, tmp_path):
    with ThreadPoolExecutor(4) as pool:
        paths = list(pool.map(lambda _: download(server.url, SHA256, tmp_path), range(4)))
    assert len(set(paths)) == 1 and len(server.asked) == 1
    assert paths[0].read_bytes() == CONTENT


def test_a_cache_that_cannot_be_written_to_is_named(server, tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, 'Permission denied')

    monkeypatch.setattr(downloads, '_fetch', refuse)
    with pytest.raises(PermissionError, match=r'cannot keep .*Set XDG_CACHE_HOME to a folder'):
        download(server.url, SHA256, tmp_path)


def test_the_cache_folder_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv('XDG_CACHE_HOME', os.fspath(tmp_path))
    assert downloads.cache_dir() == tmp_path / 'sod_plugins' / 'weights'
