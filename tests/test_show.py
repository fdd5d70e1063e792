"""What `show` prints, as lines: word for word for whole captures, then detail by detail."""

from __future__ import annotations

from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odata_batch import (
    BatchRequest,
    ChangeSet,
    Operation,
    Rule,
    Severity,
    encode_request,
)
from odata_batch._cli.check import check_message
from odata_batch._cli.show import Options, message_lines
from odata_batch.capture import parse_message
from odata_batch.dialects import ODATA_4_0, ODATA_4_01, Dialect

from .helpers import batch, change_set, member, part

OUTER = b"POST /service/$batch HTTP/1.1\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
OUTER_RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
OUTER_JSON = b"POST /service/$batch HTTP/1.1\r\nContent-Type: application/json\r\n\r\n"


def plain(colour: str, text: str) -> str:
    return text


def shown(
    data: bytes, *, headers: bool = False, bodies: bool = False, dialect: Dialect = ODATA_4_01
) -> str:
    options = Options(headers=headers, bodies=bodies, paint=plain)
    return "".join(f"{line}\n" for line in lines(data, options, dialect))


def lines(data: bytes, options: Options, dialect: Dialect = ODATA_4_01) -> list[str]:
    message = parse_message(data)
    return list(message_lines(message, check_message(message, dialect), options))


def tree(data: bytes, *, headers: bool = False, bodies: bool = False) -> list[str]:
    """The lines between the outer message and the findings."""
    return shown(data, headers=headers, bodies=bodies).split("\n\n")[1].split("\n")


def findings(data: bytes, *, dialect: Dialect = ODATA_4_01) -> list[str]:
    """Every finding with its excerpt and explanations."""
    texts = shown(data, dialect=dialect).split("\n\n")
    return [text for text in texts if text.startswith(("error[", "warning[", "note["))]


REQUEST = (
    b"POST /library/$batch HTTP/1.1\r\n"
    b"Host: example.org\r\n"
    b"Prefer: odata.continue-on-error\r\n"
    b"Content-Length: 7\r\n"
    b"Content-Type: multipart/mixed; boundary=batch_1\r\n"
    b"\r\n"
    b"--batch_1\r\n"
    b"Content-Type: application/http\r\n"
    b"Content-Transfer-Encoding: binary\r\n"
    b"\r\n"
    b"GET Books?$top=1  HTTP/1.1\r\n"
    b"Accept: application/json\r\n"
    b"\r\n"
    b"\r\n"
    b"--batch_1\r\n"
    b"Content-Type: multipart/mixed; boundary=changes\r\n"
    b"\r\n"
    b"--changes\r\n"
    b"Content-Type: application/http\r\n"
    b"Content-Transfer-Encoding: binary\r\n"
    b"Content-ID: 1\r\n"
    b"\r\n"
    b"POST Authors HTTP/1.1\r\n"
    b"Content-Type: application/json\r\n"
    b"\r\n"
    b'{"Name":"Bront\xc3\xab"}\r\n'
    b"--changes\r\n"
    b"Content-Type: application/http\r\n"
    b"Content-Transfer-Encoding: binary\r\n"
    b"Content-ID: 2\r\n"
    b"\r\n"
    b"PUT $1/Portrait HTTP/1.1\r\n"
    b"Content-Type: image/png\r\n"
    b"\r\n"
    b"\x89PNG\r\n\x1a\n\r\n"
    b"--changes--\r\n"
    b"--batch_1--\r\n"
)


def test_a_request_with_a_change_set() -> None:
    assert shown(REQUEST) == dedent(
        r"""
        batch request, multipart
          POST /library/$batch HTTP/1.1
          Content-Type: multipart/mixed; boundary=batch_1
          continue-on-error: true

        items[0]  GET Books?$top=1
        items[1]  change set of 2 operations
          items[1].items[0]  POST Authors
            id: 1
            body: 18 bytes of application/json
              | {"Name":"Brontë"}
          items[1].items[1]  PUT $1/Portrait
            id: 2
            body: 8 bytes of image/png
              | \x89PNG ...

        note[capture-content-length] at byte 83, line 4: Content-Length is '7', the body has 556 octets
          | Content-Length: 7\r\n
          | ^
          = The Content-Length of a captured message agrees with its body. (RFC 9112, 6.3)

        note[request-line-blanks] at byte 233, line 11, items[0]: found superfluous blanks in 'GET Books?$top=1  HTTP/1.1'
          | GET Books?$top=1  HTTP/1.1\r\n
          | ^
          = One blank separates the elements of a request line. (RFC 9112, 3)

        3 operations, 1 change set; 0 errors, 0 warnings, 2 notes
        """  # noqa: E501 - lines as they are printed
    ).removeprefix("\n")


