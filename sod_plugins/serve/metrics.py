"""Counters and timings of the service, for Prometheus."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import (
    GC_COLLECTOR,
    PLATFORM_COLLECTOR,
    PROCESS_COLLECTOR,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """The metrics of one service, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        for collector in (PROCESS_COLLECTOR, PLATFORM_COLLECTOR, GC_COLLECTOR):
            self.registry.register(collector)
        self.requests = Counter(
            'sod_requests', 'Answers.', ('route', 'status'), registry=self.registry
        )
        self.seconds = Histogram(
            'sod_request_seconds',
            'From the first byte of a request to the end of its answer.',
            ('route',),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.stages = Histogram(
            'sod_stage_seconds',
            'Of an image: waiting for its turn, decoding, network (with its queue), encoding.',
            ('stage',),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.batches = Histogram(
            'sod_batch_images',
            'Images that went through the network at once.',
            buckets=(1, 2, 4, 8, 16, 32, 64),
            registry=self.registry,
        )
        self.pixels = Counter('sod_pixels', 'Pixels of images decoded.', registry=self.registry)

    def watch(self, name: str, text: str, value: Callable[[], float]) -> None:
        """Add a gauge whose value is computed on request."""
        Gauge(name, text, registry=self.registry).set_function(value)

    def text(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self.registry)
