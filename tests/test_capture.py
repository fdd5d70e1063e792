"""Captured messages: heads in all their spellings, and bodies that are recognised without one."""

from __future__ import annotations

import gzip
import json
import re
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odata_batch import Headers, Limits, Severity, check_request, check_response
from odata_batch.capture import (
    LOSS_EXPLAINS,
    Exchange,
    Kind,
    Message,
    parse_capture,
    parse_message,
)

from .helpers import JSON, MULTIPART, batch, part

REQUEST = batch(part())
RESPONSE = batch(part(b"HTTP/1.1 204 No Content\r\n\r\n"))
MULTIPART_HEAD = b"Content-Type: multipart/mixed; boundary=b\r\n"


def found(message: Message) -> list[tuple[str, int | None, str]]:
    return [(each.rule.slug, each.position, each.message) for each in message.diagnostics]


def slugs(message: Message) -> list[str]:
    return [each.rule.slug for each in message.diagnostics]


# -- the head --


@pytest.mark.parametrize(
    ("head", "body", "start_line", "pairs"),
    [
        (b"HTTP/1.1 200 OK\nContent-Type: a/b\nA:b\n\n", b"{}\n", "HTTP/1.1 200 OK", [("A", "b")]),
        (b"A: b\nContent-Type: a/b\r\n\n", b"{}", "", [("A", "b")]),
        (b"Content-Type: a/b\n\r\n", b"\r\n{}", "", []),
        (MULTIPART_HEAD + b"\r\n", REQUEST, "", []),
        (b"POST /$batch HTTP/1.1\r\nContent-Type: a/b\r\n", b"", "POST /$batch HTTP/1.1", []),
        (b"POST /$batch HTTP/1.1\r\nContent-Type: a/b", b"", "POST /$batch HTTP/1.1", []),
        (b"\r\n\nGET / HTTP/1.1\r\nContent-Type: a/b\r\n\r\n", b"--b--", "GET / HTTP/1.1", []),
        (b"GET /\xe9\xff HTTP/1.1\nContent-Type: a/b\n\n", b"a", "GET /\xe9\xff HTTP/1.1", []),
    ],
)
def test_a_message_is_split_at_its_empty_line(
    head: bytes, body: bytes, start_line: str, pairs: list[tuple[str, str]]
) -> None:
    message = parse_message(head + body)
    assert (message.start_line, message.body, message.source) == (start_line, body, head + body)
    assert [pair for pair in message.headers.pairs if pair[0] != "Content-Type"] == pairs
    assert (message.body_position, message.content_type != "") == (len(head), True)
    assert set(slugs(message)) <= {"capture-not-a-batch"}


@pytest.mark.parametrize(
    "interim",
    [
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"\r\nHTTP/1.1 102 Processing\nServer: x\nA: b\n\n",
        b"HTTP/2 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100\r\n\r\n",
    ],
)
def test_interim_responses_are_passed_over(interim: bytes) -> None:
    # As `curl -i` prints them.
    head = b"HTTP/1.1 200 OK\r\n" + MULTIPART_HEAD + b"\r\n"
    message = parse_message(interim + head + RESPONSE)
    assert (message.start_line, message.body, message.diagnostics) == (
        "HTTP/1.1 200 OK",
        RESPONSE,
        (),
    )
    assert message.body_position == len(interim + head)


@pytest.mark.parametrize("status", [b"101 Switching Protocols", b"100 Continue"])
def test_an_interim_response_that_nothing_follows_is_a_response(status: bytes) -> None:
    message = parse_message(b"HTTP/1.1 " + status + b"\r\n\r\nGET")
    assert (message.start_line, message.body) == (f"HTTP/1.1 {status.decode()}", b"GET")


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (b"POST /service/$batch HTTP/1.1", "request"),
        (b"POST  https://example.org/$batch", "request"),
        (b"post /$batch HTTP/2", "request"),
        (b"M-SEARCH * HTTP/1.1", "request"),
        (b"HTTP/1.1 200 OK", "response"),
        (b"HTTP/2 207", "response"),
    ],
)
def test_the_start_line_says_who_sent_the_message(line: bytes, kind: Kind) -> None:
    # The body says the opposite.
    body = RESPONSE if kind == "request" else REQUEST
    message = parse_message(line + b"\r\n" + MULTIPART_HEAD + b"\r\n" + body)
    assert (message.start_line, message.kind) == (line.decode(), kind)


