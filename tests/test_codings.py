"""Codings of captured bodies: chunked, gzip and deflate, and bodies that are in none of them."""

from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odata_batch import Headers, Limits, Rule
from odata_batch.capture._codings import Room, Undone, looks_like_text, too_large, undo_codings

TEXT = b"--b\r\nContent-Type: application/http\r\n\r\nGET People HTTP/1.1\r\n\r\n\r\n--b--\r\n"
BINARY = b"\x8b\x02\x80octets of brotli, say\x03"


def chunked(body: bytes, size: int = 7) -> bytes:
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(each), each) for each in pieces) + b"0\r\n\r\n"


def raw_deflate(body: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(body) + compressor.flush()


def undo(fields: dict[str, str], body: bytes, limits: Limits | None = None) -> Undone:
    return undo_codings(Headers(fields), body, Room(limits or Limits()))


def said(undone: Undone) -> list[tuple[str, str]]:
    return [(rule.slug, message) for rule, message in undone.problems]


# -- what is undone --


@pytest.mark.parametrize(
    ("fields", "body"),
    [
        ({"Transfer-Encoding": "chunked"}, chunked(TEXT)),
        ({"Transfer-Encoding": "Chunked"}, chunked(TEXT, 1)),
        ({"transfer-encoding": "gzip, chunked"}, chunked(gzip.compress(TEXT))),
        ({"Content-Encoding": "gzip"}, gzip.compress(TEXT)),
        ({"Content-Encoding": "X-GZIP"}, gzip.compress(TEXT)),
        ({"Content-Encoding": "deflate"}, zlib.compress(TEXT)),
        ({"Content-Encoding": "deflate"}, raw_deflate(TEXT)),
        ({"Content-Encoding": "deflate, gzip"}, gzip.compress(zlib.compress(TEXT))),
        (
            {"Content-Encoding": "gzip", "Transfer-Encoding": "chunked"},
            chunked(gzip.compress(TEXT)),
        ),
    ],
)
def test_codings_are_undone_from_the_last_to_the_first(fields: dict[str, str], body: bytes) -> None:
    undone = undo(fields, body)
    assert (undone.body, undone.was_plain) == (TEXT, False)
    assert {rule for rule, _ in undone.problems} == {Rule.CAPTURE_DECODED}


def test_what_has_been_undone_is_said() -> None:
    undone = undo({"Transfer-Encoding": "chunked"}, b"3\r\nabc\r\n0\r\n\r\n")
    assert said(undone) == [("capture-decoded", "the coding 'chunked' is undone: 13 octets are 3")]


@pytest.mark.parametrize("value", ["", "identity", " , Identity;q=1"])
def test_without_a_coding_the_body_stays_as_it_is(value: str) -> None:
    body = gzip.compress(TEXT)
    undone = undo({"Content-Encoding": value}, body)
    assert undone.body is body
    assert (undone.problems, undone.was_plain) == ((), False)


def test_an_empty_body_is_in_no_coding() -> None:
    assert undo({"Content-Encoding": "gzip"}, b"") == (b"", (), True)


# -- what was undone before --


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "deflate", "br", "zstd"])
def test_text_is_in_no_content_coding(coding: str) -> None:
    undone = undo({"Content-Encoding": coding}, TEXT)
    assert (undone.body, undone.was_plain) == (TEXT, True)
    message = f"the coding {coding!r} was undone in the capture; the body is read as it is"
    assert said(undone) == [("capture-decoded", message)]


def test_a_body_that_begins_with_no_chunk_size_is_not_chunked() -> None:
    undone = undo({"Transfer-Encoding": "chunked"}, TEXT)
    assert (undone.body, undone.was_plain) == (TEXT, True)


