"""Counts and times all answers, and adds security headers."""

from __future__ import annotations

import time

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sod_plugins.serve.metrics import Metrics

_STRICT = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# The API's description page has an inline script.
_OF_DOCS = _STRICT.replace("'self';", "'self' 'unsafe-inline';")
_HEADERS = {
    'X-Content-Type-Options': 'nosniff',
    'Referrer-Policy': 'no-referrer',
    'Cross-Origin-Opener-Policy': 'same-origin',
}


class Observer:
    """Middleware around the whole application."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope['type'] != 'http':
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 499  # the client left before its answer

        async def sending(message: Message) -> None:
            nonlocal status
            if message['type'] == 'http.response.start':
                status = message['status']
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                is_docs = scope['path'] == '/docs'
                headers.setdefault('Content-Security-Policy', _OF_DOCS if is_docs else _STRICT)
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except Exception:
            status = 500  # answered by an outer layer
            raise
        finally:
            route = getattr(scope.get('route'), 'path', '') or 'page'
            self._metrics.requests.labels(route, status).inc()
            self._metrics.seconds.labels(route).observe(time.perf_counter() - started)