@pytest.mark.parametrize(
    "line", [b"https://example.org/$batch", b"http://h/$batch?a=b HTTP/1.1", b"/service/$batch"]
)
@pytest.mark.parametrize(("body", "kind"), [(REQUEST, "request"), (RESPONSE, "response")])
def test_a_url_in_place_of_the_request_line_is_a_note(line: bytes, body: bytes, kind: Kind) -> None:
    message = parse_message(line + b"\n" + MULTIPART_HEAD + b"\r\n" + body)
    expected = f"found the URL {line.decode()!r}, expected a request line"
    assert found(message) == [("capture-url-line", 0, expected)]
    assert (message.start_line, message.kind, message.body) == (line.decode(), kind, body)


# -- the header section --


@pytest.mark.parametrize(
    ("line", "pairs", "problems"),
    [
        (b"Name:value", [("Name", "value")], []),
        (b"Name: \t a b \t", [("Name", "a b")], []),
        (b"Name:", [("Name", "")], []),
        (b"Name: \xe9", [("Name", "\xe9")], []),
        (b"Name: a\x00b", [("Name", "a\x00b")], []),
        (
            b"Name : v",
            [("Name", "v")],
            [("header-blank-before-colon", "field line 'Name : v' has a blank before its colon")],
        ),
        (b"Name", [], [("header-syntax", "found 'Name', expected a name, a colon and a value")]),
        (b": v", [], [("header-syntax", "found ': v', expected a name, a colon and a value")]),
        (
            b"a b: v",
            [],
            [("header-syntax", "found 'a b: v', expected a name, a colon and a value")],
        ),
        (
            b"Name: a\r\n  b \r\n\tc",
            [("Name", "a b c")],
            [("header-folded", "a field line is folded; it is read unfolded")],
        ),
    ],
)
def test_a_field_line(
    line: bytes, pairs: list[tuple[str, str]], problems: list[tuple[str, str]]
) -> None:
    head = b"HTTP/1.1 200 OK\r\n" + line + b"\r\nContent-Type: application/json\r\n\r\n"
    message = parse_message(head)
    assert message.headers.pairs == (*pairs, ("Content-Type", "application/json"))
    assert found(message) == [(slug, 17, text) for slug, text in problems]


def test_a_blank_at_the_start_of_the_header_section_continues_nothing() -> None:
    message = parse_message(b"HTTP/1.1 200 OK\r\n a: b\r\n\r\n")
    assert found(message)[0] == (
        "header-syntax",
        17,
        "found ' a: b', expected a name, a colon and a value",
    )


@pytest.mark.parametrize(
    ("fields", "content_type"),
    [
        (b"Content-Type: a/b\r\nCONTENT-TYPE: a/b\r\n", "a/b"),
        (b"content-type:  a/b \r\n", "a/b"),
        (b"Content-Type:\r\n", ""),
    ],
)
def test_the_content_type_is_the_value_of_its_field(fields: bytes, content_type: str) -> None:
    message = parse_message(fields + b"\r\n{}")
    assert (message.content_type, message.diagnostics) == (content_type, ())


def test_of_different_content_types_the_first_is_read() -> None:
    text = b"Content-Type: application/json\r\nA: b\r\nContent-Type: a/b\r\n\r\n{}"
    message = parse_message(text)
    assert message.headers == Headers({"Content-Type": "application/json", "A": "b"})
    assert found(message) == [
        ("repeated-header", 38, "Content-Type is 'application/json', and here 'a/b'")
    ]


@pytest.mark.parametrize(
    ("lengths", "problems"),
    [
        (["3"], []),
        (["2"], [(32, "2")]),
        (["####", ""], [(32, "####"), (54, "")]),
        (["3", "1"], [(51, "1")]),
    ],
)
def test_the_content_length_frames_nothing_and_is_compared_with_the_body(
    lengths: list[str], problems: list[tuple[int, str]]
) -> None:
    fields = "".join(f"content-length: {each}\r\n" for each in lengths)
    message = parse_message(f"Content-Type: application/json\r\n{fields}\r\n{{ }}".encode())
    assert message.body == b"{ }"
    assert found(message) == [
        ("capture-content-length", place, f"Content-Length is {value!r}, the body has 3 octets")
        for place, value in problems
    ]


