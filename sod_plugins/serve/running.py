"""Runs the service until it is told to stop."""

from __future__ import annotations

import contextlib
import logging
import socket

import uvicorn

from sod_plugins._common.reading import why
from sod_plugins.serve.app import create_app
from sod_plugins.serve.models import ServedModel
from sod_plugins.serve.settings import ServiceSettings


def serve(
    model: ServedModel,
    host: str = '127.0.0.1',
    port: int = 7000,
    settings: ServiceSettings | None = None,
    log_level: str = 'info',
) -> None:
    """Serve a model over HTTP until Ctrl-C or SIGTERM, and finish accepted requests first.

    Args:
        model: The model.
        host: The address to listen on; by default only this machine can reach it.
        port: The port; 0 selects a free one, which the log names.
        settings: The limits.
        log_level: Of uvicorn: ``'critical'`` to ``'trace'``.

    Raises:
        OSError: The address is not available.
        ValueError: There is no such port.
    """
    settings = settings or ServiceSettings()
    # uvicorn's configuration replaces the handlers of the process's logs: the address comes before.
    # uvicorn shuts down in order and then raises the signal again, which is no interruption here.
    with listen(host, port) as listener, contextlib.suppress(KeyboardInterrupt):
        config = uvicorn.Config(
            create_app(model, settings),
            host=host,
            port=port,
            log_level=log_level,
            http='h11',
            ws='none',
            lifespan='on',
            server_header=False,
            timeout_keep_alive=10,
            timeout_graceful_shutdown=int(settings.time_limit + settings.body_time_limit) + 5,
            backlog=512,
        )
        address, taken = listener.getsockname()[:2]
        name = f'[{address}]' if ':' in address else address
        logging.getLogger('uvicorn.error').info('%s at http://%s:%d', model.name, name, taken)
        uvicorn.Server(config).run(sockets=[listener])


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that is bound to an address.

    Raises:
        OSError: It is in use, or does not belong to this machine.
        ValueError: There is no such port.
    """
    if not 0 <= port <= 65535:  # of which the system would use the lower bits
        raise ValueError(f'port is {port}. Give 0 to 65535.')
    try:
        family, *_, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
        except BaseException:
            listener.close()
            raise
    except OSError as error:
        reason = why(error)
        raise OSError(
            f'cannot listen at {host}, port {port}: {reason}. Name another one by --port or --host.'
        ) from error
    return listener
