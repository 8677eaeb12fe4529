"""A service whose model needs no network: what is bright is salient."""

from __future__ import annotations

import contextlib
import io
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import uvicorn
from fastapi.testclient import TestClient
from PIL import Image

from sod_plugins.data import Instances
from sod_plugins.serve import ServedModel, ServiceSettings, create_app
from sod_plugins.serve.running import listen


def brightness(images: list[Any]) -> list[Any]:
    return [image.mean(2, dtype=np.float32) / 255 for image in images]


def halves(images: list[Any]) -> list[Any]:
    """Find the left half, with certainty, and the upper right quarter, with little."""
    found = []
    for image in images:
        height, width = image.shape[:2]
        masks = np.zeros((2, height, width), bool)
        masks[0, :, : width // 2] = True
        masks[1, : height // 2, width // 2 :] = True
        boxes = [[0, 0, width // 2, height], [width // 2, 0, width, height // 2]]
        found.append(
            Instances(
                np.array(boxes, np.float32),
                masks,
                np.array([0.9, 0.3], np.float32),
                np.zeros(2, np.int64),
            )
        )
    return found


CARD = {'name': 'toy', 'summary': 'Takes brightness for saliency.', 'licence': 'none'}
TOY = ServedModel('toy', 'saliency', brightness, CARD)
TOY_INSTANCES = ServedModel('toy', 'instances', halves, CARD)


class HeldModel:
    """A model that waits until it is let go on."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.batches: list[int] = []
        self.served = ServedModel('held', 'saliency', self._predict, CARD)

    def _predict(self, images: list[Any]) -> list[Any]:
        self.batches.append(len(images))
        assert self.go.wait(30)
        return brightness(images)


def make_client(
    model: ServedModel = TOY, *, fails_loudly: bool = True, fetcher: Any = None, **limits: Any
) -> TestClient:
    app = create_app(model, ServiceSettings(**limits), fetcher)
    return TestClient(app, raise_server_exceptions=fails_loudly)


def picture(
    width: int = 40, height: int = 30, format: str = 'PNG', color: Any = None, **options: Any
) -> bytes:
    """A picture with a bright disk on dark ground, or all of one colour, as a file's bytes."""
    y, x = np.mgrid[:height, :width]
    inside = (x - width / 2) ** 2 + (y - height / 2) ** 2 < (min(width, height) / 3) ** 2
    pixels = np.where(inside[..., None], (250, 240, 230), (20, 30, 40)).astype(np.uint8)
    image = Image.fromarray(pixels) if color is None else Image.new('RGB', (width, height), color)
    stream = io.BytesIO()
    image.save(stream, format=format, **options)
    return stream.getvalue()


def pixels_of(content: bytes) -> Any:
    return np.asarray(Image.open(io.BytesIO(content)))


@contextlib.contextmanager
def running(model: ServedModel, **limits) -> Iterator[tuple[str, uvicorn.Server]]:
    """A service on a free port of this machine, in a thread."""
    app = create_app(model, ServiceSettings(**limits))
    config = uvicorn.Config(app, log_level='error', ws='none', timeout_graceful_shutdown=20)
    server = uvicorn.Server(config)
    with listen('127.0.0.1', 0) as listener:
        port = listener.getsockname()[1]
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        while not server.started:
            time.sleep(0.005)
        try:
            yield f'http://127.0.0.1:{port}', server
        finally:
            server.should_exit = True
            thread.join(30)
            assert not thread.is_alive()