def test_a_header_section_without_content_type_is_an_error() -> None:
    message = parse_message(b"POST /$batch HTTP/1.1\r\nHost: a\r\n\r\n" + REQUEST)
    assert (message.content_type, message.body) == ("", REQUEST)
    assert found(message) == [
        (
            "batch-media-type",
            34,
            "there is no Content-Type, expected multipart/mixed or application/json",
        )
    ]


def test_a_head_beyond_the_limit_is_not_read() -> None:
    fields = b"a: b\n" * 30_000
    message = parse_message(b"HTTP/1.1 200 OK\n" + fields + b"\n{}")
    assert (message.start_line, message.headers, message.body_position) == ("", Headers(), 0)
    expected = "limit header_section is 131072, and the capture exceeds it"
    assert found(message) == [("limit-exceeded", 0, expected)]
    assert message.diagnostics[0].limit == ("header_section", 131072)


# -- a bare body --


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"--b\r\n", 'multipart/mixed; boundary="b"'),
        (b"--b \t\n", 'multipart/mixed; boundary="b"'),
        (b"--b", 'multipart/mixed; boundary="b"'),
        (b"\r\n\r\n--b\r\n", 'multipart/mixed; boundary="b"'),
        (b'--a "\\b\r\n', 'multipart/mixed; boundary="a \\"\\\\b"'),
        (b"----b--\r\n\r\n----b--\r\n", 'multipart/mixed; boundary="--b--"'),
        (b"--b--\r\n", 'multipart/mixed; boundary="b"'),
        (b"--b--", 'multipart/mixed; boundary="b"'),
        (b"{}", "application/json"),
        (b' \t\r\n{"requests":[]}', "application/json"),
        (b"\xef\xbb\xbf\n{", "application/json"),
    ],
)
def test_a_bare_body_is_recognised(body: bytes, content_type: str) -> None:
    message = parse_message(body)
    assert (message.start_line, message.headers, message.body) == ("", Headers(), body)
    assert (message.content_type, message.body_position) == (content_type, 0)
    expected = f"there is no header section; the body is read as {content_type}"
    assert found(message) == [("capture-bare-body", 0, expected)]


def test_a_long_boundary_is_cut_in_the_message() -> None:
    message = parse_message(b"--" + b"b" * 200)
    assert message.content_type == f'multipart/mixed; boundary="{"b" * 200}"'
    expected = "there is no header section; the body is read as " + message.content_type[:100]
    assert found(message) == [("capture-bare-body", 0, expected)]


def test_a_body_below_a_start_line_alone_is_recognised() -> None:
    message = parse_message(b"POST /$batch HTTP/1.1\n\n" + REQUEST)
    assert (message.content_type, message.body) == ('multipart/mixed; boundary="b"', REQUEST)
    expected = 'there is no header section; the body is read as multipart/mixed; boundary="b"'
    assert found(message) == [("capture-bare-body", 23, expected)]


@pytest.mark.parametrize(
    ("data", "beginning"),
    [
        (b"", "nothing"),
        (b"\r\n\n", "nothing"),
        (b"hello world", "'hello world'"),
        (b"--", "'--'"),
        (b"-- \r\n", "'-- '"),
        (b"[]", "'[]'"),
        (b"\x89PNG\r\n\x1a\n", "'\\x89PNG'"),
        (b"// a comment", "'// a comment'"),
        (b"a" * 61, f"'{'a' * 60}'..."),
        (b"Preamble of this batch\r\n\r\n" + REQUEST, "'Preamble of this batch'"),
    ],
)
def test_what_looks_like_nothing_is_an_error(data: bytes, beginning: str) -> None:
    message = parse_message(data)
    assert (message.start_line, message.headers, message.body) == ("", Headers(), data)
    assert (message.content_type, message.kind, message.body_position) == ("", "request", 0)
    expected = f"found {beginning}, expected an HTTP message, a delimiter line or a JSON object"
    assert found(message) == [("batch-media-type", 0, expected)]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (REQUEST, "request"),
        (RESPONSE, "response"),
        (b"\r\n" + RESPONSE, "response"),
        (batch(part(b"GET People\r\n\r\n")), "request"),
        (RESPONSE.replace(b"\r\n", b"\n"), "response"),
        (batch(part(b"PUT a HTTP/1.1\r\n\r\nHTTP/1.1 200 OK\r\n\r\n")), "request"),
        (batch(part(b"HTTP/1.1 200 OK\r\n\r\nGET it now\r\n")), "response"),
        (
            b"--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\nHTTP/1.1 2",
            "response",
        ),
        (b"--b--\r\n", "request"),
        (b"--b\r\nHTTP/x", "request"),
        (b'{"requests":[]}', "request"),
        (b'{"responses" : []}', "response"),
        (b'{"error":{"code":"1"}}', "response"),
        (b'{"@context":"x","responses":[{"body":{"requests":[]}}]}', "response"),
        (b'\xef\xbb\xbf{"responses":[]}', "response"),
        (b"{}", "request"),
    ],
)
def test_without_a_start_line_the_body_says_who_sent_it(body: bytes, kind: Kind) -> None:
    assert parse_message(body).kind == kind


