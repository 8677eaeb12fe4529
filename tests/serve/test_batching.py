from __future__ import annotations

import asyncio
import threading

import pytest

from sod_plugins.serve.batching import Batcher


def gather(batcher, images):
    async def main():
        results = (batcher.predict(image) for image in images)
        return await asyncio.gather(*results, return_exceptions=True)

    try:
        return asyncio.run(main())
    finally:
        batcher.close()


def test_what_waits_goes_together_and_each_gets_its_own():
    batches = []

    def double(images):
        batches.append(list(images))
        return [2 * image for image in images]

    assert gather(Batcher(double, 4), range(10)) == [2 * n for n in range(10)]
    assert batches == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_a_bad_image_fails_alone():
    def invert(images):
        return [1 / image for image in images]

    found = gather(Batcher(invert, 8), [1, 2, 0, 4])
    assert [found[0], found[1], found[3]] == [1, 0.5, 0.25]
    assert isinstance(found[2], ZeroDivisionError)


def test_one_batch_at_a_time():
    busy = threading.Lock()

    def predict(images):
        assert busy.acquire(blocking=False)
        threading.Event().wait(0.002)
        busy.release()
        return images

    assert gather(Batcher(predict, 2), range(9)) == list(range(9))


def test_it_waits_for_more_where_it_is_told_to():
    batches = []

    async def main(linger):
        batcher = Batcher(lambda images: images, 4, linger, batches.append)
        first = asyncio.create_task(batcher.predict(1))
        await asyncio.sleep(0.01)
        await asyncio.gather(first, batcher.predict(2))
        batcher.close()

    asyncio.run(main(linger=0.2))
    asyncio.run(main(linger=0))
    assert batches == [2, 1, 1]


def test_images_whose_request_was_given_up_are_left_out():
    go, seen = threading.Event(), []

    def predict(images):
        go.wait(10)
        seen.extend(images)
        return images

    async def main():
        batcher = Batcher(predict, 1)
        tasks = [asyncio.create_task(batcher.predict(n)) for n in range(3)]
        await asyncio.sleep(0.01)
        tasks[1].cancel()
        go.set()
        with pytest.raises(asyncio.CancelledError):
            await tasks[1]
        assert await tasks[2] == 2
        batcher.close()

    asyncio.run(main())
    assert seen == [0, 2]
