"""HAR files as browsers and proxies write them, and documents that are none.

The entries are our own, with the members that the programs write. What is read of an entry, and not
of a good one, is in `data/entries.json`; `python -m tests.test_har` writes it anew.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odata_batch import Limits, check_request, check_response
from odata_batch.capture import CapturedExchange, Message, parse_capture, parse_har

from . import corpora
from .helpers import MULTIPART, batch, part

URL = "https://example.org/service/$batch"
REQUEST = batch(part())
RESPONSE = batch(part(b"HTTP/1.1 204 No Content\r\n\r\n"))
Json = Mapping[str, object]


def har(*entries: object) -> bytes:
    log = {"version": "1.2", "creator": {"name": "WebInspector"}, "pages": [], "entries": entries}
    return json.dumps({"log": log}).encode()


def fields(**values: str) -> list[dict[str, str]]:
    return [{"name": name.replace("_", "-"), "value": value} for name, value in values.items()]


BASE64 = {"text": base64.b64encode(RESPONSE).decode(), "encoding": "base64"}
POSTED = {"mimeType": MULTIPART, "text": REQUEST.decode()}
# Chrome names the protocol h2, and writes what others do not know.
CHROME = {
    "_initiator": {"type": "script", "stack": {"callFrames": [{"url": "x"}]}},
    "request": {
        **{"method": "POST", "url": URL, "httpVersion": "h2", "cookies": []},
        "headers": [
            {"name": ":authority", "value": "example.org"},
            {"name": ":path", "value": "/service/$batch"},
            *fields(content_length=str(len(REQUEST)), content_type=MULTIPART),
        ],
        **{"bodySize": len(REQUEST), "postData": POSTED},
    },
    "response": {
        **{"status": 200, "statusText": "", "httpVersion": "h2"},
        "headers": fields(content_type=MULTIPART, content_encoding="gzip", content_length="77"),
        "content": {"size": len(RESPONSE), "mimeType": "multipart/mixed", **BASE64},
        **{"redirectURL": "", "bodySize": -1, "_error": None},
    },
}
FIREFOX: dict[str, Any] = {
    "pageref": "page_1",
    "request": {
        **{"bodySize": len(REQUEST), "method": "POST", "url": URL, "httpVersion": "HTTP/2"},
        "headers": fields(Host="example.org", Content_Type=MULTIPART),
        "postData": {**POSTED, "params": []},
    },
    "response": {
        **{"status": 200, "statusText": "OK", "httpVersion": "HTTP/2"},
        "headers": fields(content_type=MULTIPART),
        "content": {"mimeType": MULTIPART, "size": len(RESPONSE), **BASE64},
    },
}
# Fiddler begins its files with a byte order mark, and writes text.
FIDDLER = {
    "request": {**FIREFOX["request"], "httpVersion": "HTTP/1.1", "bodySize": None},
    "response": {
        **{"status": 200, "statusText": "OK", "httpVersion": "HTTP/1.1"},
        "headers": fields(Transfer_Encoding="chunked", Content_Type=MULTIPART),
        "content": {"size": len(RESPONSE), "mimeType": MULTIPART, "text": RESPONSE.decode()},
    },
}


# What people copy of an entry: a member, with or without what is around it
REQUEST_PART, RESPONSE_PART = (json.dumps(FIREFOX[side]) for side in ("request", "response"))
PIECES = [
    *(json.dumps(each).encode() for each in (FIREFOX, [FIREFOX], {"entries": [FIREFOX]})),
    *(f"{REQUEST_PART},".encode(), RESPONSE_PART.encode()),
    *(f' "request": {REQUEST_PART},\n"response": {RESPONSE_PART},\n'.encode(),),
    *(f'"request": {REQUEST_PART}\n'.encode(), f'"response": {RESPONSE_PART}'.encode()),
]


def only(data: bytes, limits: Limits | None = None) -> CapturedExchange:
    (exchange,) = parse_har(data, limits=limits or Limits())
    return exchange


def response_in(data: bytes) -> Message:
    message = only(data).response
    assert message is not None
    return message


def request_in(data: bytes) -> Message:
    message = only(data).request
    assert message is not None
    return message


def entry(request: Json | None = None, response: Json | None = None) -> bytes:
    """Return a file with one entry, a good one except for the members given."""
    return har(
        {
            "request": {**FIREFOX["request"], **(request or {})},
            "response": {**FIREFOX["response"], **(response or {})},
        }
    )


def found(thing: Message | CapturedExchange) -> list[tuple[str, str]]:
    assert all(each.position is None for each in thing.diagnostics)
    return [(each.rule.slug, each.message) for each in thing.diagnostics]


# -- what browsers and proxies write --


@pytest.mark.parametrize(
    "data",
    [har(CHROME), har(FIREFOX), b"\xef\xbb\xbf" + har(FIDDLER)],
    ids=["Chrome", "Firefox", "Fiddler"],
)
def test_a_batch_is_read(data: bytes) -> None:
    (exchange,) = parse_capture(data)
    request, response = exchange.request, exchange.response
    assert request is not None and response is not None
    assert (exchange.name, exchange.url, exchange.is_batch) == ("entries[0]", URL, True)
    for message, body, kind in ((request, REQUEST, "request"), (response, RESPONSE, "response")):
        assert (message.body, message.content_type, message.kind) == (body, MULTIPART, kind)
    assert (request.body_position, response.body_position) == (None, None)
    assert (exchange.diagnostics, request.diagnostics) == ((), ())
    assert check_request(request.body, request.content_type).ok
    assert check_response(response.body, response.content_type).ok


@pytest.mark.parametrize(
    ("capture", "message"),
    [
        (CHROME, "the coding 'gzip' was undone in the capture; the body is read as it is"),
        (FIDDLER, "the coding 'chunked' was undone in the capture; the body is read as it is"),
    ],
)
def test_a_body_whose_coding_was_undone_is_a_note(capture: Json, message: str) -> None:
    assert found(response_in(har(capture))) == [("capture-decoded", message)]


def test_a_file_in_utf_16_is_read() -> None:
    # As a shell redirects the output of a program on Windows.
    assert only(har(FIDDLER).decode().encode("utf-16")).is_batch


def test_exchanges_are_named_by_their_place() -> None:
    exchanges = parse_capture(har(CHROME, FIREFOX, FIDDLER))
    assert [each.name for each in exchanges] == ["entries[0]", "entries[1]", "entries[2]"]
    assert parse_capture(har()) == ()


# -- the corpus of entries --


def shown(exchange: CapturedExchange) -> dict[str, corpora.Json]:
    """Return what is read of an entry."""
    read: dict[str, corpora.Json] = {"url": exchange.url, "is_batch": exchange.is_batch}
    for half, thing in (
        ("", exchange),
        ("request.", exchange.request),
        ("response.", exchange.response),
    ):
        if isinstance(thing, Message):
            read[f"{half}start_line"] = thing.start_line
            read[f"{half}content_type"] = thing.content_type
            read[f"{half}headers"] = [list(pair) for pair in thing.headers.pairs]
            read[f"{half}body"] = corpora.octets_as_json(thing.body)
            read[f"{half}readable"] = thing.is_readable
            read[f"{half}lossy"] = thing.lossy
            read[f"{half}not_a_batch"] = thing.not_a_batch
        read[f"{half}diagnostics"] = [list(pair) for pair in found(thing)] if thing else None
    return read


def read(row: corpora.Row) -> corpora.Row:
    """Return the row with what is read of its entry, and not of a good one."""
    good: Json = FIREFOX
    halves: dict[str, Any] = {half: {**FIREFOX[half], **row.get(half, {})} for half in HALVES}
    usual, this = shown(only(har(good))), shown(only(har(row.get("entry", halves))))
    return {**row, "read": {name: it for name, it in this.items() if usual[name] != it}}


HALVES = ("request", "response")
ENTRIES = Path(__file__).parent / "data" / "entries.json"
ROWS: list[corpora.Row] = json.loads(ENTRIES.read_bytes())


@pytest.mark.parametrize("row", ROWS, ids=corpora.about)
def test_an_entry_is_read(row: corpora.Row) -> None:
    assert read(row) == row


def test_octets_of_the_file_that_are_not_utf_8_are_those_of_the_body() -> None:
    data = entry(request={"postData": {"text": "caf?"}}).replace(b"caf?", b"caf\xe9")
    assert request_in(data).body == b"caf\xe9"


@pytest.mark.parametrize("number", ["1e999", "-1e999", "NaN", "Infinity", "9" * 5000, "-1", "1e15"])
def test_a_size_may_be_any_number(number: str) -> None:
    data = entry(response={"content": {"size": "#", "text": "--b--"}})
    assert response_in(data.replace(b'"#"', number.encode())).diagnostics == ()


def test_members_that_are_repeated_are_an_error_and_the_last_counts() -> None:
    data = entry().replace(b'"url": ', b'"url": "https://h/other", "url": ')
    exchange = only(data)
    assert exchange.request is not None
    expected = "request has the member 'url' more than once, and the last counts"
    assert found(exchange.request) == [("capture-duplicate-member", expected)]
    assert exchange.url == URL


def test_members_that_nobody_reads_may_be_repeated() -> None:
    data = entry().replace(b'"url": ', b'"cookies": 1, "cookies": 2, "url": ')
    assert only(data).diagnostics == ()


@pytest.mark.parametrize("data", PIECES)
def test_a_piece_of_a_har_file_is_read_as_it_is_in_the_file(data: bytes) -> None:
    whole, piece = only(har(FIREFOX)), only(data)
    assert piece.is_batch
    assert piece.request in (whole.request, None) and piece.response in (whole.response, None)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'{"log":{', "found the end at character 8, expected JSON"),
        (b'{"log":{x', "found 'x' at character 8, expected JSON"),
        (b'{"log":{}} x', "found 'x' at character 11, expected JSON"),
        (b'{"log":{}}', "found no array log.entries, expected a HAR file"),
        (b'{"log":{"entries":{}}}', "found no array log.entries, expected a HAR file"),
        (b'{"log":{"entries":' + b"[" * 100_000, "the JSON text of the HAR file nests too deeply"),
    ],
)
def test_a_document_that_is_broken_cannot_be_read(data: bytes, message: str) -> None:
    (exchange,) = parse_capture(data)
    assert (exchange.name, exchange.request, exchange.response) == ("", None, None)
    assert exchange.is_batch
    assert found(exchange) == [("capture-unreadable", message)]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b' {"log" : {"entries":[]}}', True),
        (b'{"comment":"x","log":{"entries":[]}}', True),
        (b'{"comment":"x","log":{"entries":[]', False),
        (b'{"comment":' + b"[" * 100_000 + b'"log":{', False),
        (b'{"comment":"x","log":{"pages":[]}}', False),
        (b'{"requests":[{"body":{"log":{"entries":[]}}}]}', False),
        (b'[{"log":{"entries":[]}}]', False),
        (b'{"requests":[]}', False),
        (b"", False),
        (b'{"requests":[{"body":{"postData":{},"method":"","url":"","headers":[]}}]}', False),
    ],
)
def test_a_har_file_is_told_by_its_log(data: bytes, expected: bool) -> None:
    is_message = any(each.request or each.response for each in parse_capture(data))
    assert is_message != expected


# -- limits --


def test_a_file_larger_than_four_messages_is_not_read() -> None:
    data = har(FIREFOX)
    limits = Limits(message=len(data) // 4)
    exchange = only(data, limits)
    bound = f"the limit of all bodies in a file is 4 times {limits.message} (Limits.message)"
    assert found(exchange) == [("limit-exceeded", f"the HAR file is too large: {bound}")]
    assert exchange.diagnostics[0].limit == ("message", limits.message)
    assert only(data, Limits(message=len(data) // 4 + 1)).request is not None


def test_more_entries_than_anybody_records_are_not_read() -> None:
    exchanges = parse_har(b'{"log":{"entries":[' + b"0," * 65_535 + b"0]}}")
    assert len(exchanges) == 65_536
    assert (exchanges[-1].name, exchanges[-2].name) == ("", "entries[65534]")
    expected = "log.entries has 65536 elements, and 65535 of them are read"
    assert found(exchanges[-1]) == [("capture-unreadable", expected)]


# -- properties --

NAMES = """
    request response method url headers postData content name value text mimeType encoding size
    status bodySize _base64 httpVersion