def test_a_preamble_does_not_say_who_sent_the_message() -> None:
    body = b"A word or two.\r\nHTTP/1.1 in a preamble\r\n" + REQUEST
    assert parse_message(MULTIPART_HEAD + b"\r\n" + body).kind == "request"


# -- together with the decoders --


def test_the_position_of_the_body_leads_from_its_findings_to_the_capture() -> None:
    data = b"POST /$batch HTTP/1.1\r\n" + MULTIPART_HEAD + b"\r\n--b--\r\n"
    message = parse_message(data)
    (finding,) = check_request(message.body, message.content_type).diagnostics
    assert finding.position is not None and message.body_position is not None
    assert data[message.body_position + finding.position :] == b"--b--\r\n"


# -- codings --

HEAD = b"HTTP/1.1 200 OK\r\n" + MULTIPART_HEAD


def test_a_content_length_counts_the_octets_of_the_compressed_body() -> None:
    body = zlib.compress(RESPONSE)
    fields = b"Content-Encoding: deflate\r\nContent-Length: %d\r\n\r\n" % len(body)
    message = parse_message(HEAD + fields + body)
    assert (message.body, slugs(message)) == (RESPONSE, ["capture-decoded"])


def test_findings_about_a_head_are_recorded_up_to_the_limit() -> None:
    data = b"HTTP/1.1 200 OK\r\n" + b"a\r\n" * 7 + MULTIPART_HEAD + b"\r\n" + RESPONSE
    message = parse_message(data, limits=Limits(diagnostics=3))
    assert [each.position for each in message.diagnostics] == [17, 20, 23]
    assert message.omitted == 4
    data = data.replace(b"mixed", b"other").replace(b"multipart", b"image")
    message = parse_message(data.replace(RESPONSE, b""), limits=Limits(diagnostics=3))
    assert slugs(message)[3:] == ["capture-not-a-batch"]


# -- what is no batch --


@pytest.mark.parametrize(
    ("data", "kind", "what"),
    [
        (
            b"HTTP/1.1 413 Request Entity Too Large\r\nContent-Type: text/html\r\n\r\n"
            b"<html><head><title>413 Request Entity Too Large</title></head></html>",
            "response",
            "status 413 with an HTML page '413 Request Entity Too Large', not a batch response",
        ),
        (
            b"HTTP/1.1 500 Error\r\nContent-Length: 0\r\n\r\n",
            "response",
            "status 500 with an empty body, not a batch response",
        ),
        (
            b"/service/$batch\r\n\r\n<!DOCTYPE html>\r\n<title>Sign in</title>",
            "request",
            "an HTML page 'Sign in', not a batch request",
        ),
        (b"<html></html>", "request", "an HTML page, not a batch"),
        (b'{"error":{"message":"No."}}', "response", "a JSON error 'No.', not a batch"),
        (b'{"odata.error":{"message":"No."}}', "response", "a JSON error 'No.', not a batch"),
    ],
)
def test_what_is_no_batch_is_an_error_and_described(data: bytes, kind: Kind, what: str) -> None:
    message = parse_message(data)
    assert (message.kind, message.is_readable) == (kind, False)
    assert message.not_a_batch == what.partition(", not a batch")[0]
    assert found(message)[-1] == ("capture-not-a-batch", message.body_position, what)


@pytest.mark.parametrize(
    ("field", "place"),
    [
        (b"", "no Location"),
        (b"Location: https://h/monitor\r\n", "the Location 'https://h/monitor'"),
    ],
)
def test_a_batch_that_was_accepted_is_answered_elsewhere(field: bytes, place: str) -> None:
    message = parse_message(b"HTTP/1.1 202 Accepted\r\n" + field + b"\r\n")
    assert (message.not_a_batch, message.is_readable) == (None, False)
    expected = f"status 202 with an empty body and {place}"
    assert found(message) == [("capture-accepted", message.body_position, expected)]