def test_all_headers_and_bodies_of_a_request() -> None:
    assert shown(REQUEST, headers=True, bodies=True).split("\n\nnote")[0] == dedent(
        r"""
        batch request, multipart
          POST /library/$batch HTTP/1.1
          Host: example.org
          Prefer: odata.continue-on-error
          Content-Length: 7
          Content-Type: multipart/mixed; boundary=batch_1
          continue-on-error: true

        items[0]  GET Books?$top=1
          Accept: application/json
        items[1]  change set of 2 operations
          items[1].items[0]  POST Authors
            id: 1
            Content-Type: application/json
            body: 18 bytes of application/json
              | {"Name":"Brontë"}
          items[1].items[1]  PUT $1/Portrait
            id: 2
            Content-Type: image/png
            body: 8 bytes of image/png
              | \x89PNG
              | \x1a"""
    ).removeprefix("\n")


def test_a_damaged_response() -> None:
    data = (
        b"HTTP/1.1 200 OK\n"
        b"Content-Type: multipart/mixed; boundary=batch_7\n"
        b"ETag: x\n"
        b"\n"
        b"--batch_7\r\n"
        b"Content-Type: application/http\r\n"
        b"Content-Transfer-Encoding: binary\r\n"
        b"\r\n"
        b"HTTP/1.1 404 Not Found\r\n"
        b"Location : Books(1)\r\n"
        b"Content-Type: text/plain\r\n"
        b"\r\n"
        b"No \x1b[31mbook\r\n"
        b"here.\r\n"
        b"--batch_7\r\n"
        b"Content-Type: application/http\r\n"
        b"Content-Transfer-Encoding: binary\r\n"
        b"\r\n"
        b"HTTP/1.1 200 OK\r\n"
        b"\r\n"
        b"Out of memory"
    )
    assert shown(data) == dedent(
        r"""
        batch response, multipart
          HTTP/1.1 200 OK
          Content-Type: multipart/mixed; boundary=batch_7
          truncated: the close delimiter is missing

        items[0]  404 Not Found
          body: 19 bytes of text/plain
            | No \x1b[31mbook ...

        note[outer-response-header] at byte 64, line 3, headers: the batch response has the header etag
          | ETag: x\n
          | ^
          = ETag, Location and OData-EntityId belong to individual responses. (OData Protocol, 8.3)

        error[header-blank-before-colon] at byte 177, line 10, items[0]: field line 'Location : Books(1)' has a blank before its colon
          | Location : Books(1)\r\n
          | ^
          = No blank stands between a field name and its colon. (RFC 9112, 5.1)

        warning[truncated-response] at byte 359, line 21: the response ends without '--batch_7--'
          | Out of memory(end)
          |              ^
          = A response whose close delimiter is missing has failed as a whole. (OData Protocol, 9.4)

        1 response, 0 change sets; 1 error, 1 warning, 1 note
        """  # noqa: E501 - lines as they are printed
    ).removeprefix("\n")


