"""The limits of the service."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, fields

MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class ServiceSettings:
    """What the service takes, and how much of it at once.

    Args:
        max_body: Bytes of a request's body; more is answered with 413.
        max_pixels: Pixels of an image by its header, before it is decoded; more is 413.
        max_queue: Requests that wait or are worked on; one more is 429.
        max_held: Bytes of bodies in memory; a request that would exceed it is 503.
        max_pixels_at_work: Pixels that are decoded at once; what does not fit waits.
        time_limit: Seconds from the whole body to the answer; later is 503.
        body_time_limit: Seconds that a body may take to arrive; later is 408.
        workers: Threads that decode and encode.
        batch_size: Images that go through the network at once.
        linger: Seconds that a batch waits to be filled.
        allow_urls: Whether ``GET /api/remove?url=`` fetches images.
        origins: Origins whose pages may call the service (CORS); ``'*'`` for all.

    Raises:
        ValueError: A limit is not positive.
    """

    max_body: int = 32 * MEBIBYTE
    max_pixels: int = 50_000_000
    max_queue: int = 64
    max_held: int = 256 * MEBIBYTE
    max_pixels_at_work: int = 100_000_000
    time_limit: float = 60.0
    body_time_limit: float = 30.0
    workers: int = field(default_factory=lambda: min(os.cpu_count() or 1, 8))
    batch_size: int = 4
    linger: float = 0.0
    allow_urls: bool = False
    origins: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for part in fields(self):
            value = getattr(self, part.name)
            if part.name in ('allow_urls', 'origins') or (part.name == 'linger' and value == 0):
                continue
            if not value > 0:
                raise ValueError(f'{part.name} is {value}. Give more than 0.')
