"""Fetches images from untrusted URLs: from public addresses only, and within limits."""

from __future__ import annotations

import ipaddress
import socket
import ssl
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

import anyio
import anyio.to_thread
import httpcore

from sod_plugins.serve.refusals import Refusal

Resolver = Callable[[str, int], list[str]]
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_PORTS = {'http': 80, 'https': 443}
_REDIRECTS = (301, 302, 303, 307, 308)
_MOST_REDIRECTS = 5
_HEADERS = [
    (b'User-Agent', b'sod_plugins'),
    (b'Accept', b'image/*'),
    (b'Accept-Encoding', b'identity'),  # nothing to unpack, so no decompression bomb
    (b'Connection', b'close'),
]
_TIMEOUTS = dict.fromkeys(('connect', 'read', 'write', 'pool'), 10.0)  # seconds
_NAT64 = ipaddress.ip_network('64:ff9b::/96')
# Special-purpose ranges of IANA that not every version of Python knows.
_SPECIAL = tuple(
    map(
        ipaddress.ip_network,
        ('192.0.0.0/24', '192.88.99.0/24', '64:ff9b:1::/48', '2001::/23', '3fff::/20', '5f00::/16'),
    )
)


class NotPublicError(Exception):
    """A host has an address that is not public."""


def is_public(text: str) -> bool:
    """Return whether an address belongs to the public internet.

    An IPv6 address that contains an IPv4 address (mapped, NAT64) is judged by the latter. Addresses
    of tunnels (6to4, Teredo) are never public.
    """
    try:
        address: Address = ipaddress.ip_address(text)
    except ValueError:  # with a zone, as link-local addresses have
        return False
    if isinstance(address, ipaddress.IPv6Address):
        if address.sixtofour is not None or address.teredo is not None:
            return False
        if address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        elif address in _NAT64:
            address = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if any(address in network for network in _SPECIAL):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved)


def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a host."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class PublicNetwork(httpcore.AnyIOBackend):
    """Connects to public addresses only.

    Each connection resolves the name once, checks all its addresses and uses one of them. A name
    that resolves to another address a moment later (DNS rebinding) therefore has no effect.

    Args:
        resolve: Maps host and port to addresses.
        is_public: Returns whether connections to an address are allowed.
    """

    def __init__(
        self, resolve: Resolver = resolve, is_public: Callable[[str], bool] = is_public
    ) -> None:
        super().__init__()
        self._resolve = resolve
        self._is_public = is_public

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to a host; see the class.

        Raises:
            NotPublicError: One of its addresses is not public.
            httpcore.ConnectError: It has no address, or does not answer.
        """
        try:
            addresses = await anyio.to_thread.run_sync(self._resolve, host, port)
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from error
        if not all(map(self._is_public, addresses)):
            raise NotPublicError
        for place, address in enumerate(addresses, 1):
            try:
                return await super().connect_tcp(
                    address, port, timeout, local_address, socket_options
                )
            except httpcore.ConnectError:
                if place == len(addresses):
                    raise
        raise httpcore.ConnectError('the name has no address')

    async def connect_unix_socket(self, *arguments: Any, **options: Any) -> Any:
        """Refuse: a local socket is never public."""
        raise NotPublicError


class Fetcher:
    """Fetches images from URLs.

    Args:
        max_body: The largest number of bytes.
        time_limit: Seconds in total, including redirects.
        network: Opens the connections.
        ports: The allowed ports.
    """

    def __init__(
        self,
        max_body: int,
        time_limit: float = 15.0,
        network: httpcore.AsyncNetworkBackend | None = None,
        ports: Iterable[int] = (80, 443),
    ) -> None:
        self._max_body = max_body
        self._time_limit = time_limit
        self._network = network or PublicNetwork()
        self._ports = frozenset(ports)

    async def fetch(self, url: str) -> bytes:
        """Return the content of a URL.

        Raises:
            Refusal: 403: the URL or a redirect is not public; 413: the content is too large; 422:
                it is not an HTTP URL; 502: the server failed; 504: it was too slow.
        """
        try:
            with anyio.fail_after(self._time_limit):
                return await self._follow(url)
        except (TimeoutError, httpcore.TimeoutException):
            raise Refusal(504, 'The server of the URL did not answer in time.') from None
        except NotPublicError:
            raise Refusal(403, 'The URL leads to an address that is not public.') from None
        except (httpcore.NetworkError, httpcore.ProtocolError, ssl.SSLError, OSError):
            raise Refusal(502, 'The server of the URL could not be reached.') from None

    async def _follow(self, url: str) -> bytes:
        async with httpcore.AsyncConnectionPool(
            ssl_context=ssl.create_default_context(),
            network_backend=self._network,
            http2=False,
            retries=0,
        ) as pool:
            for _ in range(_MOST_REDIRECTS + 1):
                async with pool.stream(
                    'GET', self._checked(url), headers=_HEADERS, extensions={'timeout': _TIMEOUTS}
                ) as response:
                    if response.status not in _REDIRECTS:
                        return await self._content(response)
                    headers = {name.lower(): value for name, value in response.headers}
                    url = _joined(url, headers.get(b'location', b'').decode('latin-1'))
        raise Refusal(502, f'The URL redirects more than {_MOST_REDIRECTS} times.')

    def _checked(self, text: str) -> httpcore.URL:
        """Parse and check a URL."""
        try:
            parts = urlsplit(text)
            port = parts.port or _PORTS.get(parts.scheme)
        except ValueError:
            raise Refusal(422, 'url is no URL.') from None
        if parts.scheme not in _PORTS or not parts.hostname:
            raise Refusal(422, 'url is no URL of http or https.')
        if port not in self._ports:
            raise Refusal(403, 'The URL names a port that is not one of the web.')
        if parts.username is not None or parts.password is not None:
            raise Refusal(422, 'url holds a name or a password. Leave them out.')
        try:
            host = parts.hostname.encode('idna').decode('ascii')
            target = (parts.path or '/') + (f'?{parts.query}' if parts.query else '')
            return httpcore.URL(
                scheme=parts.scheme.encode(),
                host=host.encode(),
                port=port,
                target=quote(target, safe="!#$%&'()*+,/:;=?@[]~").encode('ascii'),
            )
        except (UnicodeError, ValueError):
            raise Refusal(422, 'url is no URL.') from None

    async def _content(self, response: httpcore.Response) -> bytes:
        if response.status != 200:
            raise Refusal(502, f'The server of the URL answers with {response.status}.')
        parts, length = [], 0
        async for part in response.aiter_stream():
            length += len(part)
            if length > self._max_body:
                raise Refusal(413, f'The URL holds more than {self._max_body:,} bytes.')
            parts.append(part)
        return b''.join(parts)


def _joined(url: str, location: str) -> str:
    """Return the target of a redirect."""
    try:
        return urljoin(url, location)
    except ValueError:
        raise Refusal(502, 'The URL redirects to what is no URL.') from None