def test_a_json_request() -> None:
    data = OUTER_JSON + (
        b'{"requests":[{"id":"1","method":"POST","url":"Books","atomicityGroup":"g",'
        b'"headers":{"content-type":"application/json"},"body":{"Price":1.10}},'
        b'{"id":"2","method":"PATCH","url":"$1","atomicityGroup":"g","dependsOn":["1"],'
        b'"headers":{"content-type":"application/json"},"body":{}},'
        b'{"id":"3","method":"GET","url":"Books","dependsOn":["1","g"],'
        b'"if":"$1/Price gt 1","x":{"y":1}}],"z":[]}'
    )
    assert shown(data) == dedent(
        r"""
        batch request, JSON
          POST /service/$batch HTTP/1.1
          Content-Type: application/json
          z: [] (not defined by the standard)

        items[0]  change set g of 2 operations
          items[0].items[0]  POST Books
            id: 1
            body: 14 bytes of application/json
              | {"Price":1.10}
          items[0].items[1]  PATCH $1
            id: 2
            dependsOn: 1
            body: 2 bytes of application/json
              | {}
        items[1]  GET Books
          id: 3
          dependsOn: 1, g
          if: $1/Price gt 1
          x: {"y":1} (not defined by the standard)

        note[json-unknown-member] at byte 428, line 4, items[1]: found the member 'x'; it is kept as an annotation
          | ...dependsOn":["1","g"],"if":"$1/Price gt 1","x":{"y":1}}],"z":[]}
          |                                                  ^
          = Members that the standard does not define are kept as annotations. (RFC 7493, 4.2)

        note[json-unknown-member] at byte 442, line 4: found the member 'z'; it is kept as an annotation
          | ...","g"],"if":"$1/Price gt 1","x":{"y":1}}],"z":[]}
          |                                                  ^

        3 operations, 1 change set; 0 errors, 0 warnings, 2 notes
        """  # noqa: E501 - lines as they are printed
    ).removeprefix("\n")


def test_a_bare_json_response() -> None:
    data = (
        b'{"responses":[{"id":"1","status":200,"atomicityGroup":"g"},\n'
        b'{"id":"2","status":503,"headers":{"content-type":"text/plain"},"body":"no\\r\\n"}],'
        b'"@nextLink":"batch?page=2"}'
    )
    assert shown(data) == dedent(
        r"""
        batch response, JSON
          next link: batch?page=2

        items[0]  change set g of 1 response
          items[0].items[0]  200
            id: 1
        items[1]  503
          id: 2
          body: 4 bytes of text/plain
            | no

        note[capture-bare-body] at byte 0, line 1: there is no header section; the body is read as application/json
          | {"responses":[{"id":"1","status":200,"atomicityGroup":"g"},\n
          | ^
          = A capture without a header section is read as the body that it looks like. (RFC 2046, 5.1.1)

        2 responses, 1 change set; 0 errors, 0 warnings, 1 note
        """  # noqa: E501 - lines as they are printed
    ).removeprefix("\n")


def test_a_response_that_is_no_batch() -> None:
    data = b"HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\n\r\n<html>\r\n</html>\r\n"
    assert shown(data) == dedent(
        r"""
        batch response, unknown format
          HTTP/1.1 502 Bad Gateway
          Content-Type: text/html

        body: 17 bytes
          | <html> ...

        error[capture-not-a-batch] at byte 53, line 4: status 502 with an HTML page, not a batch response
          | <html>\r\n
          | ^
          = A batch is answered with a batch, not with an error page or a single error. (OData Protocol, 11.7.7.5)
          = Nothing behind this place was read.

        no batch; 1 error, 0 warnings, 0 notes
        """  # noqa: E501 - lines as they are printed
    ).removeprefix("\n")


def test_a_body_that_had_to_be_decoded() -> None:
    body = batch(part(b"GET  a HTTP/1.1\r\n\r\n"))
    head = OUTER.replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\nIf-Match: *\r\n\r\n")
    data = head + b"%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n"
    assert shown(data).split("\n\n", 2)[2] == dedent(
        r"""
        warning[outer-precondition] in headers: the batch request has if-match '*'
          = The batch request itself has no If-Match and no If-None-Match. (OData Protocol, 8.2.4 and 8.2.5)

        note[capture-decoded] at byte 117, line 6: the coding 'chunked' is undone: 113 octets are 102
          | 66\r\n
          | ^
          = A captured body is read with its transfer coding and its content coding undone. (RFC 9110, 8.4)

        note[request-line-blanks] at byte 74, line 5 of the body, items[0]: found superfluous blanks in 'GET  a HTTP/1.1'
          | GET  a HTTP/1.1\r\n
          | ^
          = One blank separates the elements of a request line. (RFC 9112, 3)

        1 operation, 0 change sets; 0 errors, 1 warning, 2 notes
        """  # noqa: E501 - lines as they are printed
    ).removeprefix("\n")


