"""What `odata-batch convert` writes: a captured message with its batch in another format."""

from __future__ import annotations

import re
from collections.abc import Iterator

from odata_batch import (
    BatchRequest,
    BatchResponse,
    Diagnostic,
    Dialect,
    Payload,
    convert_request,
    convert_response,
    encode_request,
    encode_response,
)
from odata_batch._cli.check import Format, format_of, media_type_of
from odata_batch.capture import Message, parse_message

# Fields about the octets of the old body, or about its format; those of the new one are written.
_REPLACED = frozenset(
    ("accept", "content-encoding", "content-length", "content-type", "transfer-encoding")
)
_VERSIONS = frozenset(("odata-version", "dataserviceversion"))
_PREFERENCE = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*"?)+')
_CONTINUE_ON_ERROR = re.compile(
    r"[ \t]*(?:odata\.)?continue-on-error[ \t]*(?:[=;]|$)", re.IGNORECASE
)


def unwrapped(message: Message) -> Message:
    """Return the message that a message of type application/http holds, or the message itself."""
    is_wrapped = media_type_of(message) == "application/http"
    return parse_message(message.body) if is_wrapped else message


def rewritten(
    message: Message,
    batch: BatchRequest | BatchResponse,
    target: Format,
    dialect: Dialect,
    boundary: str | None,
) -> tuple[bytes, tuple[Diagnostic, ...]]:
    """Return the message with its batch in the format `target`, and what is lost of it.

    A message without a header section becomes a body. `EncodeError` if the target cannot hold it.
    """
    payload, losses = _payload(batch, format_of(message), target, dialect, boundary)
    if not message.start_line and not message.headers:
        return payload.body, losses
    return b"".join((*_head(message, payload), b"\r\n", payload.body)), losses


def _payload(
    batch: BatchRequest | BatchResponse,
    source: Format,
    target: Format,
    dialect: Dialect,
    boundary: str | None,
) -> tuple[Payload, tuple[Diagnostic, ...]]:
    if isinstance(batch, BatchRequest):
        request, losses = convert_request(batch, source=source, target=target, dialect=dialect)
        payload = encode_request(request, format=target, dialect=dialect, boundary=boundary)
        return payload, losses
    response, losses = convert_response(batch, source=source, target=target, dialect=dialect)
    payload = encode_response(response, format=target, dialect=dialect, boundary=boundary)
    return payload, losses


def _head(message: Message, payload: Payload) -> Iterator[bytes]:
    """Yield the lines of the head: as it was, but for what is different of the new body."""
    if message.start_line:
        yield message.start_line.encode("latin-1") + b"\r\n"
    fields = [*_kept(message), *payload.headers.pairs, ("Content-Length", str(len(payload.body)))]
    for name, value in fields:
        yield f"{name}: {value}\r\n".encode("latin-1")


def _kept(message: Message) -> Iterator[tuple[str, str]]:
    for name, value in message.headers.pairs:
        lower = name.lower()
        if lower == "prefer":
            # Whether to continue on error is a property of the batch, and written with it.
            value = ",".join(
                each for each in _PREFERENCE.findall(value) if not _CONTINUE_ON_ERROR.match(each)
            ).strip(" \t")
            if value:
                yield name, value
        elif lower not in _REPLACED and lower not in _VERSIONS:
            yield name, value
