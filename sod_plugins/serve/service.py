"""Turns an upload into a result: queue, decoding, network and encoding, all bounded."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

import anyio
import numpy as np

from sod_plugins.data import DataError, DecodedImage, decode_image, read_reduced
from sod_plugins.serve.batching import Batcher
from sod_plugins.serve.gate import Gate
from sod_plugins.serve.metrics import Metrics
from sod_plugins.serve.models import ServedModel
from sod_plugins.serve.probing import Header, probe
from sod_plugins.serve.products import Renderer
from sod_plugins.serve.refusals import Refusal
from sod_plugins.serve.settings import ServiceSettings

T = TypeVar('T')
_FIRST_GUESS = 0.2  # seconds per image, until one has been measured
_LONGEST_WAIT = 60  # seconds, in Retry-After


class Done(NamedTuple):
    """A result, and the duration of each stage in seconds."""

    result: Any
    seconds: dict[str, float]


class PredictionService:
    """A model with its threads and limits.

    A request waits in the queue until the pixels in progress leave room for its own. Then it is
    decoded in a thread, passes the network in a batch with others, and is encoded in a thread. Work
    that has begun is finished even if the client has left, and only then frees its room.

    Args:
        model: The model.
        settings: The limits.
        metrics: Receives counts and times.
    """

    def __init__(self, model: ServedModel, settings: ServiceSettings, metrics: Metrics) -> None:
        self.model = model
        self.settings = settings
        self._metrics = metrics
        self._threads = ThreadPoolExecutor(settings.workers, thread_name_prefix='images')
        self._batcher = Batcher(
            model.predict, settings.batch_size, settings.linger, metrics.batches.observe
        )
        self._gate = Gate(settings.max_pixels_at_work)
        self._work: set[asyncio.Task[Done]] = set()
        self._seconds_of_work = _FIRST_GUESS
        self.queued = 0
        metrics.watch('sod_queue', 'Requests waiting or worked on.', lambda: self.queued)
        metrics.watch('sod_pixels_at_work', 'Pixels worked on.', lambda: self._gate.inside)

    def require_room(self) -> None:
        """Refuse a request if the queue is full.

        Raises:
            Refusal: 429.
        """
        if self.queued >= self.settings.max_queue:
            raise Refusal(
                429, 'The queue is full. Try again when Retry-After says.', self.retry_after()
            )

    def retry_after(self) -> int:
        """Estimate the seconds until a quarter of the queue is done."""
        seconds = self.queued / 4 * self._seconds_of_work / self.settings.workers
        return min(max(1, math.ceil(seconds)), _LONGEST_WAIT)

    async def in_thread(self, function: Callable[..., T], *arguments: Any) -> T:
        """Run a function in one of the threads for images."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, function, *arguments)

    async def predict(self, image: bytes, render: Renderer) -> Done:
        """Predict an image and render the answer.

        Args:
            image: The bytes of a file.
            render: Renders image and result.

        Raises:
            Refusal: 413, 415, 422: the image cannot be used; 429, 503: the service is overloaded.
        """
        self.require_room()
        self.queued += 1
        try:
            header = await self.in_thread(probe, image, self.settings.max_pixels)
            with anyio.fail_after(self.settings.time_limit):
                started = time.perf_counter()
                weight = await self._gate.enter(header.pixels)
                waited = time.perf_counter() - started
                task = asyncio.create_task(self._work_on(image, header, render, waited))
                self._work.add(task)
                task.add_done_callback(lambda task: self._end(task, weight))
                return await asyncio.shield(task)
        except TimeoutError:
            raise Refusal(
                503,
                f'The image was not done within {self.settings.time_limit:g} s. Try again.',
                self.retry_after(),
            ) from None
        finally:
            self.queued -= 1

    async def close(self) -> None:
        """Finish the current work and end the threads."""
        if self._work:
            await asyncio.wait(self._work)
        self._batcher.close()
        self._threads.shutdown(wait=False)

    async def _work_on(self, image: bytes, header: Header, render: Renderer, waited: float) -> Done:
        stages = {'queue': waited}
        start = time.perf_counter()
        photo, prepared = await self.in_thread(self._decode, image, render.shows_photo)
        decoded = time.perf_counter()
        found = await self._batcher.predict(prepared)
        predicted = time.perf_counter()
        result = await self.in_thread(render.encode, photo, found)
        end = time.perf_counter()
        stages |= {'decode': decoded - start, 'network': predicted - decoded}
        stages['encode'] = end - predicted
        for stage, seconds in stages.items():
            self._metrics.stages.labels(stage).observe(seconds)
        self._metrics.pixels.inc(header.pixels)
        self._seconds_of_work += 0.1 * (end - start - self._seconds_of_work)
        return Done(result, stages)

    def _decode(self, image: bytes, shows_photo: bool) -> tuple[DecodedImage, Any]:
        """Return an image, black if the answer does not show it, and the model's input."""
        try:
            if shows_photo or self.model.least is None:
                photo = decode_image(image)
                return photo, self.model.prepare(photo.pixels)
            pixels, size = read_reduced(image, self.model.least)
        except DataError as error:
            raise Refusal(422, str(error)) from None
        black = np.broadcast_to(np.uint8(0), (*size, 3))
        return DecodedImage(black), self.model.prepare(pixels)

    def _end(self, task: asyncio.Task[Done], weight: int) -> None:
        self._work.discard(task)
        self._gate.leave(weight)
        if not task.cancelled():
            task.exception()  # the waiting request has it; without one, it is of no interest
