"""A `$batch` endpoint for any WSGI app: Flask, Django, or none of them.

    flask_app.wsgi_app = BatchMiddleware(flask_app.wsgi_app, path="/service/$batch", begin=begin)

The operations are calls of the app, one after the other. For each change set `begin()` is called;
what it returns has `commit` and `rollback`, as a connection of sqlite3 has, and the app finds it in
its environ as "odata.transaction". Without `begin`, change sets are answered with 501.
"""

from collections.abc import Callable, Iterable
from dataclasses import KW_ONLY, dataclass
from http import HTTPStatus
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from examples.server_calls import environ_of, response_of
from examples.server_endpoint import Endpoint, refusal
from examples.server_run import Run, no_change_sets
from odata_batch import BatchError, Headers, OperationResponse


@dataclass(frozen=True)
class BatchMiddleware(Endpoint):
    """Answers what is posted to `path`; everything else goes to the app."""

    app: WSGIApplication
    _: KW_ONLY
    begin: Callable[[], Any] = no_change_sets

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        if (environ["REQUEST_METHOD"], environ.get("PATH_INFO")) != ("POST", self.path):
            return self.app(environ, start)
        answer = answer_batch(self, environ, self._call, self.begin)
        start(f"{answer.status} {HTTPStatus(answer.status).phrase}", [*answer.headers.pairs])
        return [answer.body]

    def _call(self, environ: WSGIEnvironment) -> OperationResponse:
        heads: list[tuple[str, list[tuple[str, str]]]] = []
        written: list[bytes] = []

        def start(status: str, fields: list[tuple[str, str]], _: object = None, /) -> Any:
            heads.append((status, fields))
            return written.append

        chunks = self.app(environ, start)
        try:
            written.extend(chunks)
        finally:
            getattr(chunks, "close", lambda: None)()
        status, fields = heads[-1]
        return response_of(int(status[:3]), fields, b"".join(written))


def answer_batch(
    endpoint: Endpoint,
    environ: WSGIEnvironment,
    call: Callable[[WSGIEnvironment], OperationResponse],
    begin: Callable[[], Any],
) -> OperationResponse:
    """Return the answer to a batch request, whose operations are run by `call`."""
    names = [name for name in environ if name.startswith("HTTP_")]
    headers = Headers([(name[5:].replace("_", "-"), environ[name]) for name in names])
    headers = Headers([*headers.pairs, ("Content-Type", environ.get("CONTENT_TYPE", ""))])
    path = f"{environ['SCRIPT_NAME']}{environ['PATH_INFO']}".encode("latin-1")
    base = (environ["wsgi.url_scheme"], path)
    try:
        length = min(int(environ.get("CONTENT_LENGTH") or 0), endpoint.limits.message + 1)
        body = environ["wsgi.input"].read(length)
        execution, answer = endpoint.open(base, headers, body)
        run = Run(execution, lambda s, t: call(environ_of(s, headers, environ, t)), begin)
        run.in_turn()
        return answer()
    except (BatchError, ValueError) as error:
        return refusal(error)
