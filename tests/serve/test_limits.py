"""Queue, time, shutdown: what a busy service answers."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from toy_service import TOY, HeldModel, make_client, picture, running

from sod_plugins.serve import ServiceSettings


def send(base: str, image: bytes | None = None) -> httpx.Response:
    return httpx.post(f'{base}/api/predict', content=image or picture(), timeout=60)


def wait_until(condition) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def queued(base: str) -> int:
    return httpx.get(f'{base}/healthz').json()['queued']


def test_what_exceeds_the_queue_is_told_when_to_come_again():
    model = HeldModel()
    with running(model.served, max_queue=3) as (base, _), ThreadPoolExecutor(3) as threads:
        taken = [threads.submit(send, base) for _ in range(3)]
        wait_until(lambda: queued(base) == 3)
        answer = send(base, picture(400, 300, 'BMP'))
        assert answer.status_code == 429
        assert int(answer.headers['retry-after']) >= 1
        assert 'queue' in answer.json()['detail']
        model.go.set()
        assert [future.result().status_code for future in taken] == [200] * 3
        assert send(base).status_code == 200


def test_waiting_requests_share_a_batch():
    model = HeldModel()
    with running(model.served, batch_size=4) as (base, _), ThreadPoolExecutor(5) as threads:
        first = threads.submit(send, base)
        wait_until(lambda: model.batches == [1])
        others = [threads.submit(send, base) for _ in range(4)]
        wait_until(lambda: queued(base) == 5)
        time.sleep(0.2)  # for the last to be decoded
        model.go.set()
        assert {future.result().status_code for future in (first, *others)} == {200}
    assert model.batches == [1, 4]


def test_pixels_at_work_are_bounded():
    model = HeldModel()
    size = 40 * 30
    with (
        running(model.served, max_pixels_at_work=2 * size, batch_size=8) as (base, _),
        ThreadPoolExecutor(6) as threads,
    ):
        taken = [threads.submit(send, base) for _ in range(6)]
        wait_until(lambda: queued(base) == 6)
        assert f'sod_pixels_at_work {2.0 * size}' in httpx.get(f'{base}/metrics').text
        model.go.set()
        assert {future.result().status_code for future in taken} == {200}
    assert max(model.batches) <= 2


def test_what_takes_too_long_is_told_so():
    model = HeldModel()
    with running(model.served, time_limit=0.3) as (base, _):
        answer = send(base)
        assert answer.status_code == 503
        assert '0.3 s' in answer.json()['detail']
        assert int(answer.headers['retry-after']) >= 1
        model.go.set()
        wait_until(lambda: 'sod_pixels_at_work 0.0' in httpx.get(f'{base}/metrics').text)
        assert send(base).status_code == 200


def test_a_body_that_trickles_is_given_up():
    def trickle():
        yield picture()[:50]
        time.sleep(1)
        yield picture()[50:]

    with running(TOY, body_time_limit=0.2) as (base, _):
        answer = httpx.post(f'{base}/api/predict', content=trickle())
        assert answer.status_code == 408


def test_a_large_body_that_is_refused_still_reads_its_answer():
    with running(TOY, max_body=1_000_000) as (base, _):
        for _ in range(5):
            assert send(base, bytes(3_900_000)).status_code == 413
            answer = httpx.post(f'{base}/api/predict?output=x', content=bytes(900_000))
            assert answer.status_code == 422


def test_the_work_of_clients_that_leave_is_dropped():
    model = HeldModel()
    with running(model.served, max_pixels_at_work=40 * 30) as (base, _):
        with ThreadPoolExecutor(1) as threads:
            first = threads.submit(send, base)
            wait_until(lambda: model.batches == [1])
            for _ in range(3):
                with pytest.raises(httpx.ReadTimeout):
                    httpx.post(f'{base}/api/predict', content=picture(), timeout=0.1)
            wait_until(lambda: queued(base) == 1)
            model.go.set()
            assert first.result().status_code == 200
        assert model.batches == [1]
        assert 'route="/api/predict",status="499"} 3.0' in httpx.get(f'{base}/metrics').text


def test_a_shutdown_finishes_what_it_took():
    model = HeldModel()
    with running(model.served) as (base, server), ThreadPoolExecutor(3) as threads:
        taken = [threads.submit(send, base) for _ in range(3)]
        wait_until(lambda: queued(base) == 3)
        server.should_exit = True
        time.sleep(0.3)
        with pytest.raises(httpx.ConnectError):
            send(base)
        model.go.set()
        assert [future.result().status_code for future in taken] == [200] * 3


def test_retry_after_grows_with_the_queue():
    from sod_plugins.serve.metrics import Metrics
    from sod_plugins.serve.service import PredictionService

    async def main():
        service = PredictionService(TOY, ServiceSettings(workers=1), Metrics())
        times = []
        for service.queued in (0, 60, 10_000):
            times.append(service.retry_after())
        await service.close()
        return times

    assert asyncio.run(main()) == [1, 3, 60]


@pytest.mark.parametrize('name', ['max_body', 'max_queue', 'time_limit', 'workers', 'batch_size'])
def test_limits_are_positive(name):
    with pytest.raises(ValueError, match=f'{name} is 0'):
        ServiceSettings(**{name: 0})


def test_health_metrics_card_and_description():
    client = make_client()
    assert client.get('/healthz').json()['status'] == 'ok'
    client.post('/api/predict', content=picture())
    text = client.get('/metrics').text
    assert 'sod_requests_total{route="/api/predict",status="200"} 1.0' in text
    assert 'sod_batch_images_count 1.0' in text
    assert 'sod_stage_seconds_count{stage="network"} 1.0' in text
    assert client.get('/api/model').json()['model']['name'] == 'toy'
    assert set(client.get('/openapi.json').json()['paths']) == {
        *('/api/predict', '/api/remove', '/api/model', '/healthz', '/metrics')
    }


def test_pages_load_nothing_from_elsewhere():
    client = make_client()
    for path in ('/', '/docs'):
        answer = client.get(path)
        assert answer.status_code == 200
        assert '//' not in answer.text.replace('<!--', '').replace('http://www.w3.org/', '')
        assert "default-src 'none'" in answer.headers['content-security-policy']


def test_other_origins_only_where_they_are_named():
    headers = {'origin': 'https://a.example'}
    assert (
        'access-control-allow-origin' not in make_client().get('/healthz', headers=headers).headers
    )
    client = make_client(origins=('https://a.example',))
    answer = client.get('/healthz', headers=headers)
    assert answer.headers['access-control-allow-origin'] == 'https://a.example'
