"""The routes of the API: predictions, rembg's interface, health, metrics and the model's card."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Query, Request, Response
from starlette.datastructures import QueryParams

from sod_plugins import __version__
from sod_plugins.inference import Encoded
from sod_plugins.serve.description import (
    ANSWERS_OF_FETCHING,
    ANSWERS_OF_IMAGES,
    IMAGE_ANSWER,
    PREDICT_BODY,
    REMOVE_ANSWER,
    REMOVE_BODY,
    HealthBody,
)
from sod_plugins.serve.fetching import Fetcher
from sod_plugins.serve.intake import Intake
from sod_plugins.serve.metrics import Metrics
from sod_plugins.serve.options import PredictOptions, RemoveOptions, read_options
from sod_plugins.serve.products import Renderer, predict_renderer, remove_renderer
from sod_plugins.serve.refusals import Refusal
from sod_plugins.serve.service import PredictionService

T = TypeVar('T')


def make_router(
    service: PredictionService, intake: Intake, fetcher: Fetcher, metrics: Metrics
) -> APIRouter:
    """Return the routes of a service."""
    router = APIRouter()
    settings, model = service.settings, service.model

    async def answer(
        request: Request, image: bytes, render: Renderer, headers: dict[str, str]
    ) -> Response:
        done = await unless_gone(request, service.predict(image, render))
        encoded: Encoded = done.result
        timing = ', '.join(f'{name};dur={1000 * s:.1f}' for name, s in done.seconds.items())
        return Response(
            encoded.content,
            media_type=encoded.media_type,
            headers={'X-Sod-Model': model.name, 'Server-Timing': timing, **headers},
        )

    @router.post(
        '/api/predict',
        summary='Predict an image',
        tags=['predictions'],
        response_class=Response,
        responses={200: IMAGE_ANSWER, **ANSWERS_OF_IMAGES},
        openapi_extra=PREDICT_BODY,
    )
    async def predict(request: Request, options: Annotated[PredictOptions, Query()]) -> Response:
        """Return the saliency map of an image, an image made from it, or its salient instances.

        The image is the body itself, or the field `file` of a form; options are parameters of the
        URL or fields of the form.
        """
        service.require_room()
        async with intake.reading(request) as upload:
            if upload.fields:
                options = read_options(PredictOptions, _merged(request, upload.fields))
            render = await service.in_thread(predict_renderer, model, options, upload.background)
            return await answer(request, upload.image, render, {})

    @router.post(
        '/api/remove',
        summary="Remove the background of an image, with rembg's parameters",
        tags=["rembg's interface"],
        response_class=Response,
        responses={200: REMOVE_ANSWER, **ANSWERS_OF_IMAGES},
        openapi_extra=REMOVE_BODY,
    )
    async def remove(request: Request, options: Annotated[RemoveOptions, Query()]) -> Response:
        """Return the cut-out of an image as PNG, or its map. The image is the field `file`."""
        service.require_room()
        async with intake.reading(request) as upload:
            if upload.fields:
                options = read_options(RemoveOptions, _merged(request, upload.fields))
            return await answer(request, upload.image, remove_renderer(options), _notices(options))

    @router.get(
        '/api/remove',
        summary="Remove the background of an image at a URL, with rembg's parameters",
        tags=["rembg's interface"],
        response_class=Response,
        responses={200: REMOVE_ANSWER, **ANSWERS_OF_IMAGES, **ANSWERS_OF_FETCHING},
    )
    async def remove_from_url(
        request: Request,
        options: Annotated[RemoveOptions, Query()],
        url: Annotated[str, Query(max_length=2000, description='URL of the image.')],
    ) -> Response:
        """Fetch the image from a URL, if the service allows it, and answer as for a form."""
        if not settings.allow_urls:
            raise Refusal(
                403, 'This service fetches no URLs. Send the image, or start it with --allow-urls.'
            )
        service.require_room()
        render = remove_renderer(options)
        image = await fetcher.fetch(url)
        return await answer(request, image, render, _notices(options))

    def _notices(options: RemoveOptions) -> dict[str, str]:
        notices = {}
        if options.model not in ('', model.name):
            name = ''.join(c for c in options.model if c.isascii() and c.isprintable())
            notices['X-Sod-Notice'] = f'model {name} is not served here; {model.name} was used'
        if options.ignored:
            notices['X-Sod-Ignored'] = ', '.join(options.ignored)
        return notices

    @router.get('/api/model', summary="The model's card", tags=['about'])
    async def card() -> dict[str, Any]:
        """Return the model card and the limits of the service."""
        return {
            'model': {**model.card, 'name': model.name, 'task': model.task},
            'limits': {'bytes': settings.max_body, 'pixels': settings.max_pixels},
            'version': __version__,
        }

    @router.get('/healthz', summary='Whether the service works', tags=['about'])
    async def health() -> HealthBody:
        """Answer as long as the service accepts requests."""
        return HealthBody(status='ok', model=model.name, version=__version__, queued=service.queued)

    @router.get(
        '/metrics',
        summary='Metrics for Prometheus',
        tags=['about'],
        response_class=Response,
        responses={200: {'content': {'text/plain': {'schema': {'type': 'string'}}}}},
    )
    async def show_metrics() -> Response:
        """Return counts and times since the start."""
        return Response(metrics.text(), media_type='text/plain; version=1.0.0; charset=utf-8')

    return router


async def unless_gone(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Wait for work as long as the client stays connected.

    Raises:
        Refusal: 499, as in nginx: the client left, so nobody receives it.
    """
    working, watching = asyncio.create_task(work), asyncio.create_task(_gone(request))
    try:
        await asyncio.wait({working, watching}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise Refusal(499, 'The client went before the answer.')
    finally:
        working.cancel()
        watching.cancel()


async def _gone(request: Request) -> None:
    """Wait until the client closes the connection."""
    while (await request.receive())['type'] != 'http.disconnect':
        pass


def _merged(request: Request, fields: dict[str, str]) -> dict[str, Any]:
    """Return the options of a form, which take precedence over those of the URL."""
    query: QueryParams = request.query_params
    return {**query, **fields}
