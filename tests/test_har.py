"""HAR files as browsers and proxies write them, and documents that are none.

The entries are our own, with the members that the programs write.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odata_batch import Headers, Limits, check_request, check_response
from odata_batch.capture import CapturedExchange, Message, parse_capture, parse_har

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
FIREFOX = {
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
    "request": {**FIREFOX["request"], "httpVersion": "HTTP/1.1", "bodySize": None},  # type: ignore[dict-item]
    "response": {
        **{"status": 200, "statusText": "OK", "httpVersion": "HTTP/1.1"},
        "headers": fields(Transfer_Encoding="chunked", Content_Type=MULTIPART),
        "content": {"size": len(RESPONSE), "mimeType": MULTIPART, "text": RESPONSE.decode()},
    },
}


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
            "request": {**FIREFOX["request"], **(request or {})},  # type: ignore[dict-item]
            "response": {**FIREFOX["response"], **(response or {})},  # type: ignore[dict-item]
        }
    )


def sent(**members: object) -> Message:
    return request_in(entry(request=members))


def answered(**members: object) -> Message:
    return response_in(entry(response=members))


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


# -- start lines and fields --


@pytest.mark.parametrize(
    ("version", "written"),
    [
        *(("h2", "HTTP/2"), ("h3", "HTTP/3"), ("http/2.0", "HTTP/2.0"), ("HTTP/1.0", "HTTP/1.0")),
        *(("unknown", "HTTP/1.1"), ("", "HTTP/1.1"), (None, "HTTP/1.1")),
    ],
)
def test_the_version_is_written_as_in_a_start_line(version: str | None, written: str) -> None:
    assert sent(httpVersion=version).start_line == f"POST {URL} {written}"
    assert answered(httpVersion=version).start_line == f"{written} 200 OK"


def test_pseudo_fields_are_no_fields() -> None:
    assert list(request_in(har(CHROME)).headers) == ["content-length", "content-type"]


@pytest.mark.parametrize(
    ("pseudo", "url"),
    [
        ({":scheme": "http", ":authority": "h", ":path": "/$batch"}, "http://h/$batch"),
        ({":authority": "h", ":path": "/$batch"}, "https://h/$batch"),
        ({":path": "/$batch"}, "/$batch"),
        ({}, ""),
    ],
)
def test_pseudo_fields_stand_in_for_a_start_line(pseudo: dict[str, str], url: str) -> None:
    values = {":method": "POST", **pseudo}
    headers = [{"name": name, "value": value} for name, value in values.items()]
    exchange = only(entry(request={"method": None, "url": None, "headers": headers}))
    assert exchange.request is not None
    assert (exchange.url, exchange.request.start_line) == (url, f"POST {url} HTTP/2")


def test_a_pseudo_field_stands_in_for_a_status() -> None:
    message = answered(status=None, headers=[{"name": ":status", "value": "403"}])
    assert message.start_line == "HTTP/2 403 OK"


def test_repeated_fields_that_were_joined_by_line_feeds_are_parted() -> None:
    message = answered(headers=fields(set_cookie="a=1\nb=2", content_type=MULTIPART))
    assert message.headers.get_all("set-cookie") == ("a=1", "b=2")


def test_a_field_name_that_is_no_token_is_an_error() -> None:
    message = sent(headers=[*fields(content_type=MULTIPART), {"name": "a b\ud800", "value": ""}])
    assert list(message.headers) == ["content-type"]
    expected = "found the field name 'a b\\ud800', expected a token"
    assert found(message) == [("header-syntax", expected)]


def test_the_media_type_of_the_body_counts_where_there_is_no_content_type() -> None:
    message = sent(headers=[], postData={"mimeType": MULTIPART, "text": "--b--"})
    assert (message.content_type, message.headers) == (MULTIPART, Headers())
    message = sent(headers=[], postData={"mimeType": "x-unknown", "text": "--b--"})
    assert message.content_type == 'multipart/mixed; boundary="b"'


# -- bodies --


@pytest.mark.parametrize(
    ("content", "body"),
    [
        ({"text": "--b--\r\n"}, b"--b--\r\n"),
        ({"text": "--b--\n"}, b"--b--\n"),
        ({"text": "é\U0001f600"}, "é\U0001f600".encode()),
        ({"text": "LS1i", "encoding": "base64"}, b"--b"),
        ({"text": "LS1i", "encoding": "BASE64"}, b"--b"),
        ({"text": "LS1i", "_base64": True}, b"--b"),
        ({"text": "LS1i", "_base64": False}, b"LS1i"),
        ({"text": "LS\r\n1i LQ", "encoding": "base64"}, b"--b-"),
        ({"text": "-_-_", "encoding": "base64"}, b"\xfb\xff\xbf"),
        ({"text": "LQ==", "encoding": "base64"}, b"-"),
        ({"text": "\udc80\udcff"}, b"\x80\xff"),
        ({"text": "\ud800"}, "\ufffd".encode()),
    ],
)
def test_a_body_is_octets_again(content: Json, body: bytes) -> None:
    assert sent(postData=content).body == body
    assert answered(content=content).body == body


def test_octets_of_the_file_that_are_not_utf_8_are_those_of_the_body() -> None:
    data = entry(request={"postData": {"text": "caf?"}}).replace(b"caf?", b"caf\xe9")
    assert request_in(data).body == b"caf\xe9"


@pytest.mark.parametrize(
    ("charset", "text", "body"),
    [
        ("utf-8", "é", b"\xc3\xa9"),
        ("iso-8859-1", "é€", b"\xe9\x80"),
        ('"ISO-8859-1"', "é", b"\xe9"),
        ("windows-1252", "\x81", b"\x81"),
        ("us-ascii", "\u0416", b"\xd0\x96"),
        ("koi8-r", "\u0416", b"\xd0\x96"),
    ],
)
def test_a_charset_is_that_of_the_body(charset: str, text: str, body: bytes) -> None:
    headers = fields(content_type=f"multipart/mixed; boundary=b; charset={charset}")
    assert sent(headers=headers, postData={"text": text}).body == body


@pytest.mark.parametrize("text", ["?", "a", "LS1i=LS1i"])
def test_a_body_that_is_not_base64_cannot_be_read(text: str) -> None:
    message = sent(postData={"text": text, "encoding": "base64"})
    assert (message.body, message.is_readable) == (text.encode(), False)
    assert found(message) == [("capture-coding", "request.postData.text is not base64")]


def test_an_unknown_encoding_is_a_warning() -> None:
    message = answered(content={"text": "--b--", "encoding": "gzip"})
    expected = "response.content.encoding is 'gzip', expected 'base64'; the text is read as it is"
    assert (message.body, found(message)) == (b"--b--", [("capture-member", expected)])


def test_a_size_that_is_not_that_of_the_body_is_a_note() -> None:
    message = answered(content={"size": 9, "text": "--b--"})
    expected = "content.size is 9, the body has 5 octets"
    assert found(message) == [("capture-content-length", expected)]


def test_content_length_is_compared_with_the_octets() -> None:
    headers = fields(Content_Type=MULTIPART, Content_Length="3")
    message = sent(headers=headers, postData={"text": "é€"})
    expected = "Content-Length is '3', the body has 5 octets"
    assert found(message) == [("capture-content-length", expected)]


def test_a_content_length_that_is_right_outweighs_the_size() -> None:
    headers = fields(Content_Type=MULTIPART, Content_Length="5")
    assert answered(headers=headers, content={"size": 9, "text": "--b--"}).diagnostics == ()


def test_a_body_that_went_through_a_text_decoder_is_lossy() -> None:
    head = b"PUT Photo HTTP/1.1\r\nContent-Type: image/png\r\nContent-Length: 4\r\n\r\n"
    text = batch(part(head + b"\x89PNG")).decode("utf-8", "replace")
    message = sent(postData={"text": text})
    assert message.lossy
    expected = "U+FFFD appears once where other octets were sent; lengths and binary bodies cannot"
    assert found(message) == [("capture-lossy", f"{expected} be believed")]


# -- bodies that are missing --

MISSING, EMPTY = "missing, which is the body", "empty, which is the body"
HAD = f"; it had {len(REQUEST)} octets"
TYPE = fields(content_type=MULTIPART)
FILE = {"_file": "a"}
LENGTH_9 = fields(content_length="9")


@pytest.mark.parametrize(
    ("members", "state"),
    [
        ({"postData": None}, MISSING + HAD),
        ({"postData": None, "bodySize": 0}, MISSING),
        ({"postData": None, "bodySize": -1}, MISSING),
        ({"postData": {"params": []}, "bodySize": None}, MISSING),
        ({"postData": FILE, "bodySize": 7}, f"{MISSING}; it had 7 octets; it is in the file 'a'"),
        ({"postData": None, "bodySize": 0, "headers": LENGTH_9}, f"{MISSING}; it had 9 octets"),
        ({"postData": {"text": ""}}, EMPTY + HAD),
        ({"postData": {"text": ""}, "bodySize": -1}, EMPTY),
        ({"postData": {"text": ""}, "bodySize": None}, EMPTY),
    ],
)
def test_a_request_whose_body_was_left_out_cannot_be_read(members: Json, state: str) -> None:
    message = sent(**members)
    assert (message.body, message.is_readable, message.not_a_batch) == (b"", False, None)
    assert found(message) == [("capture-body-missing", f"request.postData.text is {state}")]


@pytest.mark.parametrize(
    ("content", "headers", "state"),
    [
        ({"size": 500}, fields(content_type="text/html"), f"{MISSING}; it had 500 octets"),
        ({"size": 0}, LENGTH_9, f"{MISSING}; it had 9 octets"),
        ({}, TYPE, MISSING),
        (None, TYPE, MISSING),
        ({"text": "", "size": 9}, TYPE, f"{EMPTY}; it had 9 octets"),
        ({"text": "", "size": -1}, TYPE, EMPTY),
    ],
)
def test_a_response_whose_body_was_left_out_cannot_be_read(
    content: Json | None, headers: object, state: str
) -> None:
    message = answered(content=content, headers=headers)
    assert found(message) == [("capture-body-missing", f"response.content.text is {state}")]
    assert not message.is_readable


def test_a_response_with_an_error_and_no_octets_is_no_batch() -> None:
    headers = fields(content_type=MULTIPART, content_length="0")
    message = answered(status=500, headers=headers, content={"text": "", "size": 0})
    what = "status 500 with an empty body"
    assert message.not_a_batch == what
    assert found(message) == [("capture-not-a-batch", f"{what}, not a batch response")]


def test_a_response_with_no_octets_misses_none() -> None:
    headers = fields(content_type=MULTIPART)
    message = answered(headers=headers, content={"text": "", "size": 0})
    assert (found(message), message.is_readable) == ([], True)


@pytest.mark.parametrize(
    "members",
    [
        {"method": "GET", "postData": None, "bodySize": 0},
        {"postData": None, "bodySize": 0, "headers": fields(Content_Length="0")},
        {"postData": {"text": ""}, "bodySize": 0},
    ],
)
def test_a_request_may_have_no_body(members: Json) -> None:
    assert "capture-body-missing" not in dict(found(sent(**members)))


@pytest.mark.parametrize(
    ("method", "status"), [("HEAD", 200), ("POST", 204), ("POST", 304), ("POST", 101)]
)
def test_a_response_that_has_no_body_misses_none(method: str, status: int) -> None:
    headers = fields(content_type=MULTIPART, content_length="10")
    data = entry({"method": method}, {"status": status, "headers": headers, "content": {}})
    assert "capture-body-missing" not in dict(found(response_in(data)))


# -- exchanges --


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (None, ""),
        ({"status": 0, "_error": "net::ERR_ABORTED"}, ": 'net::ERR_ABORTED'"),
        ({"status": 0, "headers": [], "content": {}}, ""),
        ({"status": 600}, ""),
    ],
)
def test_a_request_that_was_not_answered_is_a_note(response: object, reason: str) -> None:
    exchange = only(har({"request": FIREFOX["request"], "response": response}))
    assert exchange.response is None and exchange.request is not None
    assert found(exchange) == [("capture-incomplete", f"the entry has no response{reason}")]


def test_a_response_without_its_request_is_a_note() -> None:
    exchange = only(har({"response": FIREFOX["response"]}))
    assert exchange.request is None and exchange.response is not None
    assert (exchange.url, exchange.is_batch) == ("", True)
    assert found(exchange) == [("capture-incomplete", "the entry has no request")]


JSON_REQUEST = '{"requests":[{"id":"1","method":"GET","url":"People"}]}'


@pytest.mark.parametrize(
    ("request_", "response", "is_batch"),
    [
        ({"url": "https://h/$batch"}, {}, True),
        ({"url": "https://h/$batch", "method": "OPTIONS"}, {}, False),
        ({"url": "https://h/People"}, {}, False),
        ({"url": "/service/$BATCH?sap-client=100#f"}, {}, True),
        ({"url": "/service/$batch/"}, {}, True),
        ({"url": "/service/%24batch"}, {}, True),
        ({"url": "/service/$batch/People"}, {}, False),
        ({"url": "/service/batch"}, {}, False),
        ({"url": "/service?x=/$batch"}, {}, False),
        ({"postData": {"mimeType": MULTIPART, "text": "x"}}, {}, True),
        ({"postData": {"mimeType": "application/json", "text": JSON_REQUEST}}, {}, True),
        ({}, {"content": {"mimeType": "Multipart/Mixed; boundary=b", "text": "x"}}, True),
        ({}, {"content": {"mimeType": "application/json", "text": '{"responses":[]}'}}, False),
        ({}, {"content": {"text": '{"responses":[{"id":"1","status":200}]}'}}, True),
    ],
)
def test_a_batch_is_told_from_what_else_a_browser_does(
    request_: Json, response: Json, is_batch: bool
) -> None:
    request, answer = {"method": "POST", **request_}, {"status": 200, **response}
    assert only(har({"request": request, "response": answer})).is_batch == is_batch


@pytest.mark.parametrize(
    ("inner", "is_batch"),
    [
        (f"HTTP/1.1 200 OK\r\nContent-Type: {MULTIPART}\r\n\r\n--b--", True),
        ('HTTP/1.1 200 OK\r\n\r\n{"responses":[{"id":"1","status":200}]}', True),
        ("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{}", False),
    ],
)
def test_a_batch_is_told_within_an_asynchronous_result(inner: str, is_batch: bool) -> None:
    content = {"mimeType": "application/http", "text": inner}
    request = {"method": "GET", "url": "https://h/monitor/1"}
    answer = {"status": 200, "content": content}
    assert only(har({"request": request, "response": answer})).is_batch == is_batch


def test_an_error_page_is_an_answer_to_a_batch() -> None:
    content = {"mimeType": "text/html", "text": "<html><title>Too Large</title></html>"}
    exchange = only(entry(response={"status": 413, "headers": [], "content": content}))
    assert exchange.is_batch and exchange.response is not None
    assert exchange.response.not_a_batch == "status 413 with an HTML page 'Too Large'"


# -- documents that are wrong --


@pytest.mark.parametrize(
    ("element", "kind"),
    [
        *((1, "a number"), (1.5, "a number"), ("a", "a string")),
        *((None, "null"), (True, "a boolean"), ([], "an array")),
    ],
)
def test_an_entry_that_is_no_object_cannot_be_read(element: object, kind: str) -> None:
    exchange = parse_har(har(FIREFOX, element))[1]
    assert (exchange.name, exchange.is_batch) == ("entries[1]", True)
    assert (exchange.request, exchange.response) == (None, None)
    assert found(exchange) == [("capture-unreadable", f"the entry is {kind}, expected an object")]


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"url": 1}, "request.url is a number, expected a string"),
        ({"httpVersion": []}, "request.httpVersion is an array, expected a string"),
        ({"headers": {}}, "request.headers is an object, expected an array"),
        ({"bodySize": "7"}, "request.bodySize is a string, expected a number"),
        (
            {"headers": [*TYPE, 1, {"name": 1, "value": ""}, {"name": ""}]},
            "request.headers has 3 elements that are not objects with the strings name and value",
        ),
        (
            {"postData": {"text": "--b--", "_base64": "yes"}},
            "request.postData._base64 is a string, expected a boolean",
        ),
    ],
)
def test_a_member_of_another_type_is_a_warning(members: Json, message: str) -> None:
    assert ("capture-member", message) in found(sent(**members))


@pytest.mark.parametrize("name", ["request", "response"])
def test_a_half_that_is_no_object_is_a_warning(name: str) -> None:
    exchange = only(har({**FIREFOX, name: "x"}))
    assert found(exchange) == [
        ("capture-member", f"{name} is a string, expected an object"),
        ("capture-incomplete", f"the entry has no {name}"),
    ]


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
    (exchange,) = parse_har(json.dumps(document).encode())
    assert [each.rule.slug for each in exchange.diagnostics] == ["capture-unreadable"]


@given(st.data())
def test_a_damaged_har_file_is_a_capture(data: st.DataObject) -> None:
    text = har(CHROME, FIDDLER)
    start = data.draw(st.integers(0, len(text)))
    stop = data.draw(st.integers(start, len(text)))
    assert parse_capture(text[:start] + data.draw(st.binary(max_size=3)) + text[stop:])