@pytest.mark.parametrize(
    ("body", "is_text"),
    [
        (b"", True),
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
    assert looks_like_text(body) == is_text


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
    undone = undo({"Transfer-Encoding": "chunked"}, body)
    assert undone.body == b"abc"
    assert [rule for rule, _ in undone.problems] == [Rule.CAPTURE_DECODED]


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
    undone = undo({"Transfer-Encoding": "chunked"}, body)
    assert undone.body == left
    message = f"the coding 'chunked' has no last chunk; {len(left)} octets are read"
    assert said(undone) == [("capture-truncated", message)]


def test_what_follows_the_last_chunk_is_said() -> None:
    undone = undo({"Transfer-Encoding": "chunked"}, b"1\r\na\r\n0\r\nOData-Error: x\r\n\r\n")
    message = "found 'OData-Error: x\\r\\n\\r\\n' behind the last chunk, which is not read"
    assert (undone.body, said(undone)) == (b"a", [("capture-decoded", message)])


# -- compressed bodies --


def test_a_compressed_body_that_is_cut_is_read_as_far_as_it_goes() -> None:
    body = gzip.compress(TEXT)[:-9]
    undone = undo({"Content-Encoding": "gzip"}, body)
    assert TEXT.startswith(undone.body)
    message = f"the coding 'gzip' has no end; {len(undone.body)} octets are read"
    assert said(undone) == [("capture-truncated", message)]


def test_what_follows_a_compressed_body_is_said() -> None:
    undone = undo({"Content-Encoding": "gzip"}, gzip.compress(TEXT) + b"more")
    message = "found 'more' behind the stream, which is not read"
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
    undone = undo({"Content-Encoding": coding}, body)
    assert undone.body == body
    assert said(undone) == [("capture-coding", message)]


def test_nothing_is_undone_below_what_cannot_be() -> None:
    undone = undo({"Content-Encoding": "gzip, br", "Transfer-Encoding": "chunked"}, chunked(BINARY))
    assert undone.body == BINARY
    assert [rule.slug for rule, _ in undone.problems] == ["capture-decoded", "capture-coding"]


# -- limits --


def test_a_body_is_inflated_up_to_the_limit() -> None:
    body = gzip.compress(bytes(1000))
    assert undo({"Content-Encoding": "gzip"}, body, Limits(message=1000)).body == bytes(1000)
    undone = undo({"Content-Encoding": "gzip"}, body, Limits(message=999))
    message = "limit message is 999, and what 'gzip' stands for exceeds it"
    assert (undone.body, said(undone)) == (body, [("limit-exceeded", message)])


def test_the_bodies_of_a_file_share_four_times_the_limit() -> None:
    room = Room(Limits(message=100))
    headers = Headers({"Content-Encoding": "deflate"})
    bodies = [undo_codings(headers, zlib.compress(bytes(90)), room).body for _ in range(5)]
    assert [body == bytes(90) for body in bodies] == [True, True, True, True, False]
    assert room.for_body == room.left == 40
    room.take(50)
    assert room.for_body == 0


def test_what_is_too_large_is_named() -> None:
    message = "limit message is 9, a file has room for 4 of them, and the file exceeds it"
    assert too_large(Room(Limits(message=9)), "the file") == (Rule.LIMIT_EXCEEDED, message)


# -- properties --


@given(st.binary(max_size=400), st.integers(1, 50))
def test_every_body_comes_back(body: bytes, size: int) -> None:
    fields = {"Content-Encoding": "deflate, gzip", "Transfer-Encoding": "chunked"}
    coded = chunked(gzip.compress(zlib.compress(body)), size)
    assert undo(fields, coded).body == body


@given(
    st.binary() | st.binary().map(gzip.compress) | st.binary().map(chunked),
    st.lists(st.sampled_from(("gzip", "deflate", "br", "chunked", "identity", "")), max_size=5),
    st.data(),
)
def test_any_octets_are_a_body_in_any_coding(
    body: bytes, codings: list[str], data: st.DataObject
) -> None:
    stop = data.draw(st.integers(0, len(body)))
    undone = undo({"Transfer-Encoding": ", ".join(codings)}, body[:stop] + b"\xff" + body[stop:])
    assert all(message for _, message in undone.problems)
