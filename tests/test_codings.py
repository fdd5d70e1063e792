"""Codings of captured bodies: chunked, gzip and deflate, and bodies that are in none of them."""

from __future__ import annotations

import base64
import gzip
import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odata_batch import Limits
from odata_batch.capture import Message, parse_har, parse_message

TEXT = b"--b\r\nContent-Type: application/http\r\n\r\nGET People HTTP/1.1\r\n\r\n\r\n--b--\r\n"
BINARY = b"\x8b\x02\x80octets of brotli, say\x03"


def chunked(body: bytes, size: int = 7) -> bytes:
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(each), each) for each in pieces) + b"0\r\n\r\n"


def raw_deflate(body: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(body) + compressor.flush()


def undo(fields: str, body: bytes, limits: Limits | None = None) -> Message:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: multipart/mixed; boundary=b\r\n{fields}\r\n\r\n"
    return parse_message(head.encode() + body, limits=limits or Limits())


def said(message: Message) -> list[tuple[str, str]]:
    return [(each.rule.slug, each.message) for each in message.diagnostics]


# -- what is undone --


@pytest.mark.parametrize(
    ("fields", "body"),
    [
        ("Transfer-Encoding: chunked", chunked(TEXT)),
        ("Transfer-Encoding: Chunked", chunked(TEXT, 1)),
        ("transfer-encoding: gzip, chunked", chunked(gzip.compress(TEXT))),
        ("Content-Encoding: gzip", gzip.compress(TEXT)),
        ("Content-Encoding: X-GZIP", gzip.compress(TEXT)),
        ("Content-Encoding: deflate", zlib.compress(TEXT)),
        ("Content-Encoding: deflate", raw_deflate(TEXT)),
        ("Content-Encoding: deflate, gzip", gzip.compress(zlib.compress(TEXT))),
        (
            "Content-Encoding: gzip\r\nTransfer-Encoding: chunked",
            chunked(gzip.compress(TEXT)),
        ),
    ],
)
def test_codings_are_undone_from_the_last_to_the_first(fields: str, body: bytes) -> None:
    message = undo(fields, body)
    assert (message.body, message.body_position) == (TEXT, None)
    assert {slug for slug, _ in said(message)} == {"capture-decoded"}


@pytest.mark.parametrize("value", ["", "identity", " , Identity;q=1"])
def test_without_a_coding_the_body_stays_as_it_is(value: str) -> None:
    body = gzip.compress(TEXT)
    assert (undo(f"Content-Encoding: {value}", body).body, said(undo("", TEXT))) == (body, [])


def test_an_empty_body_is_in_no_coding() -> None:
    # Its length is that of the octets that are not there.
    message = undo("Content-Encoding: gzip\r\nContent-Length: 20", b"")
    assert (message.body, said(message)) == (b"", [])


# -- what was undone before --


@pytest.mark.parametrize(
    "field",
    [
        *("Content-Encoding: gzip", "Content-Encoding: x-gzip", "Content-Encoding: deflate"),
        *("Content-Encoding: br", "Content-Encoding: zstd", "Transfer-Encoding: chunked"),
    ],
)
def test_what_is_in_no_coding_was_undone_in_the_capture(field: str) -> None:
    message = undo(f"{field}\r\nContent-Length: 20", TEXT)
    coding = field.partition(" ")[2]
    expected = f"the coding {coding!r} was undone in the capture; the body is read as it is"
    assert (message.body, said(message)) == (TEXT, [("capture-decoded", expected)])
    assert message.body_position is not None


@pytest.mark.parametrize(
    ("body", "is_text"),
    [
        (b"{}\t\r\n", True),
        ("é".encode(), True),
        ("é".encode("latin-1"), False),
        (b"a\x00", False),
        (b"a" * 255 + "é".encode(), True),
        (b"a" * 253 + "\U0001f600".encode(), True),
        (b"a" * 252 + b"\xff" + b"a" * 5, False),
        (b"a" * 300 + b"\x00", True),
    ],
)
def test_text_is_utf_8_without_controls_as_far_as_it_is_looked_at(
    body: bytes, is_text: bool
) -> None:
    assert undo("Content-Encoding: br", body).is_readable == is_text


# -- chunks --


@pytest.mark.parametrize(
    "body",
    [
        b"3\nabc\n0\n\n",
        b"3;name=value\r\nabc\r\n0\r\n\r\n",
        b"3 \t\r\nabc\r\n000\r\n\r\n",
        b"3\r\nabc\r\n0\r\n",
    ],
)
def test_chunks_are_read_as_they_come(body: bytes) -> None:
    message = undo("Transfer-Encoding: chunked", body)
    expected = f"the coding 'chunked' is undone: {len(body)} octets are 3"
    assert (message.body, said(message)) == (b"abc", [("capture-decoded", expected)])


@pytest.mark.parametrize(
    ("body", "left"),
    [
        (b"3\r\nabc\r\n", b"abc"),
        (b"3\r\nabc", b"abc"),
        (b"3\r\nab", b"ab"),
        (b"3\r\nabcd\r\n0\r\n\r\n", b"abc"),
        (b"3\r\nabc\r\nno size", b"abc"),
        (b"fffffffffffffff\r\nabc", b"abc"),
    ],
)
def test_chunks_without_a_last_one_are_a_warning(body: bytes, left: bytes) -> None:
    message = undo("Transfer-Encoding: chunked", body)
    expected = f"the coding 'chunked' has no last chunk; {len(left)} octets are read"
    assert (message.body, said(message)) == (left, [("capture-truncated", expected)])


# -- what is wrong with a coding --


def test_a_compressed_body_that_is_cut_is_read_as_far_as_it_goes() -> None:
    message = undo("Content-Encoding: gzip", gzip.compress(TEXT)[:-9])
    assert TEXT.startswith(message.body)
    expected = f"the coding 'gzip' has no end; {len(message.body)} octets are read"
    assert said(message) == [("capture-truncated", expected)]


@pytest.mark.parametrize(
    ("field", "body", "message"),
    [
        (
            "Content-Encoding: gzip",
            gzip.compress(TEXT) + b"more",
            "found 'more' behind the stream, which is not read",
        ),
        (
            "Transfer-Encoding: chunked",
            chunked(TEXT)[:-2] + b"OData-Error: x\r\n\r\n",
            "found 'OData-Error: x\\r\\n\\r\\n' behind the last chunk, which is not read",
        ),
    ],
)
def test_what_follows_the_end_is_said(field: str, body: bytes, message: str) -> None:
    undone = undo(field, body)
    assert (undone.body, said(undone)) == (TEXT, [("capture-decoded", message)])


@pytest.mark.parametrize(
    ("coding", "body", "message"),
    [
        ("gzip", b"\x1f\x8b\x00damaged", "found the coding 'gzip', and it is damaged"),
        ("deflate", b"\x00\x01\x02\x03\x04", "found the coding 'deflate', and it is damaged"),
        ("br", BINARY, "found the coding 'br', expected chunked, gzip or deflate"),
        (
            "gzip",
            gzip.compress(TEXT).decode("utf-8", "replace").encode(),
            "found the coding 'gzip' with octets replaced by U+FFFD",
        ),
        ("gzip, " * 4 + "gzip", b"\x1f\x8b", "found 5 codings, expected at most 4"),
        ("b" * 61, BINARY, f"found the coding '{'b' * 60}', expected chunked, gzip or deflate"),
    ],
)
def test_what_cannot_be_undone_is_an_error(coding: str, body: bytes, message: str) -> None:
    undone = undo(f"Content-Encoding: {coding}", body)
    assert (undone.body, undone.is_readable, undone.not_a_batch) == (body, False, None)
    assert said(undone)[0] == ("capture-coding", message)


def test_nothing_is_undone_below_what_cannot_be() -> None:
    fields = "Content-Encoding: gzip, br\r\nTransfer-Encoding: chunked"
    message = undo(fields, chunked(BINARY))
    assert message.body == BINARY
    assert [slug for slug, _ in said(message)] == ["capture-decoded", "capture-coding"]


# -- limits --


def test_a_body_is_inflated_up_to_the_limit() -> None:
    body = gzip.compress(bytes(1000))
    assert undo("Content-Encoding: gzip", body, Limits(message=1000)).body == bytes(1000)
    message = undo("Content-Encoding: gzip", body, Limits(message=999))
    expected = "limit message is 999, and what 'gzip' stands for exceeds it"
    assert (message.body, said(message)) == (body, [("limit-exceeded", expected)])
    assert message.diagnostics[0].limit == ("message", 999)


def test_the_bodies_of_a_file_share_four_times_the_limit() -> None:
    text = base64.b64encode(zlib.compress(bytes(9000))).decode()
    request = {
        "method": "POST",
        "url": "/$batch",
        "headers": [{"name": "Content-Encoding", "value": "deflate"}],
        "postData": {"text": text, "encoding": "base64"},
    }
    data = json.dumps({"log": {"entries": [{"request": request}] * 5}}).encode()
    requests = [each.request for each in parse_har(data, limits=Limits(message=10_000))]
    assert [each is not None and each.body == bytes(9000) for each in requests] == [
        *(True, True, True, True, False)
    ]


# -- properties --


@given(st.binary(max_size=400), st.integers(1, 50))
def test_every_body_comes_back(body: bytes, size: int) -> None:
    fields = "Content-Encoding: deflate, gzip\r\nTransfer-Encoding: chunked"
    assert undo(fields, chunked(gzip.compress(zlib.compress(body)), size)).body == body


@given(
    st.binary() | st.binary().map(gzip.compress) | st.binary().map(chunked),
    st.lists(st.sampled_from(("gzip", "deflate", "br", "chunked", "identity", "")), max_size=5),
    st.data(),
)
def test_any_octets_are_a_body_in_any_coding(
    body: bytes, codings: list[str], data: st.DataObject
) -> None:
    stop = data.draw(st.integers(0, len(body)))
    fields = f"Transfer-Encoding: {', '.join(codings)}"
    message = undo(fields, body[:stop] + b"\xff" + body[stop:])
    assert all(each.message for each in message.diagnostics)
