"""Real servers on loopback for the tests of the examples, each in a thread of its own.

The socket listens before the thread starts, so that nobody has to wait until the server is ready:
the kernel keeps the first connections. Every wait has an end, `WATCHDOG`.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

WATCHDOG = 30.0
"""Seconds after which whatever has not happened is taken for never."""


@contextmanager
def asgi_server(app: Callable[..., Any]) -> Iterator[str]:
    """Serve an ASGI app with uvicorn; yield its origin, as in `http://127.0.0.1:1234`."""
    import uvicorn  # only tests that need it ask for it

    config = uvicorn.Config(app, log_level="warning", loop="asyncio", http="h11", ws="none")
    config.timeout_graceful_shutdown = int(WATCHDOG)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            _join(thread)


@contextmanager
def wsgi_server(app: WSGIApplication) -> Iterator[str]:
    """Serve a WSGI app with wsgiref, every request in a thread; yield its origin."""
    with _ThreadingServer(("127.0.0.1", 0), _SilentHandler) as server:
        server.set_app(app)
        kwargs = {"poll_interval": 0.01}
        thread = threading.Thread(target=server.serve_forever, kwargs=kwargs, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            _join(thread)


class _ThreadingServer(ThreadingMixIn, WSGIServer):
    daemon_threads = False  # closing the server waits for them
    request_queue_size = 128  # connections that nobody has taken yet


class _SilentHandler(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: what was asked and answered is for the tests to see."""


def _join(thread: threading.Thread) -> None:
    thread.join(WATCHDOG)
    assert not thread.is_alive(), "the server did not end"