def test_an_empty_file() -> None:
    assert shown(b"") == dedent(
        r"""
        unknown format

        error[batch-media-type] at byte 0, line 1: found nothing, expected an HTTP message, a delimiter line or a JSON object
          | (end)
          | ^
          = The media type of a batch is multipart/mixed or application/json. (OData Protocol, 11.7.1)
          = Nothing behind this place was read.

        no batch; 1 error, 0 warnings, 0 notes
        """  # noqa: E501 - lines as they are printed
    ).removeprefix("\n")


# -- the batch --


def wrapped(inner: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/http\r\n\r\n" + inner


@pytest.mark.parametrize(
    ("data", "heading"),
    [
        (b"--b--", "batch request, multipart"),
        (b'{"responses":[]}', "batch response, JSON"),
        (b"GET / HTTP/1.1\nContent-Type: Multipart/Other\n\n", "batch request, multipart"),
        (b"Content-Type: text/plain\n\n", "batch request, unknown format"),
        (wrapped(OUTER_RESPONSE + b"--b--"), "batch response, multipart in application/http"),
        (
            wrapped(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{"responses":[]}'),
            "batch response, JSON in application/http",
        ),
        (wrapped(b"HTTP/1.1 500 \r\n\r\n"), "batch response, unknown format in application/http"),
        (b"Host: a\r\n\r\n{}", "unknown format"),
    ],
)
def test_the_first_line_says_kind_and_format(data: bytes, heading: str) -> None:
    assert shown(data).split("\n")[0] == heading


@pytest.mark.parametrize(
    ("prefer", "lines"),
    [
        (b"Prefer: continue-on-error\r\n", ["  continue-on-error: true"]),
        (b"prefer: OData.Continue-On-Error=false\r\n", ["  continue-on-error: false"]),
        (b"", []),
    ],
)
def test_continue_on_error_is_shown_where_it_is_set(prefer: bytes, lines: list[str]) -> None:
    data = b"Content-Type: multipart/mixed; boundary=b\r\n" + prefer + b"\r\n" + batch(part())
    assert shown(data).split("\n\n")[0].split("\n")[2:] == lines


def test_a_batch_without_items_shows_its_body() -> None:
    assert tree(OUTER + b"--b--\r\n") == ["body: 7 bytes", "  | --b--"]


@pytest.mark.parametrize(
    ("status_line", "title"),
    [
        (b"HTTP/1.1 204 No Content", "204 No Content"),
        (b"HTTP/1.1 200 ", "200"),
        (b"HTTP/1.1 200 \xe4\xf6", "200 äö"),
    ],
)
def test_a_response_is_titled_by_status_and_reason(status_line: bytes, title: str) -> None:
    data = OUTER_RESPONSE + batch(part(status_line + b"\r\n\r\n"))
    assert tree(data) == [f"items[0]  {title}"]


def test_an_empty_change_set_is_shown() -> None:
    assert tree(OUTER + batch(change_set())) == ["items[0]  change set of 0 operations"]


@pytest.mark.parametrize(
    ("body", "line"),
    [
        (b"a", "  | a"),
        (b"a\r\n", "  | a"),
        (b"a\r\nb", "  | a ..."),
        (b"a\n", "  | a"),
        (b"\na", "  |  ..."),
        (b"a" * 92, f"  | {'a' * 92}"),
        (b"a" * 93, f"  | {'a' * 92} ..."),
        ("\N{SNOWMAN}".encode() * 200, f"  | {chr(0x2603) * 92} ..."),
        (b"\xff\x00\x1b[1m\t\x7f\xc2\x85\xe2\x80\xae", r"  | \xff\x00\x1b[1m\t\x7f\x85\u202e"),
    ],
)
def test_of_a_body_the_beginning_is_shown(body: bytes, line: str) -> None:
    assert tree(OUTER + batch(part(b"PUT a HTTP/1.1\r\n\r\n" + body)))[1:] == [
        f"  body: {len(body)} byte{'s' * (len(body) > 1)}",
        f"  {line}",
    ]


def test_all_lines_of_a_body_are_shown() -> None:
    data = OUTER + batch(part(b"PUT a HTTP/1.1\r\n\r\na\r\n\n\x08b\\n\n"))
    assert tree(data, bodies=True)[2:] == ["    | a", "    | ", r"    | \x08b\n"]


def test_octets_of_a_url_that_are_not_utf_8_are_escaped() -> None:
    data = OUTER + batch(part(b"GET a\xffb\xe2\x98\x83\xc2\x9b HTTP/1.1\r\n\r\n"))
    assert tree(data) == ["items[0]  GET a\\xffb\N{SNOWMAN}\\x9b"]


def test_headers_are_shown_in_order_and_escaped() -> None:
    data = OUTER + batch(part(b"GET a HTTP/1.1\r\nB: \x1b[1m\r\nA: 1\r\nb: \xe4\r\n\r\n"))
    assert tree(data, headers=True)[1:] == ["  B: \\x1b[1m", "  A: 1", "  b: ä"]


def test_colours_are_applied_where_they_are_wanted() -> None:
    def marked(colour: str, text: str) -> str:
        return f"<{colour} {text}>"

    head = OUTER_RESPONSE.replace(b"\r\n\r\n", b"\r\nETag: x\r\n\r\n")
    ok = part(b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n")
    data = head + ok + part(b"HTTP/1.1 400 Bad\r\n\r\n") + b"--b\r\n"
    options = Options(headers=False, bodies=False, paint=marked)
    marked_lines = [line for line in lines(data, options) if "<" in line]
    assert [line.split(" at byte ")[0] for line in marked_lines] == [
        "<1 batch response, multipart>",
        "  <31 truncated: the close delimiter is missing>",
        "<1 items[0]>  <32 200 OK>",
        "<1 items[1]>  <31 400 Bad>",
        "<1;36 note[outer-response-header]>",
        "<1;31 error[header-blank-before-colon]>",
        "<1;33 warning[truncated-response]>",
    ]


# -- the findings --


def test_a_rule_is_explained_once() -> None:
    twice = batch(part(b"GET  a HTTP/1.1\r\n\r\n"), part(b"GET  a HTTP/1.1\r\n\r\n"))
    explanation = "  = One blank separates the elements of a request line. (RFC 9112, 3)"
    assert [each.count(explanation) for each in findings(OUTER + twice)] == [1, 0]


def test_findings_stand_in_the_order_of_their_places() -> None:
    # The decoder finds the ids out last.
    first = member(b"PUT a HTTP/1.1\r\n\r\n", b"x")
    second = member(b"PUT b  HTTP/1.1\r\n\r\n", b"x")
    data = OUTER + batch(change_set(first, second), part(b"GET  a HTTP/1.1\r\n\r\n"))
    places = [int(each.split(" at byte ")[1].split(",")[0]) for each in findings(data)]
    assert places == sorted(places) and len(places) == 3


def test_lines_are_counted_from_the_start_of_the_capture() -> None:
    data = OUTER + batch(part(b"GET a\r\n\r\n"), part(b"GET b\r\n\r\n"))
    lines = [int(each.split(", line ")[1].split(",")[0]) for each in findings(data)]
    assert lines == [8, 15]
    assert [data.split(b"\r\n")[line - 1] for line in lines] == [b"GET a", b"GET b"]


def excerpt(data: bytes) -> list[str]:
    """The quoted line of the last finding, and the caret below it."""
    return findings(data)[-1].split("\n")[1:3]


@pytest.mark.parametrize(
    ("request_line", "line"),
    [
        (b"GET  a\\n\tHTTP/1.1", r"  | GET  a\\n\tHTTP/1.1\r\n"),
        (b"GET \x00\x7f\xff", r"  | GET \x00\x7f\xff\r\n"),
        (
            "GET  \N{SNOWMAN}\N{RIGHT-TO-LEFT OVERRIDE}".encode(),
            "  | GET  \N{SNOWMAN}\\u202e\\r\\n",
        ),
    ],
)
def test_what_a_quoted_line_holds_is_made_visible(request_line: bytes, line: str) -> None:
    assert excerpt(OUTER + batch(part(request_line + b"\r\n\r\n"))) == [line, "  | ^"]


def test_a_line_feed_alone_is_told_from_a_line_end() -> None:
    data = (OUTER + batch(part())).replace(b"\r\n", b"\n")
    assert excerpt(data) == [r"  | --b\n", "  | ^"]


def test_a_line_without_its_end_is_quoted() -> None:
    assert excerpt(OUTER + b"--b--")[0] == "  | --b--"


@pytest.mark.parametrize("letter", ["a", "\N{SNOWMAN}", "\N{SLIGHTLY SMILING FACE}"])
def test_a_long_line_is_cut_on_both_sides(letter: str) -> None:
    text = f'{{"requests":[],"x":"{letter * 1000}","y":"{letter * 1000}"}}'
    line, caret = excerpt(OUTER_JSON + text.encode())
    assert line == f'  | ...{letter * 40}","y":"{letter * 42}...'
    assert caret == f"  | {' ' * 49}^"


def test_a_line_that_just_fits_is_not_cut() -> None:
    url = b"a" * (92 - len(r"GET  \r\n"))
    assert excerpt(OUTER + batch(part(b"GET  " + url + b"\r\n\r\n")))[0] == (
        f"  | GET  {url.decode()}\\r\\n"
    )
    assert excerpt(OUTER + batch(part(b"GET  " + url + b"a\r\n\r\n")))[0] == (
        f"  | GET  {url.decode()}a\\r\\..."
    )


@pytest.mark.parametrize(
    ("field", "rule", "kind"),
    [
        (b"If-Match: *", Rule.OUTER_PRECONDITION, b"POST / HTTP/1.1"),
        (b"if-none-match: *", Rule.OUTER_PRECONDITION, b"POST / HTTP/1.1"),
        (b"X-HTTP-Method: PATCH", Rule.METHOD_TUNNEL, b"POST / HTTP/1.1"),
        (b"Prefer: return=minimal", Rule.OUTER_PREFERENCE, b"POST / HTTP/1.1"),
        (b"Prefer: continue-on-error=maybe", Rule.PREFERENCE_VALUE, b"POST / HTTP/1.1"),
        (b"OData-Version: four", Rule.VERSION_HEADER, b"POST / HTTP/1.1"),
        (b"OData-MaxVersion: four", Rule.VERSION_HEADER, b"POST / HTTP/1.1"),
        (b"Location: a", Rule.OUTER_RESPONSE_HEADER, b"HTTP/1.1 200 OK"),
        (b"OData-EntityId: a", Rule.OUTER_RESPONSE_HEADER, b"HTTP/1.1 200 OK"),
        (b"AsyncResult: done", Rule.ASYNC_RESULT, b"HTTP/1.1 200 OK"),
    ],
)
def test_a_finding_about_the_header_section_points_to_its_field(
    field: bytes, rule: Rule, kind: bytes
) -> None:
    head = b"\r\n".join((kind, b"Content-Type: multipart/mixed; boundary=b", field, b"", b""))
    message = batch(
        part(b"HTTP/1.1 200 OK\r\n\r\n" if kind.startswith(b"HTTP") else b"GET a\r\n\r\n")
    )
    (finding,) = [each for each in findings(head + message) if f"[{rule.slug}]" in each]
    place, _, quoted = finding.partition("\n")
    assert f" at byte {head.index(field)}, line 3, headers: " in place
    assert quoted.startswith(f"  | {field.decode()}\\r\\n\n  | ^")


def test_of_two_such_fields_the_one_that_is_named_is_pointed_to() -> None:
    head = OUTER_RESPONSE.replace(b"\r\n\r\n", b"\r\nETag: a\r\nLocation: b\r\n\r\n")
    data = head + batch(part(b"HTTP/1.1 200 OK\r\n\r\n"))
    assert [each.split("\n")[1] for each in findings(data)] == [
        r"  | ETag: a\r\n",
        r"  | Location: b\r\n",
    ]


def test_a_finding_in_the_head_of_a_wrapped_message_points_to_its_field() -> None:
    inner = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n"
    assert excerpt(wrapped(inner)) == [r"  | content-type: text/plain\r\n", "  | ^"]


def test_a_finding_about_a_missing_field_points_to_the_body() -> None:
    inner = b"HTTP/1.1 200 OK\r\n\r\nnothing"
    assert excerpt(wrapped(inner)) == ["  | nothing", "  | ^"]


def test_a_dialect_gives_severities() -> None:
    data = OUTER + batch(part(head=b"Content-Type: application/http\r\n"))
    slug = "[content-transfer-encoding-missing]"
    assert findings(data)[0].startswith(f"note{slug}")
    assert findings(data, dialect=ODATA_4_0)[0].startswith(f"warning{slug}")


@pytest.mark.parametrize(
    ("data", "worst"),
    [
        (OUTER + batch(part()), None),
        (b'{"requests":[{"id":"1","method":"GET","url":"a"}]}', Severity.NOTE),
        (OUTER + b"--b--", Severity.WARNING),
        (OUTER, Severity.ERROR),
        (b"A : b\r\n" + OUTER[31:] + batch(part()), Severity.ERROR),
    ],
)
def test_the_worst_finding_decides(data: bytes, worst: Severity | None) -> None:
    assert check_message(parse_message(data), ODATA_4_01).worst == worst


# -- the summary --


def summary(data: bytes) -> str:
    return shown(data).split("\n")[-2]


def test_members_of_change_sets_are_counted_among_the_operations() -> None:
    put = b"PUT a HTTP/1.1\r\n\r\n"
    data = batch(
        change_set(member(put, b"1"), member(put, b"2")), part(), change_set(member(put, b"3"))
    )
    assert summary(OUTER + data) == "4 operations, 2 change sets; 0 errors, 0 warnings, 0 notes"


def test_findings_that_were_not_recorded_are_counted() -> None:
    data = OUTER + batch(*(part(b"GET  a HTTP/1.1\r\n\r\n") for _ in range(105)))
    assert summary(data) == (
        "105 operations, 0 change sets; 0 errors, 0 warnings, 100 notes; 5 more not listed"
    )


def test_findings_that_a_loss_explains_are_counted() -> None:
    put = b"PUT a HTTP/1.1\r\nContent-Type: image/png\r\nContent-Length: 4\r\n\r\n\xef\xbf\xbdPNG"
    assert summary(OUTER + batch(part(put))) == (
        "1 operation, 0 change sets; 0 errors, 0 warnings, 1 note; "
        "1 explained by octets that the capture has lost"
    )


# -- anything --


def test_what_is_encoded_is_shown_without_findings() -> None:
    value = BatchRequest(
        [
            ChangeSet([Operation.post("Books", json={"Title": "Emma"}, id="1")]),
            Operation.get("Books"),
        ]
    )
    payload = encode_request(value, boundary="b")
    head = "".join(f"{name}: {value}\r\n" for name, value in payload.headers.pairs)
    assert tree(f"{head}\r\n".encode() + payload.body) == [
        "items[0]  change set of 1 operation",
        "  items[0].items[0]  POST Books",
        "    id: 1",
        "    body: 16 bytes of application/json",
        '      | {"Title":"Emma"}',
        "items[1]  GET Books",
    ]
    assert findings(head.encode() + b"\r\n" + payload.body) == []


pieces = st.sampled_from(
    (
        *(OUTER, OUTER_RESPONSE, OUTER_JSON, b"\x1b[2J", b"\xff", b"\r\n", b"\n", b"--b--", b"{"),
        *(
            part(),
            part(b"HTTP/1.1 204 \r\n\r\n\x07"),
            change_set(member(b"PUT \xe2 a\r\n\r\n\x9b")),
        ),
        *(b'{"requests":[', b'{"id":"\\u001b","method":"GET","url":"a"}', b"]}", wrapped(b"")),
    )
)


@given(st.binary() | st.lists(pieces).map(b"".join), st.booleans(), st.booleans())
def test_a_terminal_obeys_nothing_in_a_capture(data: bytes, headers: bool, bodies: bool) -> None:
    text = shown(data, headers=headers, bodies=bodies)
    assert text.replace("\n", "").isprintable()
