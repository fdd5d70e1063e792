"""HTTP messages in a part: start lines, where a head ends, Content-Length; read and written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odata_batch import (
    BatchRequest,
    BatchResponse,
    Headers,
    Limits,
    Operation,
    OperationResponse,
    Report,
    check_request,
    check_response,
    decode_request,
    encode_request,
    encode_response,
)

from .helpers import (
    CRLF,
    MULTIPART,
    PART_HEAD,
    batch,
    checked_request,
    checked_response,
    octets,
    part,
    rows,
)

LINE_ENDS = {"CRLF": CRLF, "LF": b"\n"}
START = len(b"--b\r\n" + PART_HEAD + CRLF)
Both = Report[BatchRequest] | Report[BatchResponse]


def data_of(message: bytes, line_end: bytes = CRLF) -> bytes:
    """Return a batch that holds the message, with another part after it."""
    data = batch(b"--b\r\n" + PART_HEAD + CRLF + b"@\r\n").replace(CRLF, line_end)
    return data.replace(b"@", message)


def found_in(report: Both, line_end: bytes = CRLF) -> str:
    """Return what is found in the message, counted from its beginning."""
    start = START if line_end == CRLF else START - 4
    found = [(each.rule.slug, (each.position or 0) - start) for each in report.diagnostics]
    return " ".join(f"{slug}@{position}" for slug, position in found if position >= 0)


def messages(report: Both) -> list[str]:
    return [each.message for each in report.diagnostics if (each.position or 0) >= START]


# -- request lines --


REQUEST_LINES = [
    (b"GET  People  HTTP/1.1", "GET", "People", "request-line-blanks@0"),
    (b"GET People HTTP/1.1  ", "GET", "People", "request-line-blanks@0"),
    (b"GET People", "GET", "People", "http-version-missing@0"),
    (b"GET People ", "GET", "People", "http-version-missing@0 request-line-blanks@0"),
    (b"GET People HTTP/1.0", "GET", "People", "http-version-old@0"),
    (b"GET a b c HTTP/1.1", "GET", "a b c", ""),
    (b"GET a  b HTTP/1.1", "GET", "a  b", ""),
    (b"GET a HTTP/1.1 HTTP/1.1", "GET", "a HTTP/1.1", ""),
    (b"GET a HTTP/1.1 b", "GET", "a HTTP/1.1 b", "http-version-missing@0"),
    (b"get x HTTP/1.1", "GET", "x", "method-lower-case@0"),
    (b"Merge x HTTP/1.1", "MERGE", "x", "method-lower-case@0"),
    (b"Lock x HTTP/1.1", "Lock", "x", ""),
    (b"LOCK x HTTP/1.1", "LOCK", "x", ""),
    (b"GET Gr\xc3\xb6\xc3\x9fe HTTP/1.1", "GET", "Größe", ""),
    (b"GET \xff HTTP/1.1", "GET", "\udcff", ""),
    (b"GET x HTTP/2", "GET", "x", "http-version@0"),
    (b"GET x HTTP/2.0", "GET", "x", "http-version@0"),
    (b"GET x HTTP/1.10", "GET", "x", "http-version@0"),
    (b"GET x HTTP/01.1", "GET", "x", "http-version@0"),
    (b"GET x HTTP/", "GET", "x", "http-version@0"),
    (b"GET x http/1.1", "GET", "x", "http-version@0"),
    (b"HTTPS x HTTP/1.1", "HTTPS", "x", ""),
    (b"options * HTTP/1.1", "OPTIONS", "*", "method-lower-case@0"),
    (b"Head x HTTP/1.1", "HEAD", "x", "method-lower-case@0"),
    (b"GET x  HTTP/1.1 ", "GET", "x", "request-line-blanks@0"),
    (b"GET HTTP HTTP/1.1", "GET", "HTTP", ""),
    (b"GET x HTTP/1.1 HTTP/1.0", "GET", "x HTTP/1.1", "http-version-old@0"),
    (b"GET HTTP/1.1 HTTP/1.1", "GET", "HTTP/1.1", ""),
]


@pytest.mark.parametrize(("line", "method", "url", "found"), REQUEST_LINES)
def test_a_request_line_is_read(line: bytes, method: str, url: str, found: str) -> None:
    report = checked_request(data_of(line + b"\r\n\r\n"), splits=16)
    assert report.value is not None
    (operation,) = report.value.operations()
    assert (operation.method, operation.url, found_in(report)) == (method, url, found)


CONTROL = "start line {} has a control character"
NO_REQUEST_LINES = [
    (
        ("request-line-syntax", "found {}, expected a method and a URL"),
        [b"GET", b"GET ", b"GET  ", b"GET HTTP/1.1", b"GET  HTTP/1.1", b"{}", b"HTTPS"],
    ),
    (
        ("method-syntax", "found {}, expected a token as the method"),
        [
            b" GET x HTTP/1.1",
            b"G(T x HTTP/1.1",
            b"GET: x HTTP/1.1",
            b"G\xc9T x",
            b"http/1.1 200 OK",
        ],
    ),
    (("message-kind", "found {}, expected a request"), [b"HTTP/1.1 200 OK", b"HTTP/"]),
    (
        ("control-character", CONTROL),
        [b"GET\tx HTTP/1.1", b"GET x\tHTTP/1.1", b"GET x\x00 HTTP/1.1", b"GET x\x7f HTTP/1.1"],
    ),
    (("control-character", CONTROL), [b"GET x\ry HTTP/1.1", b"G\nx HTTP/1.1", b"GET x HTTP/1.1\r"]),
]
NO_STATUS_LINES = [
    (
        (
            "status-line-syntax",
            "found {}, expected HTTP/1.1, a status code of three digits and a reason phrase",
        ),
        [
            *(b"HTTP/1.1", b"HTTP/1.1 ", b"HTTP/1.1 OK", b"HTTP/1.1  200 OK", b"HTTP/1.1 20 OK"),
            *(b"HTTP/1.1 2000 OK", b"HTTP/1.1 099 OK", b"HTTP/1.1 600 OK", b"HTTP/1.1 +20 OK"),
            *("HTTP/1.1 \u0662\u0660\u0660 OK".encode(), b"HTTP/1.1 200OK"),
        ],
    ),
    (
        ("status-line-syntax", "found {}, expected a status line"),
        [b"http/1.1 200 OK", b"200 OK", b"Status: 200", b"GETS x"],
    ),
    (("message-kind", "found {}, expected a response"), [b"GET x HTTP/1.1", b"get x", b"Merge"]),
    (
        ("control-character", CONTROL),
        [b"HTTP/1.1 200 O\rK", b"HTTP/1.1 200 O\nK", b"HTTP/1.1 200\tOK", b"HTTP/1.1 200 O\x1bK"],
    ),
]


@pytest.mark.parametrize(("expected", "lines"), NO_REQUEST_LINES)
def test_what_is_no_request_line_is_an_error(expected: tuple[str, str], lines: list[bytes]) -> None:
    slug, message = expected
    for line in lines:
        report = checked_request(data_of(line + b"\r\n\r\n"), splits=16)
        assert (report.value, found_in(report)) == (BatchRequest([]), f"{slug}@0")
        assert messages(report) == [message.format(repr(line.decode("latin-1")))]


def test_a_long_line_is_quoted_in_part() -> None:
    report = check_request(data_of(b"GET" + b"x" * 100 + b"\r\n\r\n"), MULTIPART)
    assert messages(report) == [f"found 'GET{'x' * 57}'..., expected a method and a URL"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("GET  x HTTP/1.1", "found superfluous blanks in 'GET  x HTTP/1.1'"),
        ("GET x", "request line 'GET x' has no HTTP version; read as HTTP/1.1"),
        ("GET x HTTP/1.0", "found HTTP/1.0 in 'GET x HTTP/1.0'; read as HTTP/1.1"),
        ("GET x HTTP/2", "found the version 'HTTP/2', expected 'HTTP/1.1'"),
        ("Patch x HTTP/1.1", "found the method 'Patch'; read as PATCH"),
        ("GET x HTTP/1.1\r\nA: 1", "the header section ends without an empty line"),
        ("\r\nGET x HTTP/1.1\r\n\r\n", "an empty line stands before the start line"),
        ("\r\n", r"found '\r\n', expected an HTTP message"),
    ],
)
def test_what_is_odd_about_a_request_is_told(line: str, message: str) -> None:
    end = "" if "\r\n" in line else "\r\n\r\n"
    assert messages(check_request(data_of((line + end).encode()), MULTIPART)) == [message]


# -- status lines --


STATUS_LINES = [
    (b"HTTP/1.1 200", 200, "", "reason-missing@0"),
    (b"HTTP/1.0 200 OK", 200, "OK", "http-version-old@0"),
    (b"HTTP/2 200", 200, "", "http-version@0 reason-missing@0"),
    (b"HTTP/ 200 OK", 200, "OK", "http-version@0"),
    (b"HTTP/1.1 200 OK", 200, "OK", ""),
    (b"HTTP/1.1 204 ", 204, "", ""),
    (b"HTTP/1.1 404 Not  Found ", 404, "Not  Found ", ""),
    (b"HTTP/1.1 599 caf\xe9", 599, "café", ""),
    (b"HTTP/1.1 100 200", 100, "200", ""),
    (b"HTTP/1.1 599 x", 599, "x", ""),
]


@pytest.mark.parametrize(("line", "status", "reason", "found"), STATUS_LINES)
def test_a_status_line_is_read(line: bytes, status: int, reason: str, found: str) -> None:
    report = checked_response(data_of(line + b"\r\n\r\n"), splits=16)
    assert report.value is not None
    (response,) = report.value.responses()
    assert (response.status, response.reason, found_in(report)) == (status, reason, found)


def test_a_status_code_without_a_blank_is_told() -> None:
    report = check_response(data_of(b"HTTP/1.1 200\r\n\r\n"), MULTIPART)
    assert messages(report) == ["no blank follows the status code in 'HTTP/1.1 200'"]


@pytest.mark.parametrize(("expected", "lines"), NO_STATUS_LINES)
def test_what_is_no_status_line_is_an_error(expected: tuple[str, str], lines: list[bytes]) -> None:
    slug, message = expected
    for line in lines:
        report = checked_response(data_of(line + b"\r\n\r\n"), splits=16)
        assert report.value is not None and report.value.items == ()
        assert found_in(report) == f"{slug}@0"
        assert messages(report) == [message.format(repr(line.decode("latin-1")))]


# -- the empty lines --


EMPTY = rows(
    r"""
