"""The service as an ASGI application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles
from fastapi_offline import FastAPIOffline

from sod_plugins import __version__
from sod_plugins.serve.draining import Draining
from sod_plugins.serve.fetching import Fetcher
from sod_plugins.serve.intake import Intake
from sod_plugins.serve.metrics import Metrics
from sod_plugins.serve.models import ServedModel
from sod_plugins.serve.observing import Observer
from sod_plugins.serve.options import describe_errors
from sod_plugins.serve.refusals import Refusal
from sod_plugins.serve.routes import make_router
from sod_plugins.serve.service import PredictionService
from sod_plugins.serve.settings import ServiceSettings

_DRAINED = 4  # times the largest allowed body: how much of a refused body is read
_ABOUT = 'Finds what catches the eye first in photos: saliency maps, cut-outs, instances.'


def create_app(
    model: ServedModel,
    settings: ServiceSettings | None = None,
    fetcher: Fetcher | None = None,
) -> FastAPI:
    """Return the service of a model as an application for any ASGI server.

    Args:
        model: The model to serve.
        settings: The limits.
        fetcher: Fetches images from URLs, if the settings allow them.
    """
    settings = settings or ServiceSettings()
    metrics = Metrics()
    intake = Intake(settings)
    service = PredictionService(model, settings, metrics)
    metrics.watch('sod_held_bytes', 'Bytes of bodies in memory.', lambda: intake.held)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        await service.close()

    app = FastAPIOffline(
        title='sod',
        description=_ABOUT,
        version=__version__,
        docs_url='/docs',
        redoc_url=None,
        static_url='/docs-assets',
        lifespan=lifespan,
    )
    app.include_router(make_router(service, intake, fetcher or Fetcher(settings.max_body), metrics))
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(404, _not_there)
    app.add_exception_handler(405, _not_there)
    app.add_exception_handler(Exception, _failed)
    page = StaticFiles(directory=str(files('sod_plugins.serve') / 'page'), html=True)
    app.mount('/', page, name='page')
    app.add_middleware(Draining, most=_DRAINED * settings.max_body)
    app.add_middleware(Observer, metrics=metrics)
    if settings.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.origins,
            allow_methods=['GET', 'POST'],
            allow_headers=['*'],
            expose_headers=['X-Sod-Model', 'X-Sod-Notice', 'X-Sod-Ignored', 'Retry-After'],
        )
    return app


async def _refused(request: Request, error: Any) -> JSONResponse:
    return JSONResponse({'detail': error.sentence}, error.status, error.headers)


async def _invalid(request: Request, error: Any) -> JSONResponse:
    return JSONResponse({'detail': describe_errors(error.errors())}, 422)


async def _not_there(request: Request, error: Any) -> JSONResponse:
    """Distinguish wrong methods from wrong paths, which the page's mount at the root hides."""
    described = request.app.openapi()['paths'].get(request.url.path, {})
    allowed = sorted(method.upper() for method in described)
    if not allowed:
        return JSONResponse({'detail': error.detail}, error.status_code, error.headers)
    sentence = f'{request.method} is not for this path. It takes {" and ".join(allowed)}.'
    return JSONResponse({'detail': sentence}, 405, {'Allow': ', '.join(allowed)})


async def _failed(request: Request, error: Exception) -> JSONResponse:
    """Answer an unexpected error; only the log receives the traceback."""
    sentence = f'The service failed on this request ({type(error).__name__}); see its log.'
    return JSONResponse({'detail': sentence}, 500)
