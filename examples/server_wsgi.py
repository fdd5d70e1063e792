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

from examples.server_calls import environ_of, no_change_sets, response_of
from examples.server_endpoint import Endpoint, failure, refusal
from examples.server_run import Run
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
    fields = {name[5:].replace("_", "-"): environ[name] for name in names}
    # Where nobody says another name, it is the server's own.
    fields.setdefault("HOST", "{SERVER_NAME}:{SERVER_PORT}".format_map(environ))
    headers = Headers({**fields, "Content-Type": environ.get("CONTENT_TYPE", "")})
    path = f"{environ['SCRIPT_NAME']}{environ['PATH_INFO']}".encode("latin-1")
    base = (environ["wsgi.url_scheme"], path, environ.get("QUERY_STRING", ""))
    length = environ.get("CONTENT_LENGTH") or ""
    if not (length.isascii() and length.isdecimal()):  # of a body in chunks the end is not seen
        return failure(411, "a batch request has a Content-Length")
    try:
        body = environ["wsgi.input"].read(min(int(length[:19]), endpoint.limits.message + 1))
        execution, answer = endpoint.open(base, headers, body, ordered=True)
        Run(execution, lambda s, t: call(environ_of(s, headers, environ, t)), begin).in_turn()
        return answer()
    except (BatchError, ValueError) as error:
        return refusal(error)
