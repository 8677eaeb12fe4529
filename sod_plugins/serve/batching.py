"""Batches of images from several requests."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

Predict = Callable[[list[Any]], Sequence[Any]]


class _Job(NamedTuple):
    image: Any
    result: asyncio.Future[Any]


class Batcher:
    """Collects images while the network is busy and predicts them in one thread, in order.

    If a batch fails, its images are predicted one by one, so that only the faulty ones fail.

    Args:
        predict: Maps images to as many results.
        batch_size: The largest number of images in a batch.
        linger: Seconds to wait for more images if a batch is not full.
        observe: Called with the number of images of each batch.
    """

    def __init__(
        self,
        predict: Predict,
        batch_size: int,
        linger: float = 0.0,
        observe: Callable[[int], None] = lambda count: None,
    ) -> None:
        self._predict = predict
        self._batch_size = batch_size
        self._linger = linger
        self._observe = observe
        self._waiting: deque[_Job] = deque()
        self._runner: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix='network')

    async def predict(self, image: Any) -> Any:
        """Return the result for an image, or raise the error of its prediction."""
        job = _Job(image, asyncio.get_running_loop().create_future())
        self._waiting.append(job)
        if self._runner is None:
            self._runner = asyncio.create_task(self._run())
        return await job.result

    def close(self) -> None:
        """End the thread after its current work."""
        self._thread.shutdown(wait=False)

    async def _run(self) -> None:
        try:
            while self._waiting:
                if self._linger and len(self._waiting) < self._batch_size:
                    await asyncio.sleep(self._linger)
                count = min(self._batch_size, len(self._waiting))
                jobs = [self._waiting.popleft() for _ in range(count)]
                jobs = [job for job in jobs if not job.result.done()]  # not of an abandoned request
                if jobs:
                    self._observe(len(jobs))
                    await self._compute(jobs)
        finally:
            self._runner = None

    async def _compute(self, jobs: list[_Job]) -> None:
        loop = asyncio.get_running_loop()
        try:
            images = [job.image for job in jobs]
            results = await loop.run_in_executor(self._thread, self._predict, images)
        except Exception as error:  # any error of a network belongs to its request
            if len(jobs) > 1:
                for job in jobs:
                    await self._compute([job])
            elif not jobs[0].result.done():
                jobs[0].result.set_exception(error)
            return
        for job, result in zip(jobs, results, strict=True):
            if not job.result.done():
                job.result.set_result(result)