# -- loss --

U_FFFD = "\ufffd".encode()
PICTURE = batch(part(b"PUT P HTTP/1.1\r\nContent-Type: image/png\r\n\r\n\x89PNG\xff\r\n"))


def as_text(body: bytes, coding: str = "utf-8") -> bytes:
    return body.decode(coding, "replace").encode("utf-8")


def test_a_capture_that_went_through_a_text_decoder_is_lossy() -> None:
    head = b"POST /$batch HTTP/1.1\r\n" + MULTIPART_HEAD + b"\r\n"
    assert parse_message(head + PICTURE).diagnostics == ()
    data = as_text(head + PICTURE)
    message = parse_message(data)
    assert (message.lossy, message.is_readable) == (True, True)
    expected = "U+FFFD stands 2 times where other octets were sent; lengths and binary bodies"
    place = data.index(U_FFFD)
    assert found(message) == [("capture-lossy", place, f"{expected} cannot be believed")]


def test_a_text_that_holds_u_fffd_may_have_been_sent_so() -> None:
    message = parse_message('{"requests":[],"a":"\ufffd"}'.encode())
    assert not message.lossy
    expected = "U+FFFD stands once in the text; it may have been sent so, or stand for octets that"
    assert found(message)[1:] == [("capture-replacement-character", 20, f"{expected} are lost")]


def test_a_compressed_body_that_went_through_a_text_decoder_is_lossy() -> None:
    body = as_text(gzip.compress(RESPONSE))
    message = parse_message(HEAD + b"Content-Encoding: gzip\r\n\r\n" + body)
    assert (message.lossy, message.is_readable) == (True, False)
    assert slugs(message) == ["capture-coding", "capture-lossy"]


def test_in_a_body_that_was_compressed_u_fffd_has_no_place_in_the_capture() -> None:
    picture = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n\r\n\x89PNG"
    body = gzip.compress(as_text(batch(part(picture))))
    message = parse_message(HEAD + b"Content-Encoding: gzip\r\n\r\n" + body)
    finding = message.diagnostics[-1]
    assert (finding.rule.slug, finding.position) == ("capture-lossy", None)


def test_a_loss_explains_that_a_length_reaches_across_a_delimiter() -> None:
    # One U+FFFD for a run of octets, as some decoders do it.
    sent = batch(part(put(b"\xff" * 40, b"Content-Type: a/b", b"Content-Length: 40")))
    message = parse_message(MULTIPART_HEAD + b"\r\n" + sent)
    assert check_request(message.body, message.content_type).ok
    message = parse_message(MULTIPART_HEAD + b"\r\n" + re.sub(b"\xff+", U_FFFD, sent))
    errors = check_request(message.body, message.content_type).of(Severity.ERROR)
    assert message.lossy
    assert [each.rule.slug for each in errors] == ["content-length-crosses-delimiter"]
    assert errors[0].rule in LOSS_EXPLAINS


def put(content: bytes, *fields: bytes) -> bytes:
    return b"PUT P HTTP/1.1\r\n" + b"".join(each + b"\r\n" for each in fields) + b"\r\n" + content


def json_batch(headers: dict[str, str], length: str) -> bytes:
    headers = {**headers, "content-length": length}
    request = {"id": "1", "method": "PUT", "url": "P", "headers": headers, "body": "\u00e9"}
    return json.dumps({"requests": [request]}, ensure_ascii=False).encode("utf-8")


BINARY = b"Content-Type: a/b"
LOSSES = {
    "capture-content-length": (MULTIPART, batch(part(put(b"\xff\xff", BINARY)))),
    "content-length-mismatch": (
        MULTIPART,
        batch(part(put(b"\xff\xff", BINARY, b"Content-Length: 2"))),
    ),
    "content-length-trailing-crlf": (
        MULTIPART,
        batch(part(put(b"\xff\r\n", BINARY, b"Content-Length: 3"))),
    ),
    "part-content-length": (
        MULTIPART,
        batch(
            part(
                put(b"\xff", BINARY),
                head=b"Content-Type: application/http\r\nContent-Length: 38\r\n",
            )
        ),
    ),
    "json-content-length": (JSON, json_batch({"content-type": "text/plain"}, "2")),
    "header-characters": (JSON, json_batch({"content-type": "text/plain", "slug": "\u00e9"}, "2")),
    "text-charset": (JSON, json_batch({"content-type": "text/plain;charset=iso-8859-1"}, "1")),
}