CRLF => => empty-message@0
CRLF => \r\n => empty-message@0
LF => \n => empty-message@0
LF => \r\n => empty-message@0
CRLF => \r\n\r\nGET x HTTP/1.1\r\n\r\n => leading-empty-line@0 empty-message@0
LF => \n\nGET x HTTP/1.1\n\n => leading-empty-line@0 empty-message@0
CRLF => \nGET x HTTP/1.1\r\n\r\n => control-character@0
"""
)


@pytest.mark.parametrize(("end", "text", "found"), EMPTY)
def test_a_message_without_start_line_is_an_error(end: str, text: str, found: str) -> None:
    data = data_of(octets(text), LINE_ENDS[end])
    report = checked_request(data)
    assert (report.value, found_in(report, LINE_ENDS[end])) == (BatchRequest([]), found)
    response = checked_response(data)
    assert response.value is not None and response.value.items == ()
    assert found_in(response, LINE_ENDS[end]) == found


# Octets, the fields, the body, and what is found.
HEADS = rows(
    r"""
CRLF => PUT x HTTP/1.1 => => => empty-line-missing@14
CRLF => PUT x HTTP/1.1\r\n => => => empty-line-missing@16
CRLF => PUT x HTTP/1.1\r\nA: b => A: b => => empty-line-missing@20
CRLF => PUT x HTTP/1.1\r\nA: b\r\nC: d\r\n => A: b ; C: d => => empty-line-missing@28
LF => PUT x HTTP/1.1\n => => => empty-line-missing@15
LF => PUT x HTTP/1.1\r\nA: b\r\n => A: b => => empty-line-missing@22
LF => PUT x HTTP/1.1\nA: b => A: b => => empty-line-missing@19
CRLF => \r\nPUT x HTTP/1.1\r\nContent-Type: a/b\r\n\r\nbody => Content-Type: a/b => body =>
    leading-empty-line@0
