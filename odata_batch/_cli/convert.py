"""What `odata-batch convert` writes: a captured message with its batch in another format."""

from __future__ import annotations

from collections.abc import Iterator

from odata_batch import BatchRequest, BatchResponse, Codec, Diagnostic, Payload
from odata_batch._model.dialect import Format
from odata_batch._wire import grammar
from odata_batch.capture import Message

# Fields about the octets of the old body, or about its format; those of the new one are written.
_REPLACED = frozenset(
    """
    accept content-encoding content-length content-type transfer-encoding
    odata-version dataserviceversion
    """.split()
)
# Whether to continue on error is a property of the batch, and written with it.
_OF_THE_BATCH = ("continue-on-error", "odata.continue-on-error")


def rewritten(
    message: Message,
    batch: BatchRequest | BatchResponse,
    target: Format,
    codec: Codec,
    boundary: str | None,
) -> tuple[bytes, tuple[Diagnostic, ...]]:
    """Return the message with its batch in the format `target`, and what is lost of it.

    A message without a header section becomes a body. `EncodeError` if the target cannot hold it.
    """
    writer = codec.replace(format=target)
    if isinstance(batch, BatchRequest):
        request, losses = codec.convert_request(batch, source=batch.format, target=target)
        payload = writer.encode_request(request, boundary=boundary)
    else:
        response, losses = codec.convert_response(batch, source=batch.format, target=target)
        payload = writer.encode_response(response, boundary=boundary)
    if not message.start_line and not message.headers:
        return payload.body, losses
    head = f"{message.start_line}\r\n" if message.start_line else ""
    head += "".join(f"{name}: {value}\r\n" for name, value in _fields(message, payload))
    return head.encode("latin-1") + b"\r\n" + payload.body, losses


def _fields(message: Message, payload: Payload) -> Iterator[tuple[str, str]]:
    """Yield the header section: as it was, but for what is different of the new body."""
    for name, value in message.headers.pairs:
        lower = name.lower()
        if lower == "prefer":
            found = list(grammar.PREFERENCE.finditer(value))
            kept = [each[0].rstrip(" \t") for each in found if each[1].lower() not in _OF_THE_BATCH]
            if len(kept) < len(found):
                value = ", ".join(kept)
            if value:
                yield name, value
        elif lower not in _REPLACED:
            yield name, value
    yield from payload.headers.pairs
    yield "Content-Length", str(len(payload.body))
