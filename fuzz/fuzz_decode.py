"""Any bytes, any Content-Type, any chunks: only `BatchError` escapes, and nothing is swallowed.

In detail, for an input that is read as an HTTP message, as the files of spec-fixtures are:

* decoding, strict or not, raises `BatchError` or returns; checking returns;
* chunks do not matter: result or error, items and diagnostics are those of the whole;
* what decoding accepts is what checking found, and the other way round;
* what decodes in strict mode is encoded again, and is read back equal, in strict mode, too; written
  once more it is the same octets. The other format may refuse it, but not read back another value.

The input is tried in both roles. A checksum of it decides where chunks are cut and whether they
are decoded strictly and under tiny limits, so that an input alone reproduces what it did.
"""

from __future__ import annotations

import random
import sys
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import atheris

from odata_batch.rules import BOUNDARY_IN_CONTENT

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

with atheris.instrument_imports(include=["odata_batch"]):
    from odata_batch import (
        BatchError,
        BatchRequest,
        BatchResponse,
        Diagnostic,
        EncodeError,
        Headers,
        Limits,
        Payload,
        Report,
        RequestDecoder,
        ResponseDecoder,
        check_request,
        check_response,
        decode_request,
        decode_response,
        encode_request,
        encode_response,
        prepare,
    )

Role = Literal["request", "response"]
Format = Literal["multipart", "json"]
Batch = BatchRequest | BatchResponse

ROLES: tuple[Role, ...] = ("request", "response")
FORMATS: tuple[Format, ...] = ("multipart", "json")
DECODERS: Mapping[Role, type[RequestDecoder] | type[ResponseDecoder]] = {
    "request": RequestDecoder,
    "response": ResponseDecoder,
}
DEFAULT = Limits()
TINY = Limits(
    message=4000,
    operations=4,
    change_set_operations=2,
    boundary=20,
    url=20,
    field_line=60,
    fields=4,
    header_section=100,
    headers_total=500,
    body=50,
    preamble=10,
    epilogue=10,
    transport_padding=2,
    json_depth=5,
    id=5,
    depends_on=3,
    diagnostics=5,
)

# Makes what is written reproducible. No input holds it but on purpose, which encoding refuses.
BOUNDARY = "5a7c2f0e91b34d68"


@dataclass(frozen=True)
class Input:
    """An input, read as a message."""

    content_type: str
    headers: Headers
    body: bytes


def split_message(data: bytes) -> Input:
    """Read the input as an HTTP message; a body without a head is recognised."""
    head, empty_line, body = data.partition(b"\r\n\r\n")
    fields = []
    for line in head.split(b"\r\n"):
        name, colon, value = line.decode("latin-1").partition(":")
        if colon:
            fields.append((name, value.strip(" \t")))
    headers = Headers(fields)
    content_types = headers.get_all("content-type")
    if empty_line and len(content_types) == 1:
        return Input(content_types[0], headers, body)
    if data.lstrip()[:1] == b"{":
        return Input("application/json", Headers(), data)
    boundary = data[2:].partition(b"\n")[0].rstrip().decode("latin-1")
    return Input(f'multipart/mixed; boundary="{boundary}"', Headers(), data)


def chunks_of(data: bytes, choice: random.Random) -> Sequence[bytes]:
    """Return the data in chunks, many of them small, or all of them single bytes."""
    longest = choice.choice((1, 3, 40, len(data) + 1))
    chunks = []
    start = 0
    while start < len(data):
        end = start + choice.randint(1, longest)
        chunks.append(data[start:end])
        start = end
    return chunks


@dataclass(frozen=True)
class Outcome:
    """What became of an input."""

    result: Batch | str
    """The batch, or the error."""
    items: tuple[object, ...]
    """What was given out on the way."""
    diagnostics: tuple[Diagnostic, ...]
    format: Format | None


def feed(
    input: Input, role: Role, chunks: Iterable[bytes], limits: Limits, strict: bool
) -> Outcome:
    """Decode the chunks."""
    items: list[object] = []
    try:
        decoder = DECODERS[role](
            input.content_type, headers=input.headers, limits=limits, strict=strict
        )
    except BatchError as error:
        return Outcome(str(error), (), (), None)
    result: Batch | str
    try:
        for chunk in chunks:
            items += decoder.receive_data(chunk)
        items += decoder.receive_eof()
        # An error behind the last item is raised here.
        result = decoder.result
    except BatchError as error:
        result = str(error)
    return Outcome(result, tuple(items), decoder.diagnostics, decoder.format)


def check(input: Input, role: Role) -> Report[BatchRequest] | Report[BatchResponse]:
    """Check the body."""
    if role == "request":
        return check_request(input.body, input.content_type, headers=input.headers)
    return check_response(input.body, input.content_type, headers=input.headers)


def decode(role: Role, payload: Payload) -> Batch:
    """Decode what was encoded, in strict mode."""
    function = decode_request if role == "request" else decode_response
    return function(payload.body, payload.content_type, headers=payload.headers, strict=True)


def encode(batch: Batch, format: Format) -> Payload:
    """Encode reproducibly."""
    boundary = BOUNDARY if format == "multipart" else None
    if isinstance(batch, BatchRequest):
        return encode_request(batch, format=format, boundary=boundary)
    return encode_response(batch, format=format, boundary=boundary)


def prepared(batch: Batch, format: Format) -> Batch:
    """Return what encoding writes."""
    if isinstance(batch, BatchRequest):
        return prepare(batch, format=format)
    return prepare(batch, format=format)


def try_chunks(input: Input, role: Role, choice: random.Random) -> None:
    """Chunks do not matter."""
    limits = choice.choice((DEFAULT, TINY))
    strict = choice.choice((False, True))
    whole = feed(input, role, [input.body], limits, strict)
    parts = feed(input, role, chunks_of(input.body, choice), limits, strict)
    assert whole == parts, f"{role}: whole {whole}, in chunks {parts}"


def try_check(input: Input, role: Role) -> None:
    """Decoding accepts what checking finds no error in, and nothing else."""
    report = check(input, role)
    outcome = feed(input, role, [input.body], DEFAULT, False)
    accepted = not isinstance(outcome.result, str)
    assert accepted == report.ok, f"{role}: {outcome}, checked {report}"
    if accepted:
        found = (report.value, report.diagnostics)
        assert (outcome.result, outcome.diagnostics) == found, f"{role}: {outcome}, {report}"


def try_again(input: Input, role: Role) -> None:
    """What decodes in strict mode is encoded again, and is read back equal."""
    outcome = feed(input, role, [input.body], DEFAULT, True)
    batch = outcome.result
    if isinstance(batch, str):
        return
    for format in FORMATS:
        try:
            payload = encode(batch, format)
        except EncodeError as error:
            excused = {found.rule for found in error.diagnostics} == {BOUNDARY_IN_CONTENT}
            assert excused or format != outcome.format, f"{role}: {batch} gives {error}"
            continue
        read = decode(role, payload)
        wanted = prepared(batch, format)
        assert read == wanted, f"{role}: {format}: {wanted} came back as {read}"
        assert encode(read, format) == payload, f"{role}: {payload} is written otherwise again"


def try_one(data: bytes) -> None:
    """Try an input in both roles."""
    input = split_message(data)
    choice = random.Random(zlib.crc32(data))
    for role in ROLES:
        try_chunks(input, role, choice)
        try_check(input, role)
        try_again(input, role)


def main() -> None:
    """Fuzz, or run the files that are named."""
    atheris.Setup([*sys.argv, f"-dict={Path(__file__).with_name('tokens.dict')}"], try_one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