LF => \nPUT x HTTP/1.1\n\nbody => => body => leading-empty-line@0
LF => \r\nPUT x HTTP/1.1\n\nbody => => body => leading-empty-line@0
LF => PUT x HTTP/1.1\nA: b\n\nbody\n => A: b => body\n =>
LF => PUT x HTTP/1.1\r\nA: b\r\n\nbody\n => A: b => body\n =>
LF => PUT x HTTP/1.1\nA: b\n\r\nbody\n => A: b => body\n =>
LF => PUT x HTTP/1.1\r\nA: b\r\n\r\nbody\n => A: b => body\n =>
LF => PUT x HTTP/1.1\nA: b\nX\n\n => A: b => => header-syntax@20
LF => PUT x HTTP/1.1\r\nA: b\nX\n\n => A: b => => header-syntax@21
CRLF => POST x HTTP/1.1\r\nA: b\r\n{}\r\n => A: b => => empty-line-missing@27 header-syntax@23
CRLF => PUT x HTTP/1.1\r\nA: b\nC: d\r\n\r\n => A: b\nC: d => => control-character@16
CRLF => PUT x HTTP/1.1\r\nA: b\n\nC\r\n\r\n => A: b\n\nC => => control-character@16
CRLF => PUT x HTTP/1.1\r\n\r\nA\r\n\r\n => => A\r\n\r\n =>
LF => PUT x HTTP/1.1\nA: b\r\r\r\n => A: b\r\r => => empty-line-missing@23 control-character@15
LF => PUT x HTTP/1.1\n\nA: b => => A: b =>
CRLF => POST x HTTP/1.1\r\nContent-Type: a/b\r\n\r\n\x00\xff\r\n\r\n => Content-Type: a/b =>
    \x00\xff\r\n\r\n =>
