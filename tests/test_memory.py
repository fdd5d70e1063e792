"""How much memory reading takes: at most four times the octets, and what is kept of them."""

from __future__ import annotations

import gc
import tracemalloc
from typing import Literal

import pytest

from odata_batch import (
    BatchError,
    Limits,
    Operation,
    RequestDecoder,
    RequestEncoder,
    ResponseDecoder,
)

from .helpers import JSON, MULTIPART, PART_HEAD

pytestmark = pytest.mark.untraced

SIZE = 100_000
START = {
    "request": b"POST People HTTP/1.1\r\nContent-Type: application/json\r\n\r\n",
    "response": b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n",
}
FIRST = {
    "request": b'{"requests":[{"id":"1","method":"POST","url":"A"',
    "response": b'{"responses":[{"id":"1","status":200',
}
HEAD = b"--b\r\n" + PART_HEAD + b"\r\n"
CLOSE = b"\r\n--b--\r\n"
BODIES = [
    *(b"x", b"\r\n", b"\r", b"-", b"\r\n--", b"\r\n--bx", b"\n--b -", b" ", b"\xff", b"{", b"%41")
]
STRINGS = [
    *(b"x", b"\\\\", b'\\"', b'[\\"{', b"[", b"\\n"),
    *(b"\\u00e9", b"\\ud83d\\ude00", "\u00e9".encode()),
]
# What is repeated in one body, and what comes before and after it in the item of a JSON batch
IN_JSON = [
    *((b',"body":"', text, b'"') for text in STRINGS),
    (b',"headers":{"content-type":"image/png"},"body":"', b"QUJD", b'"'),
    (b',"body":{"a":1', b',"abcdefgh":12', b"}"),
    (b',"body":[1', b",123456789012", b"]"),
    (b',"body":', b'{"a":[', b""),
    (b',"body":', b"1", b""),
    (b"", b" ", b""),
]
# What has many values: only so many are made as are allowed, none of the rest
MANY = [
    *((f',"{name}":['.encode(), b"[],", b"1]") for name in ("body", "x", "id", "headers")),
    (b',"body":[', b"[[0]],", b"1]"),
    *((f',"{name}":{{'.encode(), b'"a":1,', b'"b":2}') for name in ("body", "x")),
    *((b',"headers":{', text, b'"b":"c"}') for text in (b'"a":"",', b'"a":0,')),
    (b',"dependsOn":[', b'"22",', b'"1"]'),
    *((b"", text, b"") for text in (b',"a":1', b',"id":"22"')),
    (b"},[", b"[],", b"1],{"),
    *((b"}],", text, b'"y":[{"z":1') for text in (b'"a":1,', b'"a":[[],{}],')),
    (b'}],"x":[', b"[],", b'1],"y":[{"z":1'),
]
# What comes before the message of a part, in it, and after it
IN_PARTS = [
    *((HEAD, text, CLOSE) for text in BODIES),
    (b"x" * SIZE + b"\r\n" + HEAD, b"x", CLOSE),
    (HEAD, b"x", CLOSE + b"x" * SIZE),
    (b"--b\r\n", b"y", b""),
]


def octets_of(role: str, content_type: str, pieces: tuple[bytes, bytes, bytes]) -> bytes:
    before, text, after = pieces
    # The fields of a first window are made, however many, before there are too many of them.
    repeated = text * ((2 * SIZE if before == b',"headers":{' else SIZE) // len(text))
    if content_type == JSON:
        return FIRST[role] + before + repeated + after + b"}]}"
    return before + START[role] + repeated + after


def read(role: str, content_type: str, chunks: list[bytes]) -> object:
    """Return what is kept of a payload, or what is raised says."""
    decode = RequestDecoder if role == "request" else ResponseDecoder
    limits = Limits(operations=90, annotations=90)  # fewer than a payload has values
    decoder: RequestDecoder | ResponseDecoder = decode(content_type, limits=limits)
    try:
        for each in chunks:
            decoder.receive_data(each)
        decoder.receive_eof()
        return decoder.result
    except BatchError as error:
        return error.args


@pytest.mark.parametrize(("role", "chunk"), [("request", 1000), ("response", 10 * SIZE)])
@pytest.mark.parametrize(
    ("content_type", "pieces"),
    [*((JSON, each) for each in IN_JSON + MANY), *((MULTIPART, each) for each in IN_PARTS)],
)
def test_reading_takes_four_times_the_octets_and_the_values(
    content_type: str, pieces: tuple[bytes, bytes, bytes], role: str, chunk: int
) -> None:
    octets = octets_of(role, content_type, pieces)
    chunks = [octets[at : at + chunk] for at in range(0, len(octets), chunk)]
    gc.collect()
    tracemalloc.start()
    try:
        kept = read(role, content_type, chunks)
        peak = tracemalloc.get_traced_memory()[1]
        gc.collect()
        values = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert kept is not None
    # What comes after the array is not read with it.
    factor = {b"}],": 5.5, b',"headers":[': 4.5}.get(pieces[0], 4)
    # The last number is for what does not grow with the octets.
    assert peak <= factor * (len(octets) + values) + 30_000


@pytest.mark.parametrize("format", ["multipart", "json"])
@pytest.mark.parametrize("type", ["image/png", "text/plain"])
def test_no_body_that_streams_is_kept(format: Literal["multipart", "json"], type: str) -> None:
    limits = Limits(message=100 * SIZE, body=100 * SIZE)
    encoder = RequestEncoder(format=format, limits=limits)
    content_type = encoder.headers["Content-Type"]
    decoder = RequestDecoder(content_type, limits=limits, stream=True)
    photo = Operation.put("Photo", headers={"Content-Type": type})
    piece, size = b"x" * SIZE, 0
    gc.collect()
    tracemalloc.start()
    try:
        for each in encoder.stream(photo, (piece for _ in range(40))):
            size += len(each)
            if format == "multipart":  # a body in JSON is an item
                decoder.receive_data(each)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert size > 40 * SIZE and peak < 5 * SIZE
