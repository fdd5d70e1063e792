"""Framing in any chunks: what is long, what is generated; the rest is in the corpus of readings."""

from __future__ import annotations

import email
import email.policy
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odata_batch import (
    BatchRequest,
    Codec,
    Limits,
    Operation,
    Report,
    RequestDecoder,
    Severity,
    check_request,
)
from odata_batch.dialects import ODATA_4_01

from .helpers import MULTIPART, PART_HEAD, Format, batch, fed, part

# What `@` is short for: everything before the body of an operation.
HEAD = PART_HEAD + b"\r\nPOST x HTTP/1.1\r\nContent-Type: a/b\r\n\r\n"


def written(template: bytes) -> bytes:
    return template.replace(b"@", HEAD)


def bodies(report: Report[BatchRequest]) -> list[bytes]:
    return [] if report.value is None else [each.body for each in report.value.operations()]


CALM = replace(ODATA_4_01, severities=(("delimiter-lookalike", Severity.WARNING),))
TIGHT = Limits(preamble=10, epilogue=10, transport_padding=2)


# -- long bodies --


def pieces(data: bytes, size: int) -> list[bytes]:
    return [data[index : index + size] for index in range(0, len(data), size)]


@pytest.mark.untraced
@pytest.mark.parametrize(
    "line", [b"--bX", b"--b-", b"--b--   x", b"--b\r", b"--b" + b" " * 256 + b"x"]
)
@pytest.mark.parametrize("tail", [b"", b"\r\n--b-", b"\r\n--b \r", b"\r\nx"])
def test_a_hundred_kilobytes_of_lookalikes_are_content(line: bytes, tail: bytes) -> None:
    content = line + (b"\r\n" + line) * (100_000 // (len(line) + 2)) + tail
    data = written(b"--b\r\n@" + content + b"\r\n--b\r\n@x\r\n--b--\r\n")
    steps = (len(data), len(data) - 9, 50_000, 1009, 7)
    outcomes = {fed(RequestDecoder(MULTIPART, dialect=CALM), pieces(data, step)) for step in steps}
    ((result, _, found),) = outcomes
    assert isinstance(result, BatchRequest)
    assert [each.body for each in result.operations()] == [content, b"x"]
    assert [(each.rule.slug, each.position) for each in found] == [
        ("delimiter-lookalike", 5 + len(HEAD))
    ]


@pytest.mark.parametrize("half", [b"\r\n--b-", b"\r\n--b-\r", b"\r\n--b-x"])
def test_a_close_delimiter_after_many_near_ones_is_found_wherever_it_is_cut(half: bytes) -> None:
    data = written(b"--b\r\n@") + half * 20_000 + b"\r\n--b--\r\n"
    cuts = [[data[:cut], data[cut:]] for cut in range(len(data) - 12, len(data))]
    ((result, _, found),) = {fed(RequestDecoder(MULTIPART, dialect=CALM), each) for each in cuts}
    assert isinstance(result, BatchRequest) and len(found) == 1
    assert result.operations()[0].body == half * 20_000


PUT = part(b"PUT x HTTP/1.1\r\nContent-Type: image/png\r\n\r\n%b")
PATCH = b"PATCH A HTTP/1.1\r\nETag: %d\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n"
NAMED = PART_HEAD + b"Content-ID: %d\r\n"
VARIED = [part(PATCH % (n, n) + b"x" * n, head=NAMED % n) for n in range(100)]
# What is read, in chunks of how many octets, and how many calls that takes at most, also streamed
CALLS = {
    "one part": (batch(part()), 9000, 115, 200),
    "parts": (batch(*[part()] * 100), 1000, 760, 9500),
    "heads of their own": (batch(*VARIED), 10**6, 640, 16_000),
    "a long part": (batch(PUT % (b"x" * 10**6)), 1000, 18_000, 30_000),
    "many near delimiters": (batch(PUT % (b"\r\n--bx" * 12_000)), 10**6, 240, 330),
    "few near delimiters": (batch(PUT % (b"\r\n--bx" * 100)), 10**6, 630, 730),
}


def calls(run: Callable[[], object]) -> int:
    """Return how many functions are called, once what is learned and compiled is there."""
    run()
    events: list[str] = []
    sys.setprofile(lambda _, event, __: events.append(event))
    try:
        run()
    finally:
        sys.setprofile(None)
    return events.count("call")


@pytest.mark.untraced
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("data", "step", "most", "most_of_stream"), CALLS.values(), ids=CALLS)
def test_reading_takes_few_calls(
    data: bytes, step: int, most: int, most_of_stream: int, stream: Any
) -> None:
    codec, chunks = Codec(CALM), pieces(data, step)
    count = calls(lambda: fed(codec.request_decoder(MULTIPART, stream=stream), chunks))
    assert count <= (most_of_stream if stream else most)


@pytest.mark.parametrize(("format", "most"), [("multipart", 170), ("json", 380)])
def test_writing_takes_few_calls(format: Format, most: int) -> None:
    batch = BatchRequest([Operation.get("A", id=str(number)) for number in range(100)])
    codec = Codec(format=format)
    assert calls(lambda: codec.encode_request(batch)) <= most


# -- properties --

FRAGMENTS = (
    *(b"--b", b"--b--", b"\r\n--b\r\n", b"\r\n--b--\r\n", b"\n--b\n", b"\r--b", b"--bX", b"\r\n"),
    *(b"\n", b"\r", b"-", b" ", b"\t", b"   ", b"x", b"\x00", b"1234567890"),
)
MIXED = st.lists(st.sampled_from((*FRAGMENTS, HEAD)), max_size=20).map(b"".join)


@given(MIXED | st.binary(max_size=40), st.lists(st.integers(0, 300), max_size=5))
def test_chunking_does_not_matter(body: bytes, cuts: list[int]) -> None:
    places = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    chunks = [body[begin:end] for begin, end in pairwise(places)]
    for limits in (Limits(), TIGHT):
        whole = fed(RequestDecoder(MULTIPART, limits=limits), [body])
        assert fed(RequestDecoder(MULTIPART, limits=limits), chunks) == whole
        assert fed(RequestDecoder(MULTIPART, limits=limits), pieces(body, 1)) == whole


BODIES = st.lists(
    st.sampled_from(
        [b"\r\n", b"\n", b"\r", b"text", b"--bX", b"x--b\r\n", b"--", b"\x00\xff", b" ", b"--b--Y"]
    ),
    max_size=12,
).map(b"".join)


@given(st.lists(BODIES, min_size=1, max_size=4))
def test_the_standard_library_sees_the_same_parts(contents: list[bytes]) -> None:
    body = batch(*[part(HEAD[len(PART_HEAD) + 2 :] + each) for each in contents])
    head = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
    message = email.message_from_bytes(head + body, policy=email.policy.HTTP)
    payloads = [part.get_payload(decode=True) for part in message.iter_parts()]
    found = bodies(check_request(body, MULTIPART))
    assert [HEAD[len(PART_HEAD) + 2 :] + each for each in found] == payloads
    assert not message.defects