"""
)


@pytest.mark.parametrize(("end", "text", "fields", "body", "found"), HEADS)
def test_a_head_ends_at_its_first_empty_line(
    end: str, text: str, fields: str, body: str, found: str
) -> None:
    report = checked_request(data_of(octets(text), LINE_ENDS[end]))
    assert report.value is not None
    (operation,) = report.value.operations()
    read = " ; ".join(f"{name}: {value}" for name, value in operation.headers.pairs)
    assert (read.encode("latin-1"), operation.body) == (octets(fields), octets(body))
    assert found_in(report, LINE_ENDS[end]) == found


# -- limits --


@pytest.mark.parametrize(
    ("limit", "position"), [("url", START), ("body", START + len(b"PUT 12345 HTTP/1.1\r\n\r\n"))]
)
def test_a_url_and_a_body_may_be_as_long_as_the_limit(limit: str, position: int) -> None:
    data = data_of(b"PUT 12345 HTTP/1.1\r\n\r\n12345")
    assert checked_request(data, limits=Limits(**{limit: 5})).complete
    report = checked_request(data, limits=Limits(**{limit: 4}))
    assert messages(report) == [f"limit {limit} is 4, and the message exceeds it"]
    assert found_in(report) == f"limit-exceeded@{position - START}"
    assert report.diagnostics[-1].limit == (limit, 4)


# -- Content-Length --

# The slug, and the claims about a body of five octets that another part follows, behind a delimiter
# of seven octets.
LENGTHS = rows(
    r"""
- => 5 ; 05 ; 0000000005
content-length-mismatch => 0 ; 6 ; 11
content-length-crosses-delimiter =>
    12 ; 9999 ; 9999999999999999999 ; 99999999999999999999 ; +12 ; 12, 12 ; 12 octets
content-length-syntax =>
    ### ;  ; +5 ; -1 ; 5.0 ; 5_0 ; 0x5 ; 5 octets ; 5, 5 ; \xb2 ; 000000000000000000005