""".split()
TEXTS = ("POST", URL, MULTIPART, "application/json", "gzip", "7", "Content-Type", "base64")
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(TEXTS),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=5)
    ),
    max_leaves=20,
)
halves = st.dictionaries(st.sampled_from(NAMES), values | st.just("POST") | st.just(200))


@given(
    st.lists(st.fixed_dictionaries({"request": halves, "response": halves}) | values, max_size=3)
)
def test_any_entries_are_exchanges(entries: list[object]) -> None:
    exchanges = parse_capture(har(*entries))
    assert len(exchanges) == len(entries)


@given(values)
def test_any_json_is_a_har_file_maybe_a_poor_one(document: object) -> None:
    found = parse_har(json.dumps(document).encode())
    assert all(each.diagnostics for each in found) and (found or "entries" in str(document))


@given(st.data())
def test_a_damaged_har_file_is_a_capture(data: st.DataObject) -> None:
    text = har(CHROME, FIDDLER)
    start = data.draw(st.integers(0, len(text)))
    stop = data.draw(st.integers(start, len(text)))
    assert parse_capture(text[:start] + data.draw(st.binary(max_size=3)) + text[stop:])


if __name__ == "__main__":
    lines = ",\n".join(map(json.dumps, map(read, ROWS)))
    ENTRIES.write_text(f"[\n{lines}\n]\n", newline="\n")
