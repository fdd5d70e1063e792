"""Captured messages: heads in all their spellings, and bodies that are recognised without one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odata_batch import Diagnostic, Headers, Rule, check_request, check_response
from odata_batch.capture import Kind, Message, parse_message

from .helpers import batch, part

REQUEST = batch(part())
RESPONSE = batch(part(b"HTTP/1.1 204 No Content\r\n\r\n"))
MULTIPART_HEAD = b"Content-Type: multipart/mixed; boundary=b\r\n"


def found(message: Message) -> list[tuple[str, int | None, str]]:
    return [(each.rule.slug, each.position, each.message) for each in message.diagnostics]


# -- the head --


def test_a_message_is_split_at_its_empty_line() -> None:
    head = b"POST /service/$batch HTTP/1.1\r\nHost: example.org\r\n" + MULTIPART_HEAD + b"\r\n"
    assert parse_message(head + REQUEST) == Message(
        start_line="POST /service/$batch HTTP/1.1",
        headers=Headers(
            {"Host": "example.org", "Content-Type": "multipart/mixed; boundary=b"},
        ),
        body=REQUEST,
        content_type="multipart/mixed; boundary=b",
        kind="request",
        body_position=len(head),
        diagnostics=(),
    )


def test_lines_may_end_in_line_feeds() -> None:
    message = parse_message(b"HTTP/1.1 200 OK\nContent-Type: application/json\nA:b\n\n{}\n")
    assert message.start_line == "HTTP/1.1 200 OK"
    assert message.headers.pairs == (("Content-Type", "application/json"), ("A", "b"))
    assert (message.body, message.body_position, message.diagnostics) == (b"{}\n", 52, ())


def test_an_empty_line_of_either_kind_ends_the_head() -> None:
    message = parse_message(b"A: b\nContent-Type: application/json\r\n\n{}")
    assert (message.headers["a"], message.body) == ("b", b"{}")
    assert parse_message(b"A: b\n\r\n\r\n{}").body == b"\r\n{}"


def test_the_start_line_may_be_missing() -> None:
    message = parse_message(MULTIPART_HEAD + b"\r\n" + REQUEST)
    assert (message.start_line, message.body, message.diagnostics) == ("", REQUEST, ())


def test_the_body_may_be_missing() -> None:
    message = parse_message(b"POST /$batch HTTP/1.1\r\nContent-Type: application/json\r\n")
    assert (message.content_type, message.body) == ("application/json", b"")
    assert (message.body_position, message.diagnostics) == (55, ())


def test_empty_lines_before_the_start_line_are_skipped() -> None:
    message = parse_message(b"\r\n\nGET / HTTP/1.1\r\n" + MULTIPART_HEAD + b"\r\n--b--")
    assert (message.start_line, message.body, message.diagnostics) == (
        "GET / HTTP/1.1",
        b"--b--",
        (),
    )


def test_a_start_line_keeps_its_octets() -> None:
    assert parse_message(b"GET /\xe9\xff HTTP/1.1\r\n\r\n").start_line == "GET /\xe9\xff HTTP/1.1"


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


def test_a_long_url_is_cut_in_the_message() -> None:
    message = parse_message(b"\r\n/" + b"a" * 70 + b"\r\n" + MULTIPART_HEAD)
    expected = f"found the URL '/{'a' * 59}'..., expected a request line"
    assert found(message) == [("capture-url-line", 2, expected)]


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
    message = parse_message(b"HTTP/1.1 200 OK\r\n" + line + b"\r\nContent-Type: a/b\r\n\r\n")
    assert message.headers.pairs == (*pairs, ("Content-Type", "a/b"))
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


def test_the_content_length_frames_nothing() -> None:
    message = parse_message(b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{ }")
    assert message.body == b"{ }"
    assert found(message) == [
        ("capture-content-length", 32, "Content-Length is '2', the body has 3 octets")
    ]


@pytest.mark.parametrize(("value", "is_right"), [("3", True), ("####", False), ("", False)])
def test_the_content_length_is_compared_with_the_body(value: str, is_right: bool) -> None:
    text = f"Content-Type: application/json\r\ncontent-length: {value}\r\n\r\n"
    message = parse_message(text.encode() + b"{ }")
    slugs = [] if is_right else [Rule.CAPTURE_CONTENT_LENGTH]
    assert [each.rule for each in message.diagnostics] == slugs


def test_every_content_length_is_compared() -> None:
    message = parse_message(
        b"Content-Length: 2\r\nContent-Type: a/b\r\nContent-Length: 1\r\n\r\n{}"
    )
    assert found(message) == [
        ("capture-content-length", 38, "Content-Length is '1', the body has 2 octets")
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
    assert message.diagnostics == (
        Diagnostic(
            Rule.LIMIT_EXCEEDED,
            "limit header_section is 131072, and the capture exceeds it",
            0,
            limit=("header_section", 131072),
        ),
    )


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


def test_a_wrapped_message_says_who_sent_it() -> None:
    body = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{"responses":[]}'
    message = parse_message(b"Content-Type: application/http\r\n\r\n" + body)
    assert (message.kind, message.body) == ("response", body)


# -- together with the decoders --


def test_the_position_of_the_body_leads_from_its_findings_to_the_capture() -> None:
    data = b"POST /$batch HTTP/1.1\r\n" + MULTIPART_HEAD + b"\r\n--b--\r\n"
    message = parse_message(data)
    (finding,) = check_request(message.body, message.content_type).diagnostics
    assert finding.position is not None
    assert data[message.body_position + finding.position :] == b"--b--\r\n"


def test_a_batch_in_application_http_is_read() -> None:
    body = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{"responses":[]}'
    data = b"HTTP/1.1 200 OK\r\nContent-Type: application/http\r\n\r\n" + body
    message = parse_message(data)
    report = check_response(message.body, message.content_type, headers=message.headers)
    assert (report.ok, message.kind, message.diagnostics) == (True, "response", ())


captures = st.binary() | st.lists(
    st.sampled_from(
        (
            *(
                b"\r\n",
                b"\n",
                b"\r",
                b" ",
                b":",
                b"--b",
                b"--",
                b"{",
                b'"responses":',
                b"}",
                b"\xff",
            ),
            *(b"HTTP/1.1 200 OK", b"POST /$batch HTTP/1.1", b"https://a/", b"Content-Length: 7"),
            *(b"Content-Type: application/json", MULTIPART_HEAD, b"Content-Type: application/http"),
        )
    )
).map(b"".join)


@given(captures)
def test_any_octets_are_a_message(data: bytes) -> None:
    message = parse_message(data)
    assert data[message.body_position :] == message.body
    assert all(0 <= (each.position or 0) <= len(data) for each in message.diagnostics)
    no_batch = any(each.rule.fatal for each in message.diagnostics)
    assert no_batch == (not message.content_type and "content-type" not in message.headers)


@given(captures)
def test_what_a_capture_holds_can_be_checked(data: bytes) -> None:
    message = parse_message(data)
    check = check_request if message.kind == "request" else check_response
    report = check(message.body, message.content_type, headers=message.headers)
    assert report.ok or report.diagnostics
