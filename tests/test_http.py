"""HTTP messages of the media type application/http, both roles, read and written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odata_batch._model.findings import Diagnostic, Stop
from odata_batch._model.headers import Headers
from odata_batch._model.limits import Limits
from odata_batch._model.rules import Rule
from odata_batch._wire.http import (
    Request,
    Response,
    check_content_length,
    judge_length,
    parse_request,
    parse_response,
    serialize_request,
    serialize_response,
    split_head,
)
from odata_batch._wire.sections import SectionReader

Found = list[tuple[str, int | None, str]]
CRLF = b"\r\n"
LF = b"\n"
START = 100


def listed(found: list[Diagnostic]) -> Found:
    return [(each.rule.slug, each.position, each.message) for each in found]


def read_request(
    data: bytes, line_end: bytes = CRLF, limits: Limits | None = None
) -> tuple[Request | None, Found]:
    """Return the request and what is found in it, as if it stood at offset 100 of a payload."""
    found: list[Diagnostic] = []
    reader = SectionReader(limits or Limits(), found.append)
    return parse_request(data, START, line_end, reader), listed(found)


def read_response(data: bytes, line_end: bytes = CRLF) -> tuple[Response | None, Found]:
    """Return the response and what is found in it, as if it stood at offset 100 of a payload."""
    found: list[Diagnostic] = []
    reader = SectionReader(Limits(), found.append)
    return parse_response(data, START, line_end, reader), listed(found)


# -- both directions --

FIELDS = Headers([("Host", "h"), ("accept", "a, b"), ("X", ""), ("Accept", "caf\xe9")])


@pytest.mark.parametrize(
    ("data", "method", "url", "headers", "body"),
    [
        (b"GET People HTTP/1.1\r\n\r\n", "GET", "People", Headers(), b""),
        (b"GET / HTTP/1.1\r\n\r\n", "GET", "/", Headers(), b""),
        (b"PATCH $1/Name HTTP/1.1\r\nA: b\r\n\r\n", "PATCH", "$1/Name", Headers({"A": "b"}), b""),
        (b"POST /a?b=c HTTP/1.1\r\n\r\n\r\n", "POST", "/a?b=c", Headers(), b"\r\n"),
        (
            b"PUT http://h/p HTTP/1.1\r\n\r\n\x00\xff\n",
            "PUT",
            "http://h/p",
            Headers(),
            b"\x00\xff\n",
        ),
        (b"x-y! p HTTP/1.1\r\n\r\nGET x HTTP/1.1", "x-y!", "p", Headers(), b"GET x HTTP/1.1"),
    ],
)
def test_a_request_is_read_and_written(
    data: bytes, method: str, url: str, headers: Headers, body: bytes
) -> None:
    position = START + len(data) - len(body)
    assert read_request(data) == (Request(method, url, headers, body, position), [])
    assert serialize_request(method, url, headers, body) == data


@pytest.mark.parametrize(
    ("data", "status", "reason", "headers", "body"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", 200, "OK", Headers(), b""),
        (b"HTTP/1.1 204 \r\n\r\n", 204, "", Headers(), b""),
        (b"HTTP/1.1 404 Not  Found \r\n\r\n\r\n", 404, "Not  Found ", Headers(), b"\r\n"),
        (b"HTTP/1.1 599 caf\xe9\r\n\r\n{}", 599, "caf\xe9", Headers(), b"{}"),
        (b"HTTP/1.1 100 200\r\nA: b\r\n\r\n", 100, "200", Headers({"A": "b"}), b""),
    ],
)
def test_a_response_is_read_and_written(
    data: bytes, status: int, reason: str, headers: Headers, body: bytes
) -> None:
    position = START + len(data) - len(body)
    assert read_response(data) == (Response(status, reason, headers, body, position), [])
    assert serialize_response(status, reason, headers, body) == data


def test_fields_keep_order_case_and_octets() -> None:
    data = b"GET x HTTP/1.1\r\nHost: h\r\naccept: a, b\r\nX: \r\nAccept: caf\xe9\r\n\r\n"
    request, found = read_request(data)
    assert request is not None
    assert request.headers.pairs == FIELDS.pairs
    assert [slug for slug, _, _ in found] == ["header-not-ascii"]
    assert serialize_request("GET", "x", FIELDS, b"") == data


@pytest.mark.parametrize(
    ("status", "line"),
    [(200, b"200 OK"), (424, b"424 Failed Dependency"), (299, b"299 "), (100, b"100 ")],
)
def test_a_reason_of_none_is_written_as_the_usual_phrase(status: int, line: bytes) -> None:
    assert serialize_response(status, None, Headers(), b"") == b"HTTP/1.1 " + line + b"\r\n\r\n"


# -- request lines --

BLANKS = "found superfluous blanks in {}"
NO_VERSION = "request line {} has no HTTP version; read as HTTP/1.1"


@pytest.mark.parametrize(
    ("line", "method", "url", "found"),
    [
        (b"GET  People  HTTP/1.1", "GET", "People", [("request-line-blanks", BLANKS)]),
        (b"GET People HTTP/1.1  ", "GET", "People", [("request-line-blanks", BLANKS)]),
        (b"GET People", "GET", "People", [("http-version-missing", NO_VERSION)]),
        (
            b"GET People ",
            "GET",
            "People",
            [("http-version-missing", NO_VERSION), ("request-line-blanks", BLANKS)],
        ),
        (
            b"GET People HTTP/1.0",
            "GET",
            "People",
            [("http-version-old", "found HTTP/1.0 in {}; read as HTTP/1.1")],
        ),
        # blanks within the URL are the URL's
        (b"GET a b c HTTP/1.1", "GET", "a b c", []),
        (b"GET a  b HTTP/1.1", "GET", "a  b", []),
        (b"GET a HTTP/1.1 HTTP/1.1", "GET", "a HTTP/1.1", []),
        (b"GET a HTTP/1.1 b", "GET", "a HTTP/1.1 b", [("http-version-missing", NO_VERSION)]),
        # known methods are read as upper case, others as they are
        (
            b"get x HTTP/1.1",
            "GET",
            "x",
            [("method-lower-case", "found the method 'get'; read as GET")],
        ),
        (
            b"Merge x HTTP/1.1",
            "MERGE",
            "x",
            [("method-lower-case", "found the method 'Merge'; read as MERGE")],
        ),
        (b"Lock x HTTP/1.1", "Lock", "x", []),
        (b"LOCK x HTTP/1.1", "LOCK", "x", []),
        # octets above 127
        ("GET Größe HTTP/1.1".encode(), "GET", "Größe", []),
        (b"GET \xff HTTP/1.1", "GET", "\udcff", []),
    ],
)
def test_a_request_line_is_read(
    line: bytes, method: str, url: str, found: list[tuple[str, str]]
) -> None:
    data = line + b"\r\n\r\n"
    quoted = repr(line.decode("latin-1"))
    expected = [(slug, START, message.format(quoted)) for slug, message in found]
    request = Request(method, url, Headers(), b"", START + len(data))
    assert read_request(data) == (request, expected)


@pytest.mark.parametrize(
    "version", ["HTTP/2", "HTTP/2.0", "HTTP/1.10", "HTTP/01.1", "HTTP/", "http/1.1"]
)
def test_another_version_in_a_request_line_is_an_error(version: str) -> None:
    request, found = read_request(f"GET x {version}\r\n\r\n".encode())
    assert request is not None and (request.method, request.url) == ("GET", "x")
    message = f"found the version {version!r}, expected 'HTTP/1.1'"
    assert found == [("http-version", START, message)]


NO_URL = "found {}, expected a method and a URL"
NO_TOKEN = "found {}, expected a token as the method"
CONTROL = "start line {} has a control character"


@pytest.mark.parametrize(
    ("line", "slug", "message"),
    [
        (b"GET", "request-line-syntax", NO_URL),
        (b"GET ", "request-line-syntax", NO_URL),
        (b"GET  ", "request-line-syntax", NO_URL),
        (b"GET HTTP/1.1", "request-line-syntax", NO_URL),
        (b"GET  HTTP/1.1", "request-line-syntax", NO_URL),
        (b"{}", "request-line-syntax", NO_URL),
        (b" GET x HTTP/1.1", "method-syntax", NO_TOKEN),
        (b"G(T x HTTP/1.1", "method-syntax", NO_TOKEN),
        (b"GET: x HTTP/1.1", "method-syntax", NO_TOKEN),
        (b"G\xc9T x HTTP/1.1", "method-syntax", NO_TOKEN),
        (b"http/1.1 200 OK", "method-syntax", NO_TOKEN),
        (b"HTTP/1.1 200 OK", "message-kind", "found {}, expected a request"),
        (b"GET\tx HTTP/1.1", "control-character", CONTROL),
        (b"GET x\tHTTP/1.1", "control-character", CONTROL),
        (b"GET x\x00 HTTP/1.1", "control-character", CONTROL),
        (b"GET x\x7f HTTP/1.1", "control-character", CONTROL),
        (b"GET x\ry HTTP/1.1", "control-character", CONTROL),
        (b"GET x\ny HTTP/1.1", "control-character", CONTROL),
        (b"GET x HTTP/1.1\r", "control-character", CONTROL),
    ],
)
def test_what_is_no_request_line_is_an_error(line: bytes, slug: str, message: str) -> None:
    quoted = repr(line.decode("latin-1"))
    expected = (slug, START, message.format(quoted))
    assert read_request(line + b"\r\n\r\n") == (None, [expected])


def test_a_long_line_is_quoted_in_part() -> None:
    line = b"GET" + b"x" * 100
    message = f"found 'GET{'x' * 57}'..., expected a method and a URL"
    assert read_request(line + b"\r\n\r\n") == (None, [("request-line-syntax", START, message)])


# -- status lines --


@pytest.mark.parametrize(
    ("line", "status", "reason", "found"),
    [
        (b"HTTP/1.1 200", 200, "", [("reason-missing", "no blank follows the status code in {}")]),
        (
            b"HTTP/1.0 200 OK",
            200,
            "OK",
            [("http-version-old", "found HTTP/1.0 in {}; read as HTTP/1.1")],
        ),
        (
            b"HTTP/2 200",
            200,
            "",
            [
                ("http-version", "found the version 'HTTP/2', expected 'HTTP/1.1'"),
                ("reason-missing", "no blank follows the status code in {}"),
            ],
        ),
        (
            b"HTTP/ 200 OK",
            200,
            "OK",
            [("http-version", "found the version 'HTTP/', expected 'HTTP/1.1'")],
        ),
    ],
)
def test_a_status_line_is_read(
    line: bytes, status: int, reason: str, found: list[tuple[str, str]]
) -> None:
    data = line + b"\r\n\r\n"
    expected = [(slug, START, text.format(repr(line.decode("latin-1")))) for slug, text in found]
    response = Response(status, reason, Headers(), b"", START + len(data))
    assert read_response(data) == (response, expected)


NO_STATUS = "found {}, expected HTTP/1.1, a status code of three digits and a reason phrase"
NO_STATUS_LINE = "found {}, expected a status line"


@pytest.mark.parametrize(
    ("line", "slug", "message"),
    [
        (b"HTTP/1.1", "status-line-syntax", NO_STATUS),
        (b"HTTP/1.1 ", "status-line-syntax", NO_STATUS),
        (b"HTTP/1.1 OK", "status-line-syntax", NO_STATUS),
        (b"HTTP/1.1  200 OK", "status-line-syntax", NO_STATUS),
        (b"HTTP/1.1 20 OK", "status-line-syntax", NO_STATUS),
        (b"HTTP/1.1 2000 OK", "status-line-syntax", NO_STATUS),
        (b"HTTP/1.1 099 OK", "status-line-syntax", NO_STATUS),
        (b"HTTP/1.1 600 OK", "status-line-syntax", NO_STATUS),
        (b"HTTP/1.1 +20 OK", "status-line-syntax", NO_STATUS),
        ("HTTP/1.1 ٢٠٠ OK".encode(), "status-line-syntax", NO_STATUS),
        (b"HTTP/1.1 200OK", "status-line-syntax", NO_STATUS),
        (b"http/1.1 200 OK", "status-line-syntax", NO_STATUS_LINE),
        (b"200 OK", "status-line-syntax", NO_STATUS_LINE),
        (b"Status: 200", "status-line-syntax", NO_STATUS_LINE),
        (b"GET x HTTP/1.1", "message-kind", "found {}, expected a response"),
        (b"get x", "message-kind", "found {}, expected a response"),
        (b"HTTP/1.1 200 O\rK", "control-character", CONTROL),
        (b"HTTP/1.1 200 O\nK", "control-character", CONTROL),
        (b"HTTP/1.1 200\tOK", "control-character", CONTROL),
        (b"HTTP/1.1 200 O\x1bK", "control-character", CONTROL),
    ],
)
def test_what_is_no_status_line_is_an_error(line: bytes, slug: str, message: str) -> None:
    expected = (slug, START, message.format(repr(line.decode("latin-1"))))
    assert read_response(line + b"\r\n\r\n") == (None, [expected])


# -- the empty lines --


@pytest.mark.parametrize(("line_end", "empty_line"), [(CRLF, b"\r\n"), (LF, b"\n"), (LF, b"\r\n")])
def test_one_empty_line_before_the_start_line_is_skipped(
    line_end: bytes, empty_line: bytes
) -> None:
    data = empty_line + b"GET x HTTP/1.1" + line_end * 2 + b"body"
    request = Request("GET", "x", Headers(), b"body", START + len(data) - 4)
    message = "an empty line stands before the start line"
    assert read_request(data, line_end) == (request, [("leading-empty-line", START, message)])


@pytest.mark.parametrize(
    ("data", "line_end", "slugs"),
    [
        (b"", CRLF, ["empty-message"]),
        (b"\r\n", CRLF, ["empty-message"]),
        (b"\n", LF, ["empty-message"]),
        (b"\r\n", LF, ["empty-message"]),
        (b"\r", LF, ["empty-message"]),
        (b"\r\n\r\nGET x HTTP/1.1\r\n\r\n", CRLF, ["leading-empty-line", "empty-message"]),
        (b"\n\nGET x HTTP/1.1\n\n", LF, ["leading-empty-line", "empty-message"]),
    ],
)
def test_a_message_without_start_line_is_an_error(
    data: bytes, line_end: bytes, slugs: list[str]
) -> None:
    request, found = read_request(data, line_end)
    message = f"found {data.decode()!r}, expected an HTTP message"
    assert request is None
    assert [slug for slug, _, _ in found] == slugs
    assert found[-1] == ("empty-message", START, message)
    assert read_response(data, line_end) == (None, found)


@pytest.mark.parametrize(
    ("data", "line_end", "fields"),
    [
        (b"GET x HTTP/1.1", CRLF, []),
        (b"GET x HTTP/1.1\r\n", CRLF, []),
        (b"GET x HTTP/1.1\r\nA: b", CRLF, [("A", "b")]),
        (b"GET x HTTP/1.1\r\nA: b\r\nC: d\r\n", CRLF, [("A", "b"), ("C", "d")]),
        (b"GET x HTTP/1.1\n", LF, []),
        (b"GET x HTTP/1.1\r\nA: b\r\n", LF, [("A", "b")]),
        (b"GET x HTTP/1.1\nA: b", LF, [("A", "b")]),
    ],
)
def test_a_header_section_may_end_with_the_message(
    data: bytes, line_end: bytes, fields: list[tuple[str, str]]
) -> None:
    end = START + len(data)
    message = "the header section ends without an empty line"
    request = Request("GET", "x", Headers(fields), b"", end)
    assert read_request(data, line_end) == (request, [("empty-line-missing", end, message)])


def test_a_body_without_empty_line_above_it_is_an_error() -> None:
    _, found = read_request(b"POST x HTTP/1.1\r\nA: b\r\n{}\r\n")
    assert [slug for slug, _, _ in found] == ["empty-line-missing", "header-syntax"]


@pytest.mark.parametrize(
    ("data", "start", "line_end", "head"),
    [
        (b"A: b\r\n\r\nx", 0, CRLF, (b"A: b", 8)),
        (b"..A: b\r\nC: d\r\n\r\n", 2, CRLF, (b"A: b\r\nC: d", 16)),
        (b"\r\nx\r\n\r\n", 0, CRLF, (b"", 2)),
        (b"A: b\n\nC\r\n\r\n", 0, CRLF, (b"A: b\n\nC", 11)),
        (b"A: b\r\n", 0, CRLF, None),
        (b"A: b\n\n", 0, CRLF, None),
        (b"", 0, CRLF, None),
        (b"A: b\n\nx", 0, LF, (b"A: b", 6)),
        (b"A: b\r\n\r\nx", 0, LF, (b"A: b", 8)),
        (b"A: b\r\n\nx\n\n", 0, LF, (b"A: b", 7)),
        (b"A: b\n\r\nx", 0, LF, (b"A: b", 7)),
        (b"\nx", 0, LF, (b"", 1)),
        (b"\r\nx", 0, LF, (b"", 2)),
        (b"A: b\n", 0, LF, None),
        (b"A: b\r\r\r\n", 0, LF, None),
    ],
)
def test_a_head_ends_at_its_first_empty_line(
    data: bytes, start: int, line_end: bytes, head: tuple[bytes, int] | None
) -> None:
    assert split_head(data, start, line_end) == head


@pytest.mark.parametrize(
    "data", [b"GET x HTTP/1.1\nA: b\n\nbody\n", b"GET x HTTP/1.1\r\nA: b\r\n\nbody\n"]
)
def test_lines_of_a_head_may_end_in_either_way_in_an_lf_message(data: bytes) -> None:
    request, found = read_request(data, LF)
    assert request is not None and found == []
    assert (request.headers, request.body) == (Headers({"A": "b"}), b"body\n")


def test_a_line_feed_in_the_head_of_a_crlf_message_is_an_error() -> None:
    _, found = read_request(b"GET x HTTP/1.1\r\nA: b\nC: d\r\n\r\n")
    message = r"field line 'A: b\nC: d' has a control character"
    assert found == [("control-character", START + 16, message)]


@pytest.mark.parametrize("start_line_end", [b"\n", b"\r\n"])
def test_a_field_line_has_its_own_position_in_an_lf_message(start_line_end: bytes) -> None:
    data = b"GET x HTTP/1.1" + start_line_end + b"A: b\nX\n\n"
    _, found = read_request(data, LF)
    message = "found 'X', expected a name, a colon and a value"
    assert found == [("header-syntax", START + data.index(b"X"), message)]


def test_a_folded_field_line_is_a_warning() -> None:
    request, found = read_request(b"GET x HTTP/1.1\r\nA: b\r\n c\r\n\r\n")
    assert request is not None and request.headers["a"] == "b c"
    assert [slug for slug, _, _ in found] == ["header-folded"]


# -- limits --


def limited(data: bytes, limits: Limits) -> Found:
    """Return what is found in a request that exceeds a limit."""
    found: list[Diagnostic] = []
    with pytest.raises(Stop):
        parse_request(data, START, CRLF, SectionReader(limits, found.append))
    return listed(found)


def test_a_url_may_be_as_long_as_the_limit() -> None:
    data = b"GET 12345 HTTP/1.1\r\n\r\n"
    assert read_request(data, limits=Limits(url=5))[1] == []
    message = "limit url is 4, and the message exceeds it"
    assert limited(data, Limits(url=4)) == [("limit-exceeded", START, message)]


def test_a_body_may_be_as_long_as_the_limit() -> None:
    data = b"GET x HTTP/1.1\r\n\r\n12345"
    assert read_request(data, limits=Limits(body=5))[1] == []
    message = "limit body is 4, and the message exceeds it"
    assert limited(data, Limits(body=4)) == [("limit-exceeded", START + 18, message)]


# -- Content-Length --


def length_found(claims: list[str], body: bytes, delimiter_length: int | None) -> Found:
    """Return what is found in these Content-Length fields of a body at offset 100."""
    found: list[Diagnostic] = []
    headers = Headers([("Content-Length", claim) for claim in claims])
    reader = SectionReader(Limits(), found.append)
    check_content_length(headers, body, START, delimiter_length, reader)
    return listed(found)


@pytest.mark.parametrize("claims", [[], ["5"], ["5", "5"], ["05"], ["0000000005"]])
def test_a_content_length_that_agrees_is_silent(claims: list[str]) -> None:
    assert length_found(claims, b"hello", 7) == []


@pytest.mark.parametrize(
    ("claim", "body", "slug"),
    [
        # `--b` and three line ends: seven octets stand between this body and the next content
        ("5", b"hello\r\n", "content-length-trailing-crlf"),
        ("0", b"\r\n", "content-length-trailing-crlf"),
        ("005", b"hello\r\n", "content-length-trailing-crlf"),
        ("5", b"hello\n\n", "content-length-mismatch"),
        ("4", b"hello\r\n", "content-length-mismatch"),
        ("6", b"hello\r\n", "content-length-mismatch"),
        ("0", b"hello", "content-length-mismatch"),
        ("6", b"hello", "content-length-mismatch"),
        ("11", b"hello", "content-length-mismatch"),
        ("12", b"hello", "content-length-crosses-delimiter"),
        ("9999", b"hello", "content-length-crosses-delimiter"),
        ("9" * 19, b"hello", "content-length-crosses-delimiter"),
        ("9" * 20, b"hello", "content-length-crosses-delimiter"),
        ("9" * 5000, b"hello", "content-length-crosses-delimiter"),
        # no decimal number
        ("###", b"hello", "content-length-syntax"),
        ("", b"hello", "content-length-syntax"),
        ("+5", b"hello", "content-length-syntax"),
        ("-1", b"hello", "content-length-syntax"),
        ("5.0", b"hello", "content-length-syntax"),
        ("5_0", b"hello", "content-length-syntax"),
        ("0x5", b"hello", "content-length-syntax"),
        ("5 octets", b"hello", "content-length-syntax"),
        ("5, 5", b"hello", "content-length-syntax"),
        ("\u0665", b"hello", "content-length-syntax"),
        ("\xb2", b"hello", "content-length-syntax"),
        ("0" * 20 + "5", b"hello", "content-length-syntax"),
        # no decimal number, and yet some readers find one
        ("+12", b"hello", "content-length-crosses-delimiter"),
        ("12, 12", b"hello", "content-length-crosses-delimiter"),
        ("12 octets", b"hello", "content-length-crosses-delimiter"),
        # two numbers
        ("5, 6", b"hello", "repeated-header"),
        ("5,", b"hello", "repeated-header"),
        ("5, 12", b"hello", "repeated-header"),
    ],
)
def test_a_content_length_that_disagrees_is_reported(claim: str, body: bytes, slug: str) -> None:
    quoted = repr(claim) if len(claim) <= 60 else f"{claim[:60]!r}..."
    message = f"Content-Length is {quoted}, the body has {len(body)} octets"
    assert length_found([claim], body, 7) == [(slug, START, message)]


@pytest.mark.parametrize("claim", ["12", "9" * 5])
def test_no_delimiter_can_be_crossed_where_there_is_none(claim: str) -> None:
    assert judge_length(claim, b"hello", None) is Rule.CONTENT_LENGTH_MISMATCH


def test_the_first_of_several_fields_is_compared() -> None:
    assert length_found(["5", "6"], b"hello", 7) == []
    assert [slug for slug, _, _ in length_found(["6", "5"], b"hello", 7)] == [
        "content-length-mismatch"
    ]


# -- properties --

OCTETS = st.lists(
    st.sampled_from((b"GET", b" ", b"x", b"HTTP/1.1", b"200", b"\r\n", b"\n", b"\r", b"A:", b"\t"))
    | st.binary(max_size=3),
    max_size=14,
).map(b"".join)


@given(OCTETS, st.sampled_from((CRLF, LF)))
def test_any_octets_are_a_message_or_have_a_finding(data: bytes, line_end: bytes) -> None:
    request, found = read_request(data, line_end)
    response, response_found = read_response(data, line_end)
    assert request is not None or found
    assert response is not None or response_found
    if request is not None:
        assert data.endswith(request.body)
        assert data[request.body_position - START :] == request.body


TOKENS = st.text("!#$%&'*+-.^_`|~09AZ", min_size=1, max_size=8)
URLS = st.text("!$%&'()*+,-./09:;=?@AZ_az~[]", min_size=1, max_size=20)
VALUES = st.text('!"(),/:;<=>?@[]{} \tAz09', max_size=12).map(lambda text: text.strip(" \t"))
HEADERS = st.lists(st.tuples(TOKENS, VALUES), max_size=4).map(Headers)


@given(TOKENS, URLS, HEADERS, st.binary(max_size=30))
def test_what_is_written_is_read_back(method: str, url: str, headers: Headers, body: bytes) -> None:
    request, found = read_request(serialize_request(method, url, headers, body))
    assert request is not None and found == []
    assert (request.method, request.url, request.body) == (method, url, body)
    assert request.headers.pairs == headers.pairs
