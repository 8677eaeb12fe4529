"""Reads the rest of a refused body, so that its sender receives the answer."""

from __future__ import annotations

import anyio
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sod_plugins.serve.intake import stated_length

_SECONDS = 10.0


class Draining:
    """Middleware that discards the rest of a request before it sends an error.

    A client that is cut off while sending reports a broken connection instead of the answer. Bodies
    of absurd length are cut off nevertheless.

    Args:
        app: The inner application.
        most: The largest number of bytes to read.
    """

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app = app
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope['type'] != 'http':
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        ended = 'content-length' not in headers and 'transfer-encoding' not in headers
        length = 0

        async def receiving() -> Message:
            nonlocal ended, length
            message = await receive()
            length += len(message.get('body', b''))
            ended = ended or not message.get('more_body', False)
            return message

        async def sending(message: Message) -> None:
            is_error = message['type'] == 'http.response.start' and message['status'] >= 400
            if is_error and stated_length(headers) <= self._most:
                with anyio.move_on_after(_SECONDS):
                    while not ended and length <= self._most:
                        await receiving()
            await send(message)

        await self._app(scope, receiving, sending)