@pytest.mark.parametrize("slug", LOSSES)
def test_what_a_loss_explains_is_no_fault_of_what_was_sent(slug: str) -> None:
    content_type, body = LOSSES[slug]
    head = f"POST /$batch HTTP/1.1\r\nContent-Length: {len(body)}\r\nContent-Type: {content_type}"
    data = head.encode() + b"\r\n\r\n" + body
    explained = {each.slug for each in LOSS_EXPLAINS}

    def rules(message: Message) -> set[str]:
        report = check_request(message.body, message.content_type)
        return {each.rule.slug for each in (*message.diagnostics, *report.diagnostics)}

    assert not rules(parse_message(data)) & explained
    lossy = parse_message(as_text(data, "ascii"))
    assert lossy.lossy and slug in rules(lossy) & explained


# -- files --


def test_a_plain_message_is_half_an_exchange() -> None:
    data = b"POST /$batch HTTP/1.1\r\n" + MULTIPART_HEAD + b"\r\n" + REQUEST
    assert parse_capture(data) == (
        Exchange(
            name="",
            request=parse_message(data),
            response=None,
            url="/$batch",
            diagnostics=(),
            is_batch=True,
        ),
    )
    (exchange,) = parse_capture(HEAD + b"\r\n" + RESPONSE)
    assert (exchange.request, exchange.url) == (None, "")
    assert exchange.response == parse_message(HEAD + b"\r\n" + RESPONSE)


def test_the_source_of_a_plain_message_is_the_file() -> None:
    data = HEAD + b"\r\n" + RESPONSE
    (exchange,) = parse_capture(data)
    assert exchange.response is not None and exchange.response.source is data


@pytest.mark.parametrize(
    ("line", "url"),
    [
        ("POST https://h/a/$batch?x=y HTTP/1.1", "https://h/a/$batch?x=y"),
        ("POST  /$batch", "/$batch"),
        ("POST /a b/$batch  HTTP/2", "/a b/$batch"),
        ("https://h/$batch", "https://h/$batch"),
        ("https://h/$batch HTTP/1.1", "https://h/$batch"),
        ("", ""),
    ],
)
def test_the_url_is_that_of_the_request_line(line: str, url: str) -> None:
    (exchange,) = parse_capture(line.encode() + b"\r\n" + MULTIPART_HEAD + b"\r\n" + REQUEST)
    assert exchange.url == url


def test_a_json_batch_that_mentions_a_log_is_a_message() -> None:
    data = b'{"requests":[{"id":"1","method":"PUT","url":"P","body":{"log":{"entries":[]}}}]}'
    (exchange,) = parse_capture(data)
    assert exchange.request is not None and exchange.request.content_type == "application/json"


def test_what_a_loss_explains_is_never_fatal_to_a_batch() -> None:
    assert [rule.slug for rule in LOSS_EXPLAINS if rule.fatal] == ["capture-coding"]


PIECES = (
    *(b"\r\n", b"\n", b"\r", b" ", b":", b"--b", b"--", b"{", b'"responses":', b"}", b"\xff"),
    *(b"HTTP/1.1 200 OK", b"POST /$batch HTTP/1.1", b"https://a/", b"Content-Length: 7"),
    *(b"Content-Type: application/json", MULTIPART_HEAD, b"Content-Type: application/http"),
)
captures = st.binary() | st.lists(st.sampled_from(PIECES)).map(b"".join)


@given(captures)
def test_any_octets_are_a_message(data: bytes) -> None:
    message = parse_message(data)
    assert message.body_position is not None
    assert data[message.body_position :] == message.body
    assert all(0 <= (each.position or 0) <= len(data) for each in message.diagnostics)
    no_batch = any(each.rule.fatal for each in message.diagnostics)
    assert no_batch == (not message.content_type and "content-type" not in message.headers)
    check = check_request if message.kind == "request" else check_response
    report = check(message.body, message.content_type, headers=message.headers)
    assert report.ok or report.diagnostics


CODED = b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n"


@given(
    captures, st.sampled_from((b"", CODED, b"\xef\xbf\xbd", b"PK\x03\x04", b'{"log":{"entries":'))
)
def test_any_octets_are_a_capture(data: bytes, beginning: bytes) -> None:
    assert parse_capture(beginning + data) or beginning.startswith(b'{"log"')
