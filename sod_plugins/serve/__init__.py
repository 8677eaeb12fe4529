"""The HTTP service and its web page, for any predictor; it knows nothing about networks."""

try:
    import fastapi as _fastapi  # noqa: F401
except ImportError as error:  # pragma: no cover (the tests' environment has it)
    raise ImportError(
        "the service needs more packages: run pip install 'sod-plugins[serve]'."
    ) from error

from sod_plugins.serve.app import create_app
from sod_plugins.serve.models import ServedModel, open_model
from sod_plugins.serve.running import serve
from sod_plugins.serve.settings import ServiceSettings

__all__ = ['ServedModel', 'ServiceSettings', 'create_app', 'open_model', 'serve']