repeated-header => 5, 6 ; 5, ; 5, 12
"""
)


def claimed(claim: bytes, body: bytes = b"hello") -> tuple[str, list[str]]:
    """Return what is found in a Content-Length, counted from the body."""
    head = b"POST x HTTP/1.1\r\nContent-Type: a/b\r\nContent-Length: " + claim + b"\r\n\r\n"
    data = batch(part(head + body), part(b"DELETE y HTTP/1.1\r\n\r\n"))
    report = checked_request(data, splits=8)
    assert report.value is not None
    assert [each.body for each in report.value.operations()] == [body, b""]
    found = [each for each in report.diagnostics if "-not-ascii" not in each.rule.slug]
    assert {each.position for each in found} <= {START + len(head)}
    return " ".join(each.rule.slug for each in found), [each.message for each in found]


@pytest.mark.parametrize(("slug", "claims"), LENGTHS)
def test_a_content_length_is_held_against_the_body(slug: str, claims: str) -> None:
    for claim in claims.split(" ; "):
        found, messages = claimed(octets(claim))
        quoted = repr(octets(claim).decode("latin-1"))
        expected = [f"Content-Length is {quoted}, the body has 5 octets"]
        assert (found or "-", messages) == (slug, [] if slug == "-" else expected)


@pytest.mark.parametrize(
    ("claim", "body", "slug"),
    [
        (b"5", b"hello\r\n", "content-length-trailing-crlf"),
        (b"0", b"\r\n", "content-length-trailing-crlf"),
        (b"005", b"hello\r\n", "content-length-trailing-crlf"),
        (b"5", b"hello\n\n", "content-length-mismatch"),
        (b"4", b"hello\r\n", "content-length-mismatch"),
        (b"6", b"hello\r\n", "content-length-mismatch"),
        (b"9" * 5000, b"hello", "content-length-crosses-delimiter"),
        (b"5\r\nContent-Length: 6", b"hello", "repeated-header"),
        (b"6\r\nContent-Length: 5", b"hello", "repeated-header content-length-mismatch"),
    ],
)
def test_a_content_length_may_leave_out_a_crlf_alone(claim: bytes, body: bytes, slug: str) -> None:
    head = b"POST x HTTP/1.1\r\nContent-Type: a/b\r\nContent-Length: " + claim + b"\r\n\r\n"
    report = checked_request(batch(part(head + body), part()), splits=8)
    assert report.value is not None and report.value.operations()[0].body == body
    assert " ".join(each.rule.slug for each in report.diagnostics) == slug


def test_a_claim_is_quoted_in_part() -> None:
    message = f"Content-Length is '{'9' * 60}'..., the body has 5 octets"
    assert claimed(b"9" * 61)[1] == [message]


# -- writing --


@pytest.mark.parametrize(
    ("operation", "octets"),
    [
        (Operation.get("People"), b"GET People HTTP/1.1\r\n\r\n"),
        (
            Operation("PATCH", "/a?b=c", {"b": "1", "Content-Type": "a/b", "X": ""}, b"\x00\xff\n"),
            b"PATCH /a?b=c HTTP/1.1\r\nb: 1\r\nContent-Type: a/b\r\nX: \r\n\r\n\x00\xff\n",
        ),
        (
            Operation("GET", "x", [("b", "1"), ("A", "\xe9"), ("B", "2")]),
            b"GET x HTTP/1.1\r\nb: 1\r\nA: \xe9\r\nB: 2\r\n\r\n",
        ),
    ],
)
def test_a_request_is_written_with_fields_in_order_and_case(
    operation: Operation, octets: bytes
) -> None:
    assert encode_request(BatchRequest([operation]), boundary="b").body == data_of(octets)


@pytest.mark.parametrize(
    ("status", "reason", "line"),
    [
        (200, None, b"200 OK"),
        (424, None, b"424 Failed Dependency"),
        (299, None, b"299 "),
        (100, None, b"100 "),
        (404, "Not  Found ", b"404 Not  Found "),
        (204, "", b"204 "),
    ],
)
def test_a_reason_of_none_is_written_as_the_usual_phrase(
    status: int, reason: str | None, line: bytes
) -> None:
    response = OperationResponse(status, {"A": "b"}, reason=reason)
    payload = encode_response(BatchResponse([response]), format="multipart", boundary="b")
    assert payload.body == data_of(b"HTTP/1.1 " + line + b"\r\nA: b\r\n\r\n")


# -- properties --

OCTETS = st.lists(
    st.sampled_from((b"GET", b" ", b"x", b"HTTP/1.1", b"200", b"\r\n", b"\n", b"\r", b"A:", b"\t"))
    | st.binary(max_size=3),
    max_size=14,
).map(b"".join)


@given(OCTETS, st.sampled_from([*LINE_ENDS.values()]))
def test_any_octets_are_a_message_or_have_a_finding(octets: bytes, line_end: bytes) -> None:
    data = data_of(octets, line_end)
    request, response = check_request(data, MULTIPART), check_response(data, MULTIPART)
    assert request.value is not None and response.value is not None
    assert request.value.items or request.diagnostics
    assert response.value.items or response.diagnostics
    assert all(octets.endswith(operation.body) for operation in request.value.operations())


TOKENS = st.text("!#$%&'*+-.^_`|~09AZ", min_size=1, max_size=8)
VALUES = st.text('!"(),/:;<=>?@[]{} \tAz09', max_size=12).map(lambda text: text.strip(" \t"))
HEADERS = st.lists(st.tuples(TOKENS, VALUES), max_size=4).map(Headers)


@given(TOKENS, HEADERS, st.binary(max_size=30))
def test_what_is_written_is_read_back(method: str, headers: Headers, body: bytes) -> None:
    fields = "".join(f"{name}: {value}\r\n" for name, value in headers.pairs).encode()
    data = data_of(method.encode() + b" x HTTP/1.1\r\n" + fields + b"\r\n" + body)
    (operation,) = decode_request(data, MULTIPART).operations()
    assert (operation.method, operation.body) == (method, body)
    assert operation.headers.pairs == headers.pairs
