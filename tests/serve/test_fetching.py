"""URLs of strangers reach public addresses alone: by no name, redirect, port or change of mind."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from sod_plugins.serve.fetching import Fetcher, NotPublicError, PublicNetwork, is_public
from sod_plugins.serve.refusals import Refusal

PUBLIC = '93.184.215.14'


@pytest.mark.parametrize(
    'address', [PUBLIC, '8.8.8.8', '2606:4700::1111', '::ffff:8.8.8.8', '64:ff9b::808:808']
)
def test_public_addresses(address):
    assert is_public(address)


@pytest.mark.parametrize(
    'address',
    [
        *('127.0.0.1', '127.1.2.3', '10.0.0.1', '172.16.0.1', '192.168.1.1', '169.254.169.254'),
        *('0.0.0.0', '100.64.0.1', '192.0.0.8', '192.0.2.1', '198.18.0.1', '203.0.113.5'),
        *(
            '192.88.99.1',
            '64:ff9b:1::a00:1',
            '3fff::1',
            '224.0.0.1',
            '240.0.0.1',
            '255.255.255.255',
            '::1',
            '::',
            'fe80::1',
            'fe80::1%eth0',
        ),
        *('fc00::1', 'fd12:3456::1', 'ff02::1', '2001:db8::1', '::ffff:127.0.0.1'),
        *('::ffff:169.254.169.254', '64:ff9b::7f00:1', '64:ff9b::a00:1', '2002:7f00:1::'),
        *('2002:808:808::', '2001:0:7f00:1::', 'localhost', ''),
    ],
)
def test_addresses_that_are_not_public(address):
    assert not is_public(address)


class Handler(BaseHTTPRequestHandler):
    """Paths say what comes: /redirect?to, /large, /slow, /status/404, or their own name."""

    def do_GET(self):
        self.server.asked.append(self.path)
        path, _, query = self.path.partition('?')
        if path == '/redirect':
            self.send_response(302)
            self.send_header('Location', query)
            self.end_headers()
            return
        if path == '/slow':
            self.server.stop.wait(5)
        self.send_response(int(path.split('/')[2]) if path.startswith('/status/') else 200)
        self.end_headers()
        self.wfile.write(bytes(100_000) if path == '/large' else path.encode())

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(('127.0.0.1', 0), Handler) as server:
        server.asked, server.stop = [], threading.Event()
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield server
        server.stop.set()
        server.shutdown()


def make_fetcher(server, names=None, **options):
    """A fetcher for which the names of a server on this machine, and those alone, are public.

    ``names`` maps a host to what it resolves to, each time anew.
    """
    names = {'good.test': iter(lambda: '127.0.0.1', None)} | (names or {})
    lookups = []

    def resolve(host, port):
        lookups.append(host)
        if host not in names:
            raise OSError('unknown name')
        return [next(names[host])]

    network = PublicNetwork(resolve, lambda address: address == '127.0.0.1')
    ports = {80, server.server_address[1]}
    return Fetcher(50_000, network=network, ports=ports, **options), lookups


def fetch(fetcher, url, server):
    return asyncio.run(fetcher.fetch(url.replace(':PORT', f':{server.server_address[1]}')))


def test_a_public_url_is_fetched(server):
    fetcher, lookups = make_fetcher(server)
    assert fetch(fetcher, 'http://good.test:PORT/a b?ü', server) == b'/a%20b'
    assert server.asked == ['/a%20b?%C3%BC']
    assert lookups == ['good.test']


def test_redirects_are_followed_to_public_addresses(server):
    fetcher, _ = make_fetcher(server)
    assert fetch(fetcher, 'http://good.test:PORT/redirect?/there', server) == b'/there'


@pytest.mark.parametrize(
    ('url', 'status', 'word'),
    [
        ('http://bad.test:PORT/', 403, 'not public'),
        ('http://good.test:PORT/redirect?http://bad.test:PORT/', 403, 'not public'),
        ('http://good.test:PORT/redirect?http://good.test:22/', 403, 'port'),
        ('http://good.test:PORT/redirect?file:///etc/passwd', 422, 'http or https'),
        ('http://good.test:PORT/redirect?//[::1', 502, 'no URL'),
        ('http://good.test:6379/', 403, 'port'),
        ('ftp://good.test/', 422, 'http or https'),
        ('file:///etc/passwd', 422, 'http or https'),
        ('nonsense', 422, 'http or https'),
        ('http://', 422, 'http or https'),
        ('http://[::1', 422, 'no URL'),
        ('http://good.test:99999/', 422, 'no URL'),
        (f'http://{"a" * 70}.test/', 422, 'no URL'),
        ('http://user:word@good.test:PORT/', 422, 'password'),
        ('http://unknown.test/', 502, 'reached'),
        ('http://good.test:80/', 502, 'reached'),
        ('http://good.test:PORT/status/404', 502, '404'),
        ('http://good.test:PORT/redirect?/redirect?/redirect?/redirect?/x', 200, ''),
        ('http://good.test:PORT/redirect', 502, 'more than 5'),
        ('http://good.test:PORT/large', 413, '50,000'),
        ('https://good.test:PORT/', 502, 'reached'),
    ],
)
def test_what_is_refused(server, url, status, word):
    fetcher, _ = make_fetcher(server, {'bad.test': iter(lambda: '127.0.0.2', None)})
    if status == 200:
        assert fetch(fetcher, url, server) == b'/x'
        return
    with pytest.raises(Refusal) as caught:
        fetch(fetcher, url, server)
    assert caught.value.status == status
    assert word in caught.value.sentence


def test_a_server_that_is_slow_is_given_up(server):
    fetcher, _ = make_fetcher(server, time_limit=0.2)
    with pytest.raises(Refusal) as caught:
        fetch(fetcher, 'http://good.test:PORT/slow', server)
    assert caught.value.status == 504


def test_a_name_that_changes_its_mind_gains_nothing(server):
    """It is resolved once a connection, and what was checked is what is connected to."""
    fetcher, lookups = make_fetcher(server, {'rebind.test': iter(['127.0.0.1', '127.0.0.2'])})
    assert fetch(fetcher, 'http://rebind.test:PORT/a', server) == b'/a'
    assert lookups == ['rebind.test']
    with pytest.raises(Refusal) as caught:  # the second connection is checked anew
        fetch(fetcher, 'http://rebind.test:PORT/b', server)
    assert caught.value.status == 403
    assert server.asked == ['/a']


def test_one_private_address_among_public_ones_is_enough():
    network = PublicNetwork(lambda host, port: [PUBLIC, '10.0.0.1'])
    with pytest.raises(NotPublicError):
        asyncio.run(network.connect_tcp('mixed.test', 80))


@pytest.mark.parametrize(
    'host',
    ['127.0.0.1', 'localhost', '[::1]', '0x7f.1', '2130706433', '0177.0.0.1', '[::ffff:7f00:1]'],
)
def test_this_machine_is_not_public_under_any_name(host):
    with pytest.raises(Refusal) as caught:
        asyncio.run(Fetcher(1000).fetch(f'http://{host}/'))
    assert caught.value.status in (403, 502)  # where the system does not know the form
