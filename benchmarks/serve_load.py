"""Load on ``sod serve``: many clients at once, with whole, broken and hostile bodies.

    python benchmarks/serve_load.py [--clients 50] [--seconds 120] [--json FILE] [-- ARGUMENTS]

Starts the service on this machine and sends to it alone. Every client sends one request after the
other: photos of several sizes and formats, requests that are wrong, hostile bodies (those of
``tests/hostile/uploads.py``), and some go before their answer. Every request that waits for an
answer must get one, of a status that suits it; the service must be there at the end; at most a
fifth of the whole photos may be sent away with 429 or 503, and the exit status says whether all
this is so. Memory is that of the service's process; times are those of whole photos.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import os
import random
import re
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from PIL import Image

from sod_plugins.data import draw_scene

sys.path.insert(0, str(Path(__file__).parents[1] / 'tests' / 'hostile'))
from uploads import Body, bodies

BUSY = {429, 503}
WAIT = 120.0  # seconds that a client waits for an answer
QUERIES = (
    *('predict', 'predict?output=cutout', 'predict?output=overlay', 'remove', 'remove?om=true'),
    *('predict?output=mask&threshold=0.4&grow=3', 'predict?output=cutout&crop=true&format=webp'),
)
# Kind of request -> its share.
SHARES = {'photo': 0.7, 'hostile': 0.22, 'leaves': 0.05, 'page': 0.03}


@dataclass
class Record:
    """What happened.

    Attributes:
        answers: How often each status came, by kind of request.
        seconds: Of whole photos that were done.
        wrong: Answers of a status that does not suit the request.
        lost: Requests that waited for an answer and got none.
        memory: MiB of the service, each second.
    """

    answers: dict[str, Counter[int]] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)

    def note(self, kind: str, status: int) -> None:
        """Count an answer."""
        self.answers.setdefault(kind, Counter())[status] += 1


def draw_photos() -> list[tuple[str, bytes]]:
    """Draw photos of 0.1 to 12 megapixels, small ones more often."""
    photos = []
    for number, (width, height, format) in enumerate(
        [
            *[(400, 300, 'JPEG'), (320, 480, 'PNG'), (640, 480, 'WEBP'), (800, 600, 'JPEG')] * 2,
            *[(1200, 900, 'JPEG'), (1600, 1200, 'JPEG'), (1000, 1500, 'PNG'), (4000, 3000, 'JPEG')],
        ]
    ):
        scene = draw_scene(np.random.default_rng(number), (300, 400))
        stream = io.BytesIO()
        Image.fromarray(scene.image).resize((width, height)).save(stream, format)
        photos.append((f'image/{format.lower()}', stream.getvalue()))
    return photos


class Load:
    """Clients that send until the time is over."""

    def __init__(self, base: str, seconds: float, seed: int) -> None:
        self.base, self.seconds, self.seed = base, seconds, seed
        self.end = 0.0
        self.record = Record()
        self.photos = draw_photos()
        self.hostile = [body for body in bodies(seed) if len(body.content) < 4 << 20]

    async def run(self, clients: int) -> None:
        """Let all clients send at once."""
        self.end = time.monotonic() + self.seconds
        await asyncio.gather(*(self.client(number) for number in range(clients)))

    async def client(self, number: int) -> None:
        """Send one request after the other."""
        rng = random.Random(f'{self.seed} {number}')
        async with httpx.AsyncClient(base_url=self.base, timeout=WAIT) as client:
            while time.monotonic() < self.end:
                (kind,) = rng.choices(list(SHARES), list(SHARES.values()))
                await getattr(self, f'send_{kind}')(client, rng)

    async def send_photo(self, client: httpx.AsyncClient, rng: random.Random) -> None:
        """Send a whole photo, and wait where the service is busy."""
        kind, photo = rng.choice(self.photos)
        path = rng.choice(QUERIES)
        if path.startswith('remove') or rng.random() < 0.5:
            request = client.build_request('POST', f'/api/{path}', files={'file': ('a', photo)})
        else:
            request = client.build_request(
                'POST', f'/api/{path}', content=photo, headers={'content-type': kind}
            )
        started = time.monotonic()
        answer = await self.answer(client, request, 'photo', {200})
        if answer is not None and answer.status_code == 200:
            self.record.seconds.append(time.monotonic() - started)
        elif answer is not None and answer.status_code in BUSY:
            await asyncio.sleep(int(answer.headers['retry-after']))

    async def send_hostile(self, client: httpx.AsyncClient, rng: random.Random) -> None:
        """Send a broken or hostile body."""
        body: Body = rng.choice(self.hostile)
        request = client.build_request(
            'POST', '/api/predict', content=body.content, headers={'content-type': body.kind}
        )
        await self.answer(client, request, 'hostile', body.statuses, body.name)

    async def send_page(self, client: httpx.AsyncClient, rng: random.Random) -> None:
        """Ask for what is not predicted."""
        path = rng.choice(['/', '/healthz', '/metrics', '/api/model', '/page.js', '/nowhere'])
        expected = {404 if path == '/nowhere' else 200}
        await self.answer(client, client.build_request('GET', path), 'page', expected)

    async def send_leaves(self, client: httpx.AsyncClient, rng: random.Random) -> None:
        """Send half a request, or all of it, and go."""
        photo = rng.choice(self.photos)[1]
        head = f'POST /api/predict HTTP/1.1\r\nHost: a\r\nContent-Length: {len(photo)}\r\n\r\n'
        port = httpx.URL(self.base).port
        _, writer = await asyncio.open_connection('127.0.0.1', port)
        writer.write(head.encode() + photo[: rng.choice((0, len(photo) // 2, len(photo)))])
        await asyncio.sleep(rng.random() / 2)
        writer.close()
        self.record.note('leaves', 0)

    async def answer(
        self,
        client: httpx.AsyncClient,
        request: httpx.Request,
        kind: str,
        expected: set[int] | frozenset[int],
        name: str = '',
    ) -> httpx.Response | None:
        """Send a request and judge its answer; None where there was none."""
        try:
            answer = await client.send(request)
        except httpx.HTTPError as error:
            self.record.lost.append(f'{kind} {name} {request.url}: {error!r}')
            return None
        status = answer.status_code
        self.record.note(kind, status)
        if status in BUSY and 'retry-after' not in answer.headers:
            self.record.wrong.append(f'{kind} {name} {request.url}: {status} without Retry-After')
        if status not in expected and status not in BUSY:
            self.record.wrong.append(f'{kind} {name} {request.url}: {status} {answer.text[:200]}')
        return answer


def memory_of(process: int) -> float:
    """Return the resident memory of a process in MiB."""
    text = Path(f'/proc/{process}/status').read_text('utf-8')
    return int(re.search(r'VmRSS:\s+(\d+)', text)[1]) / 1024


async def watch(process: int, record: Record) -> None:
    while True:
        record.memory.append(memory_of(process))
        await asyncio.sleep(1)


async def put_under_load(base: str, process: int, args: argparse.Namespace) -> Record:
    warm = Load(base, 0, args.seed)
    async with httpx.AsyncClient(base_url=base, timeout=WAIT) as client:
        for _, photo in warm.photos:  # caches and pools grow once
            await client.post('/api/predict?output=cutout', content=photo)
    load = Load(base, args.seconds, args.seed)
    watching = asyncio.create_task(watch(process, load.record))
    await load.run(args.clients)
    await asyncio.sleep(2)
    watching.cancel()
    load.record.memory.append(memory_of(process))
    return load.record


def mean_seconds(metrics: str) -> dict[str, float]:
    """Return the mean time of each stage of an image, as the service measured it."""
    found = re.findall(r'sod_stage_seconds_(sum|count){stage="(\w+)"} (\S+)', metrics)
    values = {(stage, kind): float(value) for kind, stage, value in found}
    stages = dict.fromkeys(stage for _, stage, _ in found)
    return {stage: values[stage, 'sum'] / values[stage, 'count'] for stage in stages}


def summary(record: Record) -> dict[str, Any]:
    """Return the figures, and whether they are as they should be."""
    photos = record.answers.get('photo', Counter())
    busy = sum(photos[status] for status in BUSY) / max(1, photos.total())
    cuts = statistics.quantiles(record.seconds, n=20) if len(record.seconds) > 1 else [0.0] * 19
    return {
        'answers': {kind: dict(sorted(counts.items())) for kind, counts in record.answers.items()},
        'busy_share': busy,
        'p50_seconds': cuts[9],
        'p95_seconds': cuts[18],
        'memory_mib': {
            'start': record.memory[0],
            'most': max(record.memory),
            'half': record.memory[len(record.memory) // 2],
            'end': record.memory[-1],
        },
        'wrong': record.wrong,
        'lost': record.lost,
        'passed': not record.wrong and not record.lost and busy <= 0.2,
    }


def rows(figures: dict[str, Any]) -> Iterator[str]:
    """Write the figures as a table of Markdown."""
    statuses = sorted({status for counts in figures['answers'].values() for status in counts} - {0})
    yield f'| requests | {" | ".join(map(str, statuses))} | no answer wanted |'
    yield '|---' * (len(statuses) + 2) + '|'
    for kind, counts in figures['answers'].items():
        cells = [str(counts.get(status, '')) for status in statuses]
        yield f'| {kind} | {" | ".join(cells)} | {counts.get(0, "")} |'
    memory = figures['memory_mib']
    yield ''
    yield f'photos: p50 {figures["p50_seconds"]:.2f} s, p95 {figures["p95_seconds"]:.2f} s'
    yield f'sent away with 429 or 503: {figures["busy_share"]:.1%} of the photos'
    yield 'memory in MiB: ' + ', '.join(f'{name} {value:.0f}' for name, value in memory.items())
    yield f'without an answer: {len(figures["lost"])}, wrong: {len(figures["wrong"])}'
    yield from figures['lost'][:20]
    yield from figures['wrong'][:20]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--clients', type=int, default=50)
    parser.add_argument('--seconds', type=float, default=120)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--port', type=int, default=7399)
    parser.add_argument('--json', type=argparse.FileType('w'))
    parser.add_argument('sod', nargs='*', help="arguments of sod serve, after '--'")
    args = parser.parse_args()
    command = [sys.executable, '-m', 'sod_plugins.cli', 'serve', '--log-level', 'error']
    service = subprocess.Popen([*command, '--port', str(args.port), *args.sod], env=os.environ)
    base = f'http://127.0.0.1:{args.port}'
    try:
        for _ in range(600):
            try:
                httpx.get(f'{base}/healthz')
                break
            except httpx.HTTPError:
                time.sleep(0.1)
        record = asyncio.run(put_under_load(base, service.pid, args))
        alive = service.poll() is None and httpx.get(f'{base}/healthz').status_code == 200
        stages = mean_seconds(httpx.get(f'{base}/metrics').text)
    finally:
        service.terminate()
        status = service.wait(120)
    figures = summary(record) | {'alive': alive, 'exit_status': status, 'stages': stages}
    print('\n'.join(rows(figures)))
    print('means: ' + ', '.join(f'{name} {s:.3f} s' for name, s in stages.items()))
    print(f'service alive at the end: {alive}; its exit status after SIGTERM: {status}')
    if args.json:
        json.dump(figures, args.json, indent=1)
    return 0 if figures['passed'] and alive and status == 0 else 1


if __name__ == '__main__':
    sys.exit(main())
