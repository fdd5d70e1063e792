"""Framing in any chunks: what is long, what is generated; the rest is in the corpus of readings."""

from __future__ import annotations

import email
import email.policy
import sys
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from odata_batch import (
    BatchRequest,
    Limits,
    Operation,
    Report,
    RequestDecoder,
    Severity,
    check_request,
    decode_request,
    encode_request,
)
from odata_batch.dialects import ODATA_4_01

from .helpers import MULTIPART, PART_HEAD, batch, fed, part

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
    cuts = range(len(data) - 12, len(data))
    outcomes = {
        fed(RequestDecoder(MULTIPART, dialect=CALM), [data[:cut], data[cut:]]) for cut in cuts
    }
    ((result, _, found),) = outcomes
    assert isinstance(result, BatchRequest) and len(found) == 1
    assert result.operations()[0].body == half * 20_000


PUT = part(b"PUT x HTTP/1.1\r\nContent-Type: image/png\r\n\r\n%b")
# What is read in chunks of so many octets, and the calls that takes at most, also where it streams:
# more of them would be a search that is lost or made twice.
CALLS = {
    "one part": (batch(part()), 9000, 105, 160),
    "parts": (batch(*[part()] * 100), 1000, 800, 8800),
    "a long part": (batch(PUT % (b"x" * 10**6)), 1000, 18_000, 30_000),
    "many near delimiters": (batch(PUT % (b"\r\n--bx" * 12_000)), 10**6, 200, 290),
    "few near delimiters": (batch(PUT % (b"\r\n--bx" * 100)), 10**6, 600, 700),
}


@pytest.mark.untraced
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("data", "step", "most", "most_of_stream"), CALLS.values(), ids=CALLS)
def test_reading_takes_few_calls(
    data: bytes, step: int, most: int, most_of_stream: int, stream: Any
) -> None:
    calls: list[str] = []
    for _ in range(2):  # what is compiled once is there then
        decoder = RequestDecoder(MULTIPART, dialect=CALM, stream=stream)
        calls.clear()
        sys.setprofile(lambda _, event, __: calls.append(event))
        try:
            fed(decoder, pieces(data, step))
        finally:
            sys.setprofile(None)
    assert calls.count("call") <= (most_of_stream if stream else most)


# -- properties --

FRAGMENTS = (
    *(b"--b", b"--b--", b"\r\n--b\r\n", b"\r\n--b--\r\n", b"\n--b\n", b"\r--b", b"--bX", b"\r\n"),
    *(b"\n", b"\r", b"-", b" ", b"\t", b"   ", b"x", b"\x00", b"1234567890"),
)
OCTETS = st.lists(st.sampled_from(FRAGMENTS), max_size=20).map(b"".join)
MIXED = st.lists(st.sampled_from((*FRAGMENTS, HEAD)), max_size=20).map(b"".join)


@given(MIXED | st.binary(max_size=40), st.lists(st.integers(0, 300), max_size=5))
def test_chunking_does_not_matter(body: bytes, cuts: list[int]) -> None:
    places = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    chunks = [body[begin:end] for begin, end in pairwise(places)]
    for limits in (Limits(), TIGHT):
        whole = fed(RequestDecoder(MULTIPART, limits=limits), [body])
        assert fed(RequestDecoder(MULTIPART, limits=limits), chunks) == whole
        assert fed(RequestDecoder(MULTIPART, limits=limits), pieces(body, 1)) == whole


@given(st.lists(OCTETS | st.binary(max_size=60), min_size=1, max_size=5))
def test_what_is_written_is_split_into_the_same_parts(contents: list[bytes]) -> None:
    assume(not any(b"--batch_01" in content for content in contents))
    operations = [Operation("POST", "x", {"Content-Type": "a/b"}, each) for each in contents]
    payload = encode_request(BatchRequest(operations), format="multipart", boundary="batch_01")
    parts = [part(HEAD[len(PART_HEAD) + 2 :] + each, boundary=b"batch_01") for each in contents]
    assert payload.body == batch(*parts, boundary=b"batch_01")
    assert decode_request(payload.body, payload.content_type, strict=True).items == (*operations,)


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
