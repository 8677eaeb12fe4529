"""The limits of the service."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, fields

MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class ServiceSettings:
    """The limits of a service.

    Args:
        max_body: Bytes of a request's body; beyond it 413.
        max_pixels: Pixels of an image by its header, before it is decoded; beyond it 413.
        max_queue: Requests that wait or are in progress; beyond it 429.
        max_held: Bytes of all bodies in memory; beyond it 503.
        max_pixels_at_work: Pixels decoded at once; further images wait.
        time_limit: Seconds from the complete body to the answer; beyond it 503.
        body_time_limit: Seconds for a body to arrive; beyond it 408.
        workers: Threads that decode and encode.
        batch_size: Images per batch of the network.
        linger: Seconds to wait for a batch to fill.
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
