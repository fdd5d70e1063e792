"""Turn requests of HTTP clients into operations of a batch.

    request = httpx.Request("POST", "https://host/service/People", json={"Name": "Ann"})
    batch = BatchRequest([from_httpx(request)])

Left out are the header fields that concern the connection or the framing of a message of its own,
and Accept-Encoding: nobody would undo the coding of a body within a batch. What a batch must not
hold stays, for `encode_request` to refuse, Authorization above all: credentials belong to the batch
request, and are not lost on the way unnoticed. `parted` takes them out, and gives them to you.
"""

from __future__ import annotations

import json as json_module
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from odata_batch import Headers, Operation

if TYPE_CHECKING:  # one of them is enough
    import urllib.request

    import aiohttp
    import azure.core.rest
    import httpx
    import requests

LEFT_OUT: Final = frozenset(
    """
    accept-encoding connection content-length host keep-alive proxy-connection transfer-encoding
    """.split()
)
CREDENTIALS: Final = frozenset(("authorization", "cookie", "proxy-authorization", "x-csrf-token"))


def from_httpx(request: httpx.Request) -> Operation:
    """Return the operation; await `request.aread()` before if the body comes asynchronously."""
    fields = request.headers.multi_items()
    return _operation(request.method, str(request.url), fields, request.read())


def from_requests(request: requests.PreparedRequest) -> Operation:
    """Return the operation; a body that is a file or an iterable is read to its end."""
    if request.method is None or request.url is None:
        raise ValueError("the request is not prepared; call Session.prepare_request(request)")
    return _operation(request.method, request.url, request.headers.items(), request.body)


async def from_aiohttp(request: aiohttp.ClientRequest) -> Operation:
    """Return the operation; a middleware of the session gets such requests."""
    body = request.body if isinstance(request.body, bytes) else await request.body.as_bytes()
    return _operation(request.method, str(request.url), request.headers.items(), body)


def from_urllib3(
    method: str,
    url: str,
    body: bytes | str | Iterable[bytes] | None = None,
    headers: Mapping[str, str] | None = None,
    json: object = None,
) -> Operation:
    """Return the operation; urllib3 has no requests, these are the arguments of `request`."""
    fields = dict(headers or {})
    if json is not None:
        body = json_module.dumps(json, separators=(",", ":"), ensure_ascii=False)
        fields.setdefault("Content-Type", "application/json")
    return _operation(method, url, fields.items(), body)


def from_urllib(request: urllib.request.Request) -> Operation:
    """Return the operation; a body that is a file or an iterable is read to its end."""
    fields = request.header_items()
    return _operation(request.get_method(), request.full_url, fields, request.data)


def from_azure(request: azure.core.rest.HttpRequest) -> Operation:
    """Return the operation; a body that is a file or an iterable is read to its end."""
    url = request.url.replace(" ", "%20")  # as its transports write it
    return _operation(request.method, url, request.headers.items(), request.content)


def parted(operation: Operation) -> tuple[Operation, Headers]:
    """Return the operation without its credentials, and these, for the batch request."""
    pairs = operation.headers.pairs
    own = [(name, value) for name, value in pairs if name.lower() not in CREDENTIALS]
    rest = [(name, value) for name, value in pairs if name.lower() in CREDENTIALS]
    return replace(operation, headers=Headers(own)), Headers(rest)


def _operation(
    method: str, url: str, fields: Iterable[tuple[str, str | bytes]], body: object
) -> Operation:
    headers = Headers((name, _text(value)) for name, value in fields)
    # RFC 9110, 7.6.1: Connection names other fields that are not for the recipient at the end.
    named = headers.get("connection", "").lower().replace(" ", "").split(",")
    kept = [pair for pair in headers.pairs if pair[0].lower() not in LEFT_OUT.union(named)]
    # RFC 9110, 4.2.5: a fragment is not sent.
    return Operation(method, url.partition("#")[0], kept, _octets(body))


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _octets(body: object) -> bytes:
    if body is None:
        return b""
    if isinstance(body, str):
        return body.encode()
    if isinstance(body, bytes | bytearray | memoryview):
        return bytes(body)
    read = getattr(body, "read", None)
    if read is not None:
        return _octets(read())
    if isinstance(body, Iterable):
        return b"".join(map(_octets, body))
    raise TypeError(f"the body is bytes, text, a file or an iterable, not {type(body).__name__}")
