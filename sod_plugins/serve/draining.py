"""Reads the rest of a body that is refused, so that its sender gets to see the answer."""

from __future__ import annotations

import anyio
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sod_plugins.serve.intake import stated_length

_SECONDS = 10.0


class Draining:
    """Middleware that, before an error is answered, reads what is left of the request and drops it.

    A client that is cut off while it sends reports a broken connection, not the answer. Bodies of
    absurd length are cut off all the same.

    Args:
        app: What answers.
        most: Bytes of a body that are read at most.
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
