"""A `$batch` endpoint for any WSGI application: Flask, or none; for Django, see its view.

    app.wsgi_app = BatchMiddleware(app.wsgi_app, path="/service/$batch", begin=begin)

It needs nothing beside the standard library.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from io import BytesIO
from itertools import chain
from typing import Any
from urllib.parse import quote_from_bytes, unquote_to_bytes
from wsgiref.types import StartResponse, WSGIApplication

from odata_batch import Endpoint, OperationResponse, Serving, Step
from odata_batch._wire.http import NO_REASON, REASONS

__all__ = ["BatchMiddleware"]


@dataclass(frozen=True, eq=False)
class BatchMiddleware(Endpoint):
    """Answers requests to `path`, below the script name; everything else goes to the application.

    Each operation is a call of the application, as a request of its own, one after the other. An
    exception is logged, and answered with 500.

    For each change set `begin()` is called. What it gives has `commit` and `rollback`, as a session
    of SQLAlchemy has, or is a context manager, and the application finds it in its environ as
    `"odata.transaction"`. Each is committed once or rolled back once, whatever is raised.
    Without `begin`, change sets are answered with 501.

    >>> def app(environ, start_response):
    ...     start_response("200 OK", [("Content-Type", "text/plain")])
    ...     return [environ["PATH_INFO"].encode("latin-1")]
    >>> app = BatchMiddleware(app, path="/service/$batch")
    """

    app: WSGIApplication
    """The application."""
    ordered: bool | None = field(default=True, kw_only=True)
    """As in `Execution`: what is called in turn, stops in turn."""

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        if environ.get("PATH_INFO", "") != self.path.encode().decode("latin-1"):
            return self.app(environ, start_response)
        fields = {key[5:].replace("_", "-"): environ[key] for key in environ if key[:5] == "HTTP_"}
        fields["CONTENT-TYPE"] = environ.get("CONTENT_TYPE", "")
        fields["CONTENT-LENGTH"] = length = environ.get("CONTENT_LENGTH") or ""
        # Where nobody says another name, it is the server's own.
        fields.setdefault("HOST", "{SERVER_NAME}:{SERVER_PORT}".format_map(environ))
        path = f"{environ.get('SCRIPT_NAME', '')}{environ['PATH_INFO']}".encode("latin-1")
        url = f"{environ['wsgi.url_scheme']}://{fields['HOST']}{quote_from_bytes(path, safe='/$')}"
        url = f"{url}?{environ.get('QUERY_STRING', '')}"
        serving = Serving(self, environ["REQUEST_METHOD"], url, fields)
        is_known = length.isascii() and length.isdecimal()
        left = int(length[:19]) if is_known else self.codec.limits.message + 1
        if serving.wants_data and not is_known and not environ.get("wsgi.input_terminated"):
            # RFC 9112, 6.3: nobody says where the body ends.
            serving.refuse(411, "a batch request has a Content-Length")
        answered = self._answered(environ, serving, left, start_response)
        first = next(answered)
        # What is answered while the batch arrives is run as it is sent.
        return [first] if serving.answer is not None else chain((first,), answered)

    def _answered(
        self, environ: dict[str, Any], serving: Serving, left: int, start_response: StartResponse
    ) -> Iterator[bytes]:
        """Yield the body of the answer, after its head was given to `start_response`."""

        def start(answer: OperationResponse, *fields: tuple[str, str]) -> None:
            status = f"{answer.status} {REASONS.get(answer.status, NO_REASON)}"
            start_response(status, [*answer.headers.pairs, *fields])

        is_begun = False
        call = partial(self._call, environ, serving)
        while serving.wants_data:
            data = environ["wsgi.input"].read(min(left, 64 * 1024))
            left -= len(data)
            serving.receive_data(data, more=bool(data and left))
            if serving.wants_data and serving.head is not None:
                serving.run(call)
                body = serving.drain()
                if body and not is_begun:
                    start(serving.head)
                    is_begun = True
                if body:
                    yield body
        serving.run(call)
        answer = serving.answer
        assert answer is not None  # for all has been done
        if not is_begun:
            start(answer, ("Content-Length", str(len(answer.body))))
        yield answer.body

    def _call(
        self, outer: dict[str, Any], serving: Serving, step: Step, transaction: object
    ) -> OperationResponse:
        path, query, headers = serving.request_of(step)
        own = {name: value for name, value in outer.items() if not name.startswith("HTTP_")}
        for name, value in headers.items():
            if "_" not in name:  # as in any WSGI server, X_Y must not pass for X-Y
                own[f"HTTP_{name.upper().replace('-', '_')}"] = value
        own |= {name: f"{path}?{query}" for name in ("RAW_URI", "REQUEST_URI") if name in own}
        own["REQUEST_METHOD"], own["QUERY_STRING"] = step.method, query
        own["PATH_INFO"] = unquote_to_bytes(path).decode("latin-1")
        own["PATH_INFO"] = own["PATH_INFO"].removeprefix(own.get("SCRIPT_NAME", ""))
        own["CONTENT_TYPE"] = own.pop("HTTP_CONTENT_TYPE", "")
        own["CONTENT_LENGTH"] = own.pop("HTTP_CONTENT_LENGTH")
        own |= {"wsgi.input": BytesIO(step.body), "odata.transaction": transaction}
        head, body, limit = list[Any](), bytearray(), self.codec.limits.body

        def write(data: bytes) -> None:
            body.extend(data)
            if len(body) > limit:
                raise OSError(f"the response is too large: the limit is {limit} (Limits.body)")

        def start(status: str, fields: list[tuple[str, str]], _: object = None, /) -> Any:
            head[:] = int(status[:3]), fields
            return write

        chunks = self.app(own, start)
        try:
            for chunk in chunks:
                write(chunk)
        finally:
            try:
                getattr(chunks, "close", lambda: None)()
            except Exception as error:
                serving.fail(None, error)  # as in servers, what has been sent has been sent
        if not head:
            raise EOFError("the application has not called start_response")
        return OperationResponse(head[0], head[1], bytes(body))
