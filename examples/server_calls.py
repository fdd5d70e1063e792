"""An operation as a request of its own: what a server would have received, and what it answers."""

from collections.abc import Iterable, Mapping
from io import BytesIO
from typing import Any, Final, TypeAlias
from urllib.parse import unquote_to_bytes, urlsplit

from odata_batch import Headers, OperationResponse, Step

Octets: TypeAlias = list[tuple[bytes, bytes]]

# Operations have no authorization of their own (OData Protocol, 11.7.7.1).
CREDENTIALS: Final = ("Authorization", "Cookie")

# They speak of a connection that is not there, or, Set-Cookie, cannot be said twice in JSON.
LEFT_OUT: Final = frozenset(("connection", "content-length", "set-cookie", "transfer-encoding"))


class NoChangeSets(Exception):
    """The service has no transactions, which is answered with 501."""


def no_change_sets() -> Any:
    raise NoChangeSets


def target_of(step: Step) -> tuple[bytes, bytes]:
    """Return the path, still percent-encoded, and the query."""
    url = urlsplit(step.url)
    path, query = (part.encode("utf-8", "surrogateescape") for part in (url.path, url.query))
    return path, query


def fields_of(step: Step, batch: Headers) -> list[tuple[str, str]]:
    """Return the header fields, completed from those of the batch request."""
    framing = [("Host", batch["host"]), ("Content-Length", str(len(step.body)))]
    missing = [name for name in CREDENTIALS if name in batch and name not in step.headers]
    return [*step.headers.pairs, *framing, *((name, batch[name]) for name in missing)]


def response_of(status: int, fields: Iterable[tuple[str, str]], body: bytes) -> OperationResponse:
    """Return the response as it may stand in a batch response."""
    kept = [(name, value) for name, value in fields if name.lower() not in LEFT_OUT]
    return OperationResponse(status, kept, body)


def encoded(fields: Iterable[tuple[str, str]]) -> Octets:
    """Return header fields as ASGI has them."""
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in fields]


def decoded(fields: Iterable[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    """Return header fields that ASGI has had."""
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in fields]


def environ_of(
    step: Step, batch: Headers, environ: Mapping[str, Any], transaction: object
) -> dict[str, Any]:
    """Return the environ of a step, given that of the batch request."""
    path, query = target_of(step)
    own = {key: value for key, value in environ.items() if not key.startswith("HTTP_")}
    # As in any WSGI server, X_Y must not pass for X-Y.
    pairs = [pair for pair in Headers(fields_of(step, batch)).items() if "_" not in pair[0]]
    fields = {name.upper().replace("-", "_"): value for name, value in pairs}
    own |= {f"HTTP_{name}": value for name, value in fields.items()}
    own["REQUEST_METHOD"] = step.method
    own["PATH_INFO"] = unquote_to_bytes(path).decode("latin-1").removeprefix(own["SCRIPT_NAME"])
    own["QUERY_STRING"] = query.decode("latin-1")
    own["CONTENT_TYPE"] = fields.get("CONTENT_TYPE", "")
    own["CONTENT_LENGTH"] = fields["CONTENT_LENGTH"]
    own["wsgi.input"] = BytesIO(step.body)
    own["odata.transaction"] = transaction
    return own
