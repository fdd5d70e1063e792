"""SAZ files: archives of raw messages as Fiddler writes them, and archives that are none."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odata_batch import Limits, check_request, check_response
from odata_batch.capture import CapturedExchange, Message, parse_capture, parse_saz

from .helpers import MULTIPART, batch, part

BODY = batch(part())
HEAD = f"POST https://example.org/service/$batch HTTP/1.1\r\nContent-Type: {MULTIPART}\r\n\r\n"
REQUEST = HEAD.encode() + BODY
ANSWER = batch(part(b"HTTP/1.1 204 No Content\r\n\r\n"))
RESPONSE = f"HTTP/1.1 200 OK\r\nContent-Type: {MULTIPART}\r\n\r\n".encode() + ANSWER
META = b'<?xml version="1.0" encoding="utf-8"?><Session SID="1" BitFlags="19"></Session>'


def zipped(files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file.getvalue()


def saz(*sessions: tuple[bytes, bytes]) -> bytes:
    """Return an archive with the files that Fiddler writes."""
    files = {"[Content_Types].xml": b"<Types/>", "_index.htm": b"<html></html>"}
    for number, (request, response) in enumerate(sessions, 1):
        files[f"raw/{number:02}_c.txt"] = request
        files[f"raw/{number:02}_m.xml"] = META
        files[f"raw/{number:02}_s.txt"] = response
    return zipped(files)


SAZ = saz((REQUEST, RESPONSE))


def only(data: bytes, limits: Limits | None = None) -> CapturedExchange:
    (exchange,) = parse_saz(data, limits=limits or Limits())
    return exchange


def found(thing: Message | CapturedExchange) -> list[tuple[str, str]]:
    return [(each.rule.slug, each.message) for each in thing.diagnostics]


# -- sessions --


def test_a_session_is_read() -> None:
    (exchange,) = parse_capture(SAZ)
    assert (exchange.name, exchange.is_batch, exchange.diagnostics) == ("raw/01", True, ())
    assert exchange.url == "https://example.org/service/$batch"
    request, response = exchange.request, exchange.response
    assert request is not None and response is not None
    assert (request.kind, request.body, request.body_position) == ("request", BODY, len(HEAD))
    assert (response.kind, response.body, response.source) == ("response", ANSWER, RESPONSE)
    assert check_request(request.body, request.content_type).ok
    assert check_response(response.body, response.content_type).ok


def test_positions_count_in_the_file_in_the_archive() -> None:
    head = b"HTTP/1.1 200 OK\r\nno field\r\nContent-Type: application/json\r\n\r\n"
    message = only(saz((REQUEST, head + b"{}"))).response
    assert message is not None and message.body_position == len(head)
    (finding,) = message.diagnostics
    assert (finding.rule.slug, finding.position) == ("header-syntax", 17)


def test_a_body_that_is_chunked_and_compressed_is_read() -> None:
    body = gzip.compress(ANSWER)
    head = RESPONSE[: -len(ANSWER) - 2]
    codings = b"Transfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n\r\n"
    chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    message = only(saz((REQUEST, head + codings + chunks))).response
    assert message is not None
    assert (message.body, message.body_position) == (ANSWER, None)
    assert [each.rule.slug for each in message.diagnostics] == ["capture-decoded"] * 2


def test_sessions_are_in_the_order_of_their_numbers() -> None:
    names = ("raw/10_c.txt", "raw/9_c.txt", "raw/1_c.txt")
    exchanges = parse_saz(zipped(dict.fromkeys(names, REQUEST)))
    assert [each.name for each in exchanges] == ["raw/1", "raw/9", "raw/10"]


@pytest.mark.parametrize("name", ["raw/1_c.txt", "raw\\1_c.txt", "Raw/1_C.TXT"])
def test_the_names_of_files_are_read_as_they_come(name: str) -> None:
    assert only(zipped({name: REQUEST})).request is not None


def test_an_archive_may_be_without_compression() -> None:
    assert only(zipped({"raw/1_c.txt": REQUEST}, zipfile.ZIP_STORED)).request is not None


@pytest.mark.parametrize("response", [b"", None])
def test_a_request_that_was_not_answered_is_a_note(response: bytes | None) -> None:
    files = {"raw/1_c.txt": REQUEST} | ({} if response is None else {"raw/1_s.txt": response})
    exchange = only(zipped(files))
    assert exchange.response is None and exchange.request is not None
    assert found(exchange) == [("capture-incomplete", "the session has no response")]


def test_a_response_without_its_request_is_a_note() -> None:
    exchange = only(zipped({"raw/1_s.txt": RESPONSE}))
    assert (exchange.request, exchange.url, exchange.is_batch) == (None, "", True)
    assert found(exchange) == [("capture-incomplete", "the session has no request")]


@pytest.mark.parametrize(
    ("line", "url", "is_batch"),
    [
        ("POST https://h/$batch HTTP/1.1", "https://h/$batch", True),
        ("POST /$batch HTTP/1.1", "/$batch", True),
        ("POST /a b/$batch", "/a b/$batch", True),
        ("GET https://h/People HTTP/1.1", "https://h/People", False),
        ("CONNECT h:443 HTTP/1.1", "h:443", False),
        ("https://h/$batch", "https://h/$batch", False),
    ],
)
def test_a_batch_is_told_by_its_request_line(line: str, url: str, is_batch: bool) -> None:
    exchange = only(saz((f"{line}\r\nHost: h\r\n\r\n".encode(), b"HTTP/1.1 200 OK\r\n\r\n")))
    assert (exchange.url, exchange.is_batch) == (url, is_batch)


def test_the_file_says_who_sent_a_message() -> None:
    exchange = only(saz((RESPONSE, REQUEST)))
    assert exchange.request is not None and exchange.response is not None
    assert (exchange.request.kind, exchange.response.kind) == ("request", "response")
    assert exchange.url == ""


# -- archives that are wrong --


@pytest.mark.parametrize(
    "data", [SAZ[:-30], b"PK\x03\x04", b"PK\x05\x06", SAZ[:4] + bytes(100), b""]
)
def test_a_damaged_archive_cannot_be_read(data: bytes) -> None:
    exchange = only(data)
    assert (exchange.name, exchange.request, exchange.is_batch) == ("", None, True)
    assert found(exchange) == [("capture-unreadable", "not a ZIP archive, or damaged")]


@pytest.mark.parametrize("files", [{}, {"word/document.xml": b""}, {"raw/1_m.xml": META}])
def test_an_archive_of_something_else_cannot_be_read(files: dict[str, bytes]) -> None:
    expected = "found no file such as raw/1_c.txt in the ZIP archive, expected a SAZ file"
    (exchange,) = parse_capture(zipped(files))
    assert found(exchange) == [("capture-unreadable", expected)]


def patched(data: bytes, offset: int, value: bytes) -> bytes:
    """Return the archive with octets changed in the first header of its directory."""
    start = data.index(b"PK\x01\x02") + offset
    return data[:start] + value + data[start + len(value) :]


RAW = zipped({"raw/1_c.txt": REQUEST, "raw/1_s.txt": RESPONSE})


def test_an_encrypted_archive_says_so_once() -> None:
    exchange = only(patched(RAW, 8, b"\x01\x00"))
    expected = "the ZIP archive is encrypted; it can be read if it is saved without a password"
    assert found(exchange) == [("capture-unreadable", expected)]


@pytest.mark.parametrize(
    ("offset", "value", "message"),
    [
        (10, b"\x0e\x00", "raw/1_c.txt has the compression method 14, expected 0 or 8"),
        (16, b"\xff\xff\xff\xff", "raw/1_c.txt is damaged"),
        (42, b"\xff\xff\xff\x0f", "raw/1_c.txt is damaged"),
        (10, b"\x00\x00", "raw/1_c.txt is damaged"),
    ],
    ids=["method", "checksum", "place", "size"],
)
def test_a_damaged_file_leaves_the_others(offset: int, value: bytes, message: str) -> None:
    exchange = only(patched(RAW, offset, value))
    assert exchange.request is None and exchange.response is not None
    assert exchange.is_batch
    assert found(exchange) == [("capture-unreadable", message)]


@pytest.mark.parametrize(
    ("request_", "is_batch"), [(REQUEST, True), (b"GET /a.png HTTP/1.1\r\n\r\n", False)]
)
def test_a_damaged_response_makes_no_batch_of_its_request(request_: bytes, is_batch: bool) -> None:
    exchange = only(patched(zipped({"raw/1_s.txt": RESPONSE, "raw/1_c.txt": request_}), 16, b"\0"))
    assert (exchange.response, exchange.is_batch) == (None, is_batch)
    assert found(exchange) == [("capture-unreadable", "raw/1_s.txt is damaged")]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_file_that_stands_twice_is_an_error_and_the_last_is_read() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("raw/1_c.txt", b"GET https://h/People HTTP/1.1\r\n\r\n")
        archive.writestr("raw/1_c.txt", REQUEST)
        archive.writestr("raw/1_s.txt", RESPONSE)
    exchange = only(file.getvalue())
    assert exchange.url == "https://example.org/service/$batch"
    expected = "raw/1_c.txt appears more than once in the archive; the last is read"
    assert found(exchange) == [("capture-duplicate-member", expected)]


# -- limits --


def test_a_file_larger_than_a_message_is_not_read() -> None:
    limits = Limits(message=100, header_section=len(REQUEST) - 101)
    exchange = only(RAW, limits)
    assert exchange.request is None and exchange.response is not None
    bound = "the limit of all bodies in a file is 4 times 100 (Limits.message)"
    assert found(exchange) == [("limit-exceeded", f"raw/1_c.txt is too large: {bound}")]
    assert exchange.diagnostics[0].limit == ("message", 100)


def test_a_file_that_lies_about_its_size_is_cut_off() -> None:
    bomb = zipped({"raw/1_c.txt": bytes(1_000_000)})
    exchange = only(patched(bomb, 24, b"\x10\x00\x00\x00"), Limits(message=100))
    assert found(exchange)[0] == ("capture-unreadable", "raw/1_c.txt is damaged")


def test_all_files_share_four_times_the_limit() -> None:
    blank = b"GET / HTTP/1.1\r\n\r\n" + bytes(982)
    exchanges = parse_saz(saz(*[(blank, b"")] * 6), limits=Limits(message=1000, header_section=0))
    # What is read in the archive counts, too.
    assert [each.request is not None for each in exchanges] == [True] * 3 + [False] * 3


def test_an_archive_with_more_files_than_anybody_records_is_not_opened() -> None:
    most = b"PK\x01\x02" * (65_535 - SAZ.count(b"PK\x01\x02"))
    for more, expected in (
        (b"", "not a ZIP archive, or damaged"),
        (b"PK\x01\x02", "the ZIP archive has more than 65535 files"),
    ):
        assert found(only(SAZ + most + more)) == [("capture-unreadable", expected)]


@pytest.mark.parametrize(
    ("data", "expected"), [(SAZ, True), (zipped({}), True), (b"PK", False), (REQUEST, False)]
)
def test_an_archive_is_told_by_its_beginning(data: bytes, expected: bool) -> None:
    (exchange,) = parse_capture(data)
    assert (exchange.name != "" or exchange.request is exchange.response) == expected


# -- properties --


@given(st.dictionaries(st.sampled_from(("raw/1_c.txt", "raw/1_s.txt", "raw/2_c.txt")), st.binary()))
def test_any_files_are_sessions(files: dict[str, bytes]) -> None:
    exchanges = parse_capture(zipped(files))
    messages = [each for pair in exchanges for each in (pair.request, pair.response)]
    assert sum(each is not None for each in messages) == sum(map(bool, files.values()))


@given(
    st.lists(st.tuples(st.integers(0, len(SAZ) - 1), st.integers(0, 255) | st.none()), max_size=12)
)
def test_a_damaged_archive_is_a_capture(changes: list[tuple[int, int | None]]) -> None:
    data = bytearray(SAZ)
    for place, octet in changes:
        data[place : place + 1] = b"" if octet is None else bytes((octet,))
    assert parse_capture(bytes(data)) and parse_saz(bytes(data))
