"""Real servers on loopback for the tests of the examples, each in a thread of its own.

The socket listens before the thread starts, so that nobody has to wait until the server is ready:
the kernel keeps the first connections. Every wait has an end, `WATCHDOG`.
"""

from __future__ import annotations

import asyncio
import importlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any, TypeAlias
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from .helpers import needed

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

Serve: TypeAlias = Callable[[Any], AbstractContextManager[str]]

WATCHDOG = 30.0
"""Seconds after which whatever has not happened is taken for never."""


def asgi_server(app: Callable[..., Any]) -> AbstractContextManager[str]:
    """Serve an ASGI app with uvicorn; yield its origin, as in `http://127.0.0.1:1234`."""
    uvicorn = needed("uvicorn")
    config = uvicorn.Config(app, log_level="warning", loop="asyncio", http="h11", ws="none")
    config.timeout_graceful_shutdown = config.timeout_keep_alive = int(WATCHDOG)
    server = uvicorn.Server(config)
    return _listening(
        lambda listener: server.run([listener]), lambda: setattr(server, "should_exit", True)
    )


def aiohttp_server(app: Any) -> AbstractContextManager[str]:
    """Serve an app of aiohttp; yield its origin."""
    from aiohttp.web_runner import AppRunner, SockSite  # as above

    ended = threading.Event()

    async def serve(listener: socket.socket) -> None:
        runner = AppRunner(app)
        await runner.setup()
        await SockSite(runner, listener).start()
        await asyncio.to_thread(ended.wait)
        await runner.cleanup()

    return _listening(lambda listener: asyncio.run(serve(listener)), ended.set)


@contextmanager
def wsgi_server(app: WSGIApplication) -> Iterator[str]:
    """Serve a WSGI app with wsgiref, every request in a thread; yield its origin."""
    with _ThreadingServer(("127.0.0.1", 0), _SilentHandler) as server:
        server.set_app(app)
        with _thread(server.serve_forever, 0.01, stop=server.shutdown):
            yield f"http://127.0.0.1:{server.server_port}"


@contextmanager
def _listening(
    serve: Callable[[socket.socket], object], stop: Callable[[], object]
) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener, _thread(serve, listener, stop=stop):
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def _thread(
    run: Callable[..., object], *arguments: object, stop: Callable[[], object]
) -> Iterator[None]:
    thread = threading.Thread(target=run, args=arguments, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop()
        thread.join(WATCHDOG)
        assert not thread.is_alive(), "the server did not end"


SERVERS: dict[str, tuple[Serve, str]] = {
    "fastapi": (asgi_server, "sqlalchemy"),
    "starlette": (asgi_server, ""),
    "flask": (wsgi_server, "sqlalchemy"),
    "django": (wsgi_server, ""),
    "django-asgi": (asgi_server, "django"),
    "aiohttp": (aiohttp_server, ""),
}
"""The examples, each with what serves it and what it needs beside its framework."""


def make_app(name: str, database: str) -> Any:
    """Return the app of an example; Django is set up once in a process."""
    if name == "django-asgi":
        from django.core.handlers.asgi import ASGIHandler

        make_app("django", database)
        return ASGIHandler()
    module = importlib.import_module(f"examples.server_{name}")
    return module.make_app(*[database] * (name in ("fastapi", "flask", "django")))


class _ThreadingServer(ThreadingMixIn, WSGIServer):
    daemon_threads = False  # closing the server waits for them
    request_queue_size = 128  # connections that nobody has taken yet
    slots = threading.Semaphore(8)  # as servers have them; SQLite lets some of 50 writers starve

    def process_request_thread(self, *request: Any) -> None:
        with self.slots:
            super().process_request_thread(*request)


class _SilentHandler(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: what was asked and answered is for the tests to see."""
