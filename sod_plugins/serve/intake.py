"""Reads the bodies of requests within limits of size, time and memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
from starlette.datastructures import Headers, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message

from sod_plugins.serve.refusals import Refusal
from sod_plugins.serve.settings import ServiceSettings

# Form fields that may hold the image; the first is that of rembg and of curl's examples.
FILE_FIELDS = ('file', 'image')
_RAW_TYPES = ('application/octet-stream', 'application/x-www-form-urlencoded', '')
_MOST_FIELDS, _LARGEST_FIELD = 32, 16 * 1024


@dataclass
class Upload:
    """The content of a request: the image, and the fields of its form."""

    image: bytes
    fields: dict[str, str] = field(default_factory=dict)
    background: bytes | None = None


class Intake:
    """Reads bodies and counts their bytes in memory."""

    def __init__(self, settings: ServiceSettings) -> None:
        self._settings = settings
        self.held = 0

    @asynccontextmanager
    async def reading(self, request: Request) -> AsyncIterator[Upload]:
        """Read the image of a request, and count its bytes until the block ends.

        Raises:
            Refusal: 400, 408, 413, 415, 422 or 503.
        """
        body = _Body(self, self._settings, request)
        try:
            yield await self._read(body, request)
        finally:
            self.held -= body.held

    async def _read(self, body: _Body, request: Request) -> Upload:
        kind = request.headers.get('content-type', '').partition(';')[0].strip().lower()
        is_form = kind == 'multipart/form-data'
        if not (is_form or kind in _RAW_TYPES or kind.startswith('image/')):
            raise Refusal(415, f'The body is {kind}. Send an image, or a form with a file.')
        if request.headers.get('content-encoding', 'identity').lower() != 'identity':
            raise Refusal(415, 'The body is compressed. Send it as it is.')
        limited = Request(request.scope, body.receive)
        try:
            with anyio.fail_after(self._settings.body_time_limit):
                return await (_read_form(limited) if is_form else _read_raw(limited))
        except TimeoutError:
            seconds = self._settings.body_time_limit
            raise Refusal(408, f'The body did not arrive within {seconds:g} s.') from None
        except ClientDisconnect:
            raise Refusal(400, 'The body ended before it was whole.') from None


class _Body:
    """A request's body, counted as it arrives."""

    def __init__(self, intake: Intake, settings: ServiceSettings, request: Request) -> None:
        self._intake = intake
        self._settings = settings
        self._receive = request.receive
        self.held = 0
        if stated_length(request.headers) > settings.max_body:
            raise self._too_large()

    async def receive(self) -> Message:
        """Return the next part of the body.

        Raises:
            Refusal: 413: the body is too large; 503: all bodies together are.
        """
        message = await self._receive()
        count = len(message.get('body', b''))
        if self.held + count > self._settings.max_body:
            raise self._too_large()
        if self._intake.held + count > self._settings.max_held:
            raise Refusal(503, 'Too many images are in memory. Try again.', retry_after=2)
        self.held += count
        self._intake.held += count
        return message

    def _too_large(self) -> Refusal:
        return Refusal(413, f'The body has more than {self._settings.max_body:,} bytes.')


def stated_length(headers: Headers) -> int:
    """Return the stated length of a body, or 0 if none is stated."""
    text = headers.get('content-length', '')
    return int(text) if text.isdecimal() and len(text) < 20 else 0


async def _read_raw(request: Request) -> Upload:
    return Upload(await request.body())


async def _read_form(request: Request) -> Upload:
    try:
        form = await request.form(
            max_files=2, max_fields=_MOST_FIELDS, max_part_size=_LARGEST_FIELD
        )
    except HTTPException as error:  # from Starlette, for an invalid form
        raise Refusal(400, f'The form cannot be read: {error.detail}') from None
    files = {key: part for key, part in form.multi_items() if isinstance(part, UploadFile)}
    try:
        fields = {key: part for key, part in form.multi_items() if isinstance(part, str)}
        name = next((name for name in FILE_FIELDS if name in files), None)
        if name is None:
            raise Refusal(422, f'The form has no file in its field {FILE_FIELDS[0]}. Add one.')
        background = files.get('background')
        return Upload(
            await files[name].read(),
            fields,
            None if background is None else await background.read(),
        )
    finally:
        await form.close()
