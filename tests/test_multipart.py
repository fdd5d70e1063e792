"""The multipart batch format: parts, change sets, what is damaged, and how batches are written."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable

import pytest

from odata_batch import (
    BatchRequest,
    BatchResponse,
    ChangeSet,
    ChangeSetResponse,
    DecodeError,
    EncodeError,
    Headers,
    LimitExceeded,
    Limits,
    Operation,
    OperationResponse,
    Report,
    RequestDecoder,
    RequestEncoder,
    ResponseDecoder,
    check_request,
    check_response,
    decode_request,
    decode_response,
    encode_request,
    encode_response,
)
from odata_batch._model.findings import Diagnostic
from odata_batch._wire.multipart import boundary_of, check_boundary
from odata_batch._wire.sections import parse_media_type

from .helpers import (
    CRLF,
    GET,
    MULTIPART,
    PART_HEAD,
    batch,
    change_set,
    chunkings,
    fed,
    member,
    outcomes,
    part,
)

Found = list[tuple[str, str, int | None, str]]
DELETE = b"DELETE x HTTP/1.1\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\n\r\n"
NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"
HTTP = b"Content-Type: application/http\r\n"
BINARY = b"Content-Transfer-Encoding: binary\r\n"
MIXED = b"Content-Type: multipart/mixed; boundary=c\r\n"


def listed(report: Report[BatchRequest] | Report[BatchResponse]) -> Found:
    """Return slug, path, position and message of all findings."""
    return [(each.rule.slug, each.path, each.position, each.message) for each in report.diagnostics]


def read(data: bytes, content_type: str = MULTIPART) -> tuple[BatchRequest, Found]:
    """Return what can be read of a request, and the findings; chunking does not matter."""
    assert len(outcomes(RequestDecoder, content_type, data)) == 1
    report = check_request(data, content_type)
    assert report.value is not None
    return report.value, listed(report)


def read_response(data: bytes, content_type: str = MULTIPART) -> tuple[BatchResponse, Found]:
    """Return what can be read of a response, and the findings; chunking does not matter."""
    assert len(outcomes(ResponseDecoder, content_type, data)) == 1
    report = check_response(data, content_type)
    assert report.value is not None
    return report.value, listed(report)


def slugs(found: Found) -> list[str]:
    return [slug for slug, _, _, _ in found]


# -- what a batch looks like --


def test_a_request_is_read_with_all_its_operations() -> None:
    body = b"POST /People HTTP/1.1\r\nContent-Type: text/plain\r\n\r\nJos\xe9\r\n"
    data = batch(part(), change_set(member(body), member(DELETE, b"2")), part(DELETE))
    request, found = read(data)
    post = Operation("POST", "/People", {"Content-Type": "text/plain"}, b"Jos\xe9\r\n", id="1")
    change = ChangeSet([post, Operation.delete("x", id="2")])
    assert request == BatchRequest([Operation.get("People"), change, Operation.delete("x")])
    assert found == []
    assert [item.position for item in request.items] == [5, data.index(b"--c\r\n"), 421]
    assert [each.position for each in request.operations()][1] == data.index(b"--c\r\n") + 5


def test_a_response_is_read_with_all_its_items() -> None:
    created = b"HTTP/1.1 201 Created\r\nLocation: x\r\n\r\n"
    data = batch(part(OK), change_set(member(created), member(NO_CONTENT, b"2")))
    response, found = read_response(data)
    change = ChangeSetResponse(
        [OperationResponse(201, {"Location": "x"}, id="1"), OperationResponse(204, id="2")]
    )
    assert response == BatchResponse([OperationResponse(200), change])
    assert [each.reason for each in response.responses()] == ["OK", "Created", "No Content"]
    assert found == []


def test_an_lf_message_is_read() -> None:
    data = batch(part(), change_set(member(DELETE))).replace(b"\r\n", b"\n")
    request, found = read(data)
    expected = [Operation.get("People"), ChangeSet([Operation.delete("x", id="1")])]
    assert request.items == tuple(expected)
    assert slugs(found) == ["line-feed"]


def test_bodies_are_the_octets_between_head_and_delimiter() -> None:
    body = b"\r\n\n\x00\xff--b x--b\r\n-- b\r\n"
    data = batch(part(b"POST x HTTP/1.1\r\nContent-Type: a/b\r\n\r\n" + body))
    request, found = read(data)
    assert [each.body for each in request.operations()] == [body]
    assert found == []


# -- the header section of a part --


def test_a_request_line_above_the_part_headers_is_an_error_that_says_so() -> None:
    data = batch(b"--b\r\nGET People HTTP/1.1\r\n" + PART_HEAD + b"\r\n\r\n", part(DELETE))
    request, found = read(data)
    assert request.items == (Operation.delete("x"),)
    message = "found 'GET People HTTP/1.1' where the header section of the part begins; "
    message += "the part's own headers and an empty line belong above it"
    assert found == [("request-line-in-part-headers", "items[0]", 5, message)]


@pytest.mark.parametrize(
    "first", [b"GET People", b"patch  $1", b"GET x HTTP/1.1 // comment", b"HTTP/1.1 200 OK"]
)
def test_any_start_line_in_place_of_the_part_headers_is_recognised(first: bytes) -> None:
    for data in (batch(b"--b\r\n" + first + CRLF), batch(b"--b\r\n" + first + CRLF * 2 + GET)):
        request, found = read(data)
        assert (request.items, slugs(found)) == ((), ["request-line-in-part-headers"])


@pytest.mark.parametrize(
    ("content", "slug", "message"),
    [
        (b"", "part-without-body", "no empty line ends the header section of the part"),
        (HTTP, "part-without-body", "no empty line ends the header section of the part"),
        (
            b"\r\nGET x HTTP/1.1\r\n\r\n\r\n",
            "part-without-headers",
            "the part has no header section, expected Content-Type at least",
        ),
    ],
)
def test_a_part_without_headers_or_empty_line_is_an_error(
    content: bytes, slug: str, message: str
) -> None:
    request, found = read(batch(b"--b\r\n" + content, part(DELETE)))
    assert request.items == (Operation.delete("x"),)
    assert found == [(slug, "items[0]", 5, message)]


def test_damage_in_one_part_is_reported_and_the_next_part_is_read() -> None:
    broken = member(b"x\r\n\r\n", b"2")
    data = batch(part(), change_set(member(DELETE), broken, member(DELETE, b"3")), part(DELETE))
    request, found = read(data)
    change = ChangeSet([Operation.delete("x", id="1"), Operation.delete("x", id="3")])
    assert request.items == (Operation.get("People"), change, Operation.delete("x"))
    position = data.index(b"x\r\n\r\n", data.index(b"Content-ID: 2"))
    message = "found 'x', expected a method and a URL"
    assert found == [("request-line-syntax", "items[1].items[1]", position, message)]
    with pytest.raises(DecodeError) as caught:
        decode_request(data, MULTIPART)
    assert (caught.value.path, caught.value.position) == ("items[1].items[1]", position)
    assert caught.value.partial == (Operation.get("People"),)


@pytest.mark.parametrize(
    ("field", "slug", "message"),
    [
        (b"X-A: 1", "part-header-ignored", "found the part header 'x-a'; it is not kept"),
        (
            b"Transfer-Encoding: chunked",
            "transfer-encoding",
            "the part has Transfer-Encoding 'chunked'",
        ),
        (
            b"Content-Encoding: gzip",
            "part-content-encoding",
            "the part has Content-Encoding 'gzip'",
        ),
        (
            b"Content-Length: 3",
            "part-content-length",
            "Content-Length of the part is '3', its content has 23 octets",
        ),
        (
            b"Content-Length: 023",
            "part-content-length",
            "Content-Length of the part is '023', its content has 23 octets",
        ),
        (
            b"Content-Length: 31",
            "part-content-length",
            "Content-Length of the part is '31', its content has 23 octets",
        ),
        # the close delimiter, with both of its line ends, has nine octets
        (
            b"Content-Length: 32",
            "content-length-crosses-delimiter",
            "Content-Length of the part is '32', its content has 23 octets",
        ),
        (
            b"Content-Length: 23, 24",
            "repeated-header",
            "Content-Length of the part is '23, 24', its content has 23 octets",
        ),
        (b"X-A", "header-syntax", "found 'X-A', expected a name, a colon and a value"),
        (
            b"Content-ID : 1",
            "header-blank-before-colon",
            "field line 'Content-ID : 1' has a blank before its colon",
        ),
    ],
)
def test_fields_that_have_no_place_in_a_part_are_reported(
    field: bytes, slug: str, message: str
) -> None:
    data = batch(part(GET, head=PART_HEAD + field + CRLF))
    request, found = read(data)
    assert [(each.method, each.url) for each in request.operations()] == [("GET", "People")]
    position = data.index(field) if slug.startswith("header") else 5
    assert found == [(slug, "items[0]", position, message)]


def test_ignored_fields_are_reported_in_their_order() -> None:
    head = PART_HEAD + b"Z: 1\r\nA: 2\r\nM: 3\r\nz: 4\r\n"
    _, found = read(batch(part(head=head)))
    assert [message for _, _, _, message in found] == [
        "found the part header 'z'; it is not kept",
        "found the part header 'a'; it is not kept",
        "found the part header 'm'; it is not kept",
    ]


@pytest.mark.parametrize("length", [b"23", b" 23 "])
def test_a_content_length_of_the_part_that_agrees_is_silent(length: bytes) -> None:
    head = PART_HEAD + b"Content-Length: " + length + CRLF
    assert read(batch(part(GET, head=head)))[1] == []


@pytest.mark.parametrize(
    "fold", [b"Content-Type:\r\n application/http\r\n", b"Content-Type: application/http\r\n\t\r\n"]
)
def test_a_folded_field_of_a_part_is_a_note(fold: bytes) -> None:
    request, found = read(batch(part(GET, head=fold + BINARY)))
    assert request.items == (Operation.get("People"),)
    message = "a field line is folded; it is read unfolded"
    assert found == [("part-header-folded", "items[0]", 5, message)]


@pytest.mark.parametrize("name", [b"Content-Type", b"Content-Transfer-Encoding", b"Content-ID"])
def test_two_values_of_an_identifying_field_are_an_error(name: bytes) -> None:
    head = PART_HEAD + b"Content-ID: 1\r\n" + name + b": 2\r\n"
    request, found = read(batch(part(GET, head=head)))
    assert request.items == (Operation.get("People", id="1"),)
    assert slugs(found) == ["repeated-header"]


def test_equal_values_of_an_identifying_field_are_one() -> None:
    head = (PART_HEAD + b"Content-ID: 1\r\n") * 2
    request, found = read(batch(part(GET, head=head)))
    assert request.items == (Operation.get("People", id="1"),)
    assert slugs(found) == ["repeated-header-equal"] * 3


# -- the media type of a part --


@pytest.mark.parametrize(
    "media_type",
    [
        b"application/http",
        b"Application/HTTP",
        b"application/http; msgtype=request",
        b'application/http;MSGTYPE="Request"',
        b"application/http;charset=utf-8",
        b"application/http;",
    ],
)
def test_application_http_is_recognised_in_all_spellings(media_type: bytes) -> None:
    data = batch(part(head=b"Content-Type: " + media_type + CRLF + BINARY))
    assert read(data) == (BatchRequest([Operation.get("People")]), [])


def test_a_msgtype_of_the_other_role_is_a_warning() -> None:
    head = b"Content-Type: application/http; msgtype=response\r\n" + BINARY
    request, found = read(batch(part(head=head)))
    assert request.items == (Operation.get("People"),)
    assert found == [("message-type", "items[0]", 5, "found msgtype 'response', expected request")]


def test_a_msgtype_of_the_response_is_that_of_its_role() -> None:
    head = b"Content-Type: application/http; msgtype=response\r\n" + BINARY
    assert read_response(batch(part(OK, head=head)))[1] == []


def test_a_problem_of_the_media_type_is_reported_at_its_part() -> None:
    head = b"Content-Type: application/http; a = b\r\n" + BINARY
    _, found = read(batch(part(head=head)))
    message = "blanks around the = of parameter a"
    assert found == [("parameter-blanks", "items[0]", 5, message)]


@pytest.mark.parametrize(
    ("message", "check", "content"),
    [
        ("found 'message/http'", check_request, GET),
        ("found 'message/http'", check_response, OK),
        ("the part has no Content-Type", check_request, GET),
        ("the part has no Content-Type", check_request, CRLF + GET),
        ("the part has no Content-Type", check_response, OK),
    ],
)
def test_a_message_of_no_such_type_is_read_with_a_warning(
    message: str,
    check: Callable[[bytes, str], Report[BatchRequest] | Report[BatchResponse]],
    content: bytes,
) -> None:
    media_type = b"Content-Type: message/http\r\n" if "message/" in message else b""
    report = check(batch(part(content, head=BINARY + media_type)), MULTIPART)
    assert report.value is not None and len(report.value.items) == 1
    expected = f"{message}, expected application/http; the content looks like it"
    ((slug, path, position, text), *_) = listed(report)
    assert slug == "part-content-type-assumed" and text == expected
    assert (path, position) == ("items[0]", 5)


@pytest.mark.parametrize(
    ("media_type", "content", "message"),
    [
        (b"text/plain", GET, "found 'text/plain'"),
        (b"text/plain", b"hello", "found 'text/plain'"),
        (b"application/json", b"{}", "found 'application/json'"),
        (b"application/http;x", GET, "found 'application/http;x'"),
        (b"application", GET, "found 'application'"),
        (b"", GET, "found ''"),
        (b"multipart/mixed; =", GET, "found 'multipart/mixed; ='"),
        (b"message/http", b"hello", "found 'message/http'"),
        (None, b"hello", "the part has no Content-Type"),
        (None, b"hello world", "the part has no Content-Type"),
    ],
)
def test_a_part_of_another_type_is_an_error(
    media_type: bytes | None, content: bytes, message: str
) -> None:
    line = b"" if media_type is None else b"Content-Type: " + media_type + CRLF
    request, found = read(batch(part(content, head=BINARY + line), part(DELETE)))
    assert request.items == (Operation.delete("x"),)
    assert slugs(found) == ["part-content-type"]
    assert found[0][1] == "items[0]"
    assert found[0][3] == f"{message}, expected application/http or multipart/mixed"


def test_a_message_of_the_other_role_is_an_error() -> None:
    request, found = read(batch(part(OK)))
    assert request.items == ()
    message = "found 'HTTP/1.1 200 OK', expected a request"
    assert found == [("message-kind", "items[0]", 5 + len(PART_HEAD) + 2, message)]


# -- content transfer encodings --


@pytest.mark.parametrize("coding", [b"binary", b"Binary", b"8bit", b"7BIT"])
def test_an_identity_encoding_changes_nothing(coding: bytes) -> None:
    head = HTTP + b"Content-Transfer-Encoding: " + coding + CRLF
    assert read(batch(part(head=head))) == (BatchRequest([Operation.get("People")]), [])


def test_a_missing_encoding_is_a_note() -> None:
    request, found = read(batch(part(head=HTTP)))
    message = "the part has no Content-Transfer-Encoding, expected binary"
    assert request.items == (Operation.get("People"),)
    position = 5 + len(HTTP) + 2
    assert found == [("content-transfer-encoding-missing", "items[0]", position, message)]


MESSAGE = b"POST x HTTP/1.1\r\nContent-Type: a/b\r\n\r\n\x00\xff--b\r\n"


@pytest.mark.parametrize(
    "content",
    [
        base64.b64encode(MESSAGE),
        base64.encodebytes(MESSAGE),
        base64.encodebytes(MESSAGE).replace(b"\n", b"\r\n"),
        CRLF + base64.b64encode(MESSAGE),
    ],
)
def test_a_part_in_base64_is_decoded_with_a_warning(content: bytes) -> None:
    head = HTTP + b"Content-Transfer-Encoding: Base64\r\n"
    request, found = read(batch(part(content, head=head)))
    (operation,) = request.operations()
    assert operation.body == b"\x00\xff--b\r\n"
    message = f"a part of {len(content)} octets was decoded from base64"
    position = 5 + len(head) + 2
    assert found == [("content-transfer-encoding-decoded", "items[0]", position, message)]


@pytest.mark.parametrize(
    ("coding", "content"),
    [
        (b"base64", b"R0VU*"),
        (b"base64", b"R0V"),
        (b"base64", b"R0VU=R0VU"),
        (b"base64", GET),
        (b"quoted-printable", GET),
        (b"gzip", GET),
        (b"x-binary", GET),
        (b"", GET),
    ],
)
def test_another_encoding_or_broken_base64_is_an_error(coding: bytes, content: bytes) -> None:
    head = HTTP + b"Content-Transfer-Encoding: " + coding + CRLF
    request, found = read(batch(part(content, head=head), part(DELETE)))
    assert request.items == (Operation.delete("x"),)
    message = f"found {coding.decode()!r}, expected binary"
    position = 5 + len(head) + 2
    assert found == [("content-transfer-encoding", "items[0]", position, message)]


# -- Content-Length of the message --


def post(length: int, body: bytes) -> bytes:
    return b"POST x HTTP/1.1\r\nContent-Type: a/b\r\nContent-Length: %d\r\n\r\n" % length + body


@pytest.mark.parametrize(
    ("length", "expected"),
    [
        (5, []),
        (4, ["content-length-mismatch"]),
        (6, ["content-length-mismatch"]),
        (11, ["content-length-mismatch"]),
        (12, ["content-length-crosses-delimiter"]),
        (400, ["content-length-crosses-delimiter"]),
    ],
)
def test_a_content_length_is_held_against_the_delimiters(length: int, expected: list[str]) -> None:
    data = batch(part(post(length, b"hello")), part(DELETE))
    request, found = read(data)
    assert [each.body for each in request.operations()] == [b"hello", b""]
    assert slugs(found) == expected


def test_a_crlf_that_content_length_does_not_cover_stays_in_the_body() -> None:
    request, found = read(batch(part(post(5, b"hello\r\n"))))
    assert [each.body for each in request.operations()] == [b"hello\r\n"]
    assert slugs(found) == ["content-length-trailing-crlf"]


def test_a_delimiter_inside_of_a_claimed_length_is_an_error() -> None:
    smuggled = b"x\r\n" + part(DELETE).removesuffix(CRLF)
    data = batch(part(post(len(smuggled), smuggled)))
    request, found = read(data)
    assert [each.method for each in request.operations()] == ["POST", "DELETE"]
    assert slugs(found) == ["content-length-crosses-delimiter"]
    assert found[0][1] == "items[0]"


def test_the_delimiter_of_the_enclosing_multipart_is_not_crossed_either() -> None:
    message = b"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Length: 12\r\n\r\nhello"
    inner = member(message).removesuffix(CRLF)
    data = batch(b"--b\r\n" + MIXED + CRLF + inner + CRLF, part(NO_CONTENT))
    response, found = read_response(data)
    assert [each.status for each in response.responses()] == [200, 204]
    assert slugs(found) == ["content-length-crosses-delimiter", "change-set-unclosed"]


# -- Content-ID --


@pytest.mark.parametrize(
    ("outer", "inner", "id", "in_message", "fields", "found"),
    [
        (None, None, None, False, [], []),
        (b"1", None, "1", False, [], []),
        (
            None,
            b"1",
            "1",
            True,
            [],
            [("content-id-in-message", "Content-ID '1' stands in the HTTP message")],
        ),
        (b"1", b"1", "1", False, [("Content-ID", "1")], []),
        (
            b"1",
            b"2",
            "1",
            False,
            [("Content-ID", "2")],
            [("content-id-conflict", "Content-ID is '1' in the part and '2' in the message")],
        ),
        (b"", None, None, False, [], [("content-id-empty", "found an empty Content-ID")]),
        (None, b"", None, True, [], [("content-id-empty", "found an empty Content-ID")]),
        (
            b"",
            b"1",
            "1",
            True,
            [],
            [
                ("content-id-empty", "found an empty Content-ID"),
                ("content-id-in-message", "Content-ID '1' stands in the HTTP message"),
            ],
        ),
        (b"", b"", None, True, [], [("content-id-empty", "found an empty Content-ID")]),
        (
            b"1",
            b"",
            "1",
            False,
            [("Content-ID", "")],
            [("content-id-conflict", "Content-ID is '1' in the part and '' in the message")],
        ),
    ],
)
def test_a_content_id_is_found_in_either_place(
    outer: bytes | None,
    inner: bytes | None,
    id: str | None,
    in_message: bool,
    fields: list[tuple[str, str]],
    found: list[tuple[str, str]],
) -> None:
    head = PART_HEAD if outer is None else PART_HEAD + b"Content-ID: " + outer + CRLF
    field = b"" if inner is None else b"content-ID: " + inner + CRLF
    request, findings = read(batch(part(b"GET x HTTP/1.1\r\n" + field + CRLF, head=head)))
    (operation,) = request.operations()
    assert (operation.id, operation.id_in_message) == (id, in_message)
    assert operation.headers == Headers(fields)
    assert findings == [(slug, "items[0]", 5, message) for slug, message in found]


def test_a_content_id_is_written_where_it_was_found() -> None:
    message = b"HTTP/1.1 204 No Content\r\nA: b\r\nContent-ID: 1\r\n\r\n"
    data = batch(part(message), part(NO_CONTENT, head=PART_HEAD + b"Content-ID: 2\r\n"))
    response = decode_response(data, MULTIPART)
    assert [each.id for each in response.responses()] == ["1", "2"]
    assert encode_response(response, boundary="b").body == data


# -- change sets --


def test_a_change_set_has_blanks_and_text_around_its_parts() -> None:
    content = CRLF + member(DELETE) + b"--c--\r\n\r\n"
    request, found = read(batch(b"--b\r\n" + MIXED + CRLF + content))
    assert request.items == (ChangeSet([Operation.delete("x", id="1")]),)
    assert found == []


@pytest.mark.parametrize(
    ("line", "slug", "message"),
    [
        (
            b"Content-Type: multipart/parallel; boundary=c\r\n",
            "multipart-subtype",
            "found 'multipart/parallel', expected multipart/mixed",
        ),
        (
            MIXED + b"Content-Transfer-Encoding: base64\r\n",
            "content-transfer-encoding",
            "found 'base64' on a multipart, expected binary",
        ),
        (
            MIXED + b"Content-Transfer-Encoding:\r\n",
            "content-transfer-encoding",
            "found '' on a multipart, expected binary",
        ),
        (
            MIXED + b"Content-ID: 7\r\n",
            "content-id-on-change-set",
            "the change set has Content-ID '7'; not kept",
        ),
        (
            b'Content-Type: multipart/mixed; boundary=c; boundary="c"\r\n',
            "boundary-repeated",
            "boundary 'c' is given 2 times",
        ),
    ],
)
def test_odd_headers_of_a_change_set_are_reported(line: bytes, slug: str, message: str) -> None:
    data = batch(b"--b\r\n" + line + CRLF + member(DELETE) + b"--c--\r\n")
    request, found = read(data)
    assert request.items == (ChangeSet([Operation.delete("x", id="1")]),)
    assert found == [(slug, "items[0]", data.index(b"--c"), message)]


@pytest.mark.parametrize("coding", [b"binary", b"8Bit", b"7bit"])
def test_a_change_set_may_have_an_identity_encoding(coding: bytes) -> None:
    head = MIXED + b"Content-Transfer-Encoding: " + coding + CRLF
    assert read(batch(b"--b\r\n" + head + CRLF + member(DELETE) + b"--c--\r\n"))[1] == []


@pytest.mark.parametrize(
    ("parameter", "slug", "message"),
    [
        (b"", "boundary-missing", "multipart without boundary parameter"),
        (b"; boundary=", "boundary-missing", "boundary is empty"),
        (b'; boundary=""', "boundary-missing", "boundary is empty"),
        (b"; boundary=d", "no-delimiter", "body starts with '--c', Content-Type says 'd'"),
        (b"; boundary=c; boundary=d", "boundary-conflict", "found boundaries 'c' and 'd'"),
        (
            b"; boundary=c; boundary*0=d",
            "boundary-conflict",
            "found the parameters boundary and boundary*0, 'c' and 'd'",
        ),
        (
            b'; boundary="c\xe9"',
            "boundary-syntax",
            r"boundary 'cé' is not printable US-ASCII",
        ),
        (b'; boundary="c\td"', "boundary-syntax", r"boundary 'c\td' is not printable US-ASCII"),
    ],
)
def test_a_boundary_problem_of_a_change_set_concerns_that_part_alone(
    parameter: bytes, slug: str, message: str
) -> None:
    head = b"Content-Type: multipart/mixed" + parameter + CRLF
    data = batch(b"--b\r\n" + head + CRLF + member(DELETE) + b"--c--\r\n", part(DELETE))
    report = check_request(data, MULTIPART)
    assert report.complete
    assert report.value == BatchRequest([Operation.delete("x")])
    found = [each for each in listed(report) if each[0] != "header-not-ascii"]
    assert found == [(slug, "items[0]", data.index(b"--c"), message)]
    with pytest.raises(DecodeError) as caught:
        decode_request(data, MULTIPART)
    assert caught.value.rule.slug == slug


def test_a_boundary_beyond_the_limit_concerns_the_whole_message() -> None:
    data = batch(part(), change_set(member(DELETE), boundary=b"c" * 71), part(DELETE))
    report = check_request(data, MULTIPART)
    assert not report.complete
    assert report.value == BatchRequest([Operation.get("People")])
    assert listed(report)[-1][:2] == ("limit-exceeded", "items[1]")


def test_a_change_set_with_the_boundary_of_the_batch_is_an_error() -> None:
    head = b"--b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    request, found = read(batch(head + CRLF, part(DELETE)))
    assert request.items == (Operation.delete("x"),)
    message = "the boundary 'b' is that of the enclosing multipart"
    assert slugs(found) == ["boundary-reused", "no-delimiter"]
    assert found[0] == ("boundary-reused", "items[0]", len(head), message)


def test_a_boundary_that_begins_with_the_outer_one_is_a_note() -> None:
    data = batch(change_set(member(DELETE, boundary=b"b_1"), boundary=b"b_1"), part(DELETE))
    request, found = read(data)
    assert request.items == (ChangeSet([Operation.delete("x", id="1")]), Operation.delete("x"))
    message = "the boundary 'b_1' begins with 'b', the outer one"
    assert found == [("boundary-prefix", "items[0]", data.index(b"--b_1"), message)]


@pytest.mark.parametrize(
    ("line", "boundary", "path"),
    [
        (b"--b_1", b"b", "items[0]"),
        (b"--c-", b"c", "items[0].items[0]"),
        (b"\r--b\r", b"b", "items[0]"),
    ],
)
def test_a_lookalike_in_a_change_set_is_a_warning(line: bytes, boundary: bytes, path: str) -> None:
    message = b"POST x HTTP/1.1\r\nContent-Type: a/b\r\n\r\n\r\n" + line
    data = batch(change_set(member(message)))
    request, found = read(data)
    assert [each.body for each in request.operations()] == [CRLF + line]
    text = f"a line of content begins with {'--' + boundary.decode()!r}"
    position = data.index(line) + line.index(b"--")
    assert found == [("delimiter-lookalike", path, position, text)]


def test_a_lookalike_in_a_part_is_a_warning() -> None:
    data = batch(part(b"POST x HTTP/1.1\r\nContent-Type: a/b\r\n\r\n\r\n--b--x\r\n--b-"))
    _, found = read(data)
    message = "a line of content begins with '--b'"
    position = data.index(b"--b--x")
    assert found == [("delimiter-lookalike", "items[0]", position, message)]


def test_a_lookalike_before_the_first_delimiter_is_a_warning() -> None:
    data = b"\xef\xbb\xbf" + batch(part(DELETE), part())
    request, found = read(data)
    assert request.items == (Operation.get("People"),)
    assert slugs(found) == ["preamble", "delimiter-lookalike"]


def test_an_empty_change_set_is_a_warning_in_requests() -> None:
    request, found = read(batch(change_set()))
    assert request.items == (ChangeSet([]),)
    assert slugs(found) == ["empty-change-set"]


def test_a_change_set_whose_only_operation_is_damaged_is_not_called_empty() -> None:
    _, found = read(batch(change_set(member(b"nothing at all, really"))))
    assert "empty-change-set" not in slugs(found)


@pytest.mark.parametrize("declared", [b"boundary=b", b'boundary="b"'])
def test_a_change_set_that_is_cut_by_its_own_boundary_is_said_to_reuse_it(declared: bytes) -> None:
    head = b"Content-Type: multipart/mixed; " + declared + CRLF
    _, found = read(b"--b\r\n" + head + CRLF + batch(member(DELETE, boundary=b"b")) + batch())
    message = "the boundary 'b' is that of the enclosing multipart"
    assert found[0] == ("boundary-reused", "items[0]", 5, message)


@pytest.mark.parametrize("head", [b"Content-Type: application/http", b"X: y", b"x"])
def test_any_other_part_that_ends_in_its_head_has_no_body(head: bytes) -> None:
    _, found = read(b"--b\r\n" + head + b"\r\n--b--")
    assert slugs(found) == ["part-without-body"]


def test_a_change_set_may_have_as_many_operations_as_the_limit() -> None:
    data = batch(change_set(member(DELETE), member(DELETE, b"2")))
    request = decode_request(data, MULTIPART, limits=Limits(change_set_operations=2))
    assert len(request.operations()) == 2
    with pytest.raises(LimitExceeded) as caught:
        decode_request(data, MULTIPART, limits=Limits(change_set_operations=1))
    assert (caught.value.limit, caught.value.path) == ("change_set_operations", "items[0]")
    assert caught.value.position == data.index(b"Content-ID: 2") - len(PART_HEAD)


# -- change sets in change sets --

NESTED = batch(
    change_set(
        member(DELETE),
        change_set(
            member(DELETE, b"2", boundary=b"d"),
            member(DELETE, b"3", boundary=b"d"),
            boundary=b"d",
            outer=b"c",
        ),
        member(DELETE, b"4"),
    ),
    part(),
)


def test_a_change_set_in_a_change_set_is_an_error_by_default() -> None:
    request, found = read(NESTED)
    change = ChangeSet([Operation.delete("x", id="1"), Operation.delete("x", id="4")])
    assert request.items == (change, Operation.get("People"))
    position = NESTED.index(b"--d")
    message = "found a change set at depth 2"
    assert found == [("nested-change-set", "items[0].items[1]", position, message)]


def test_a_change_set_in_a_change_set_is_read_where_the_limit_allows() -> None:
    limits = Limits(change_set_depth=2)
    inner = ChangeSet([Operation.delete("x", id="2"), Operation.delete("x", id="3")])
    outer = ChangeSet([Operation.delete("x", id="1"), inner, Operation.delete("x", id="4")])
    expected = BatchRequest([outer, Operation.get("People")])
    results = {
        fed(RequestDecoder(MULTIPART, limits=limits), chunks) for chunks in chunkings(NESTED)
    }
    assert results == {(expected, expected.items, ())}
    payload = encode_request(expected, limits=limits)
    assert decode_request(payload.body, payload.content_type, limits=limits) == expected


def test_damage_in_a_nested_change_set_has_its_path() -> None:
    data = NESTED.replace(b"Content-ID: 3\r\n\r\nDELETE", b"Content-ID: 3\r\n\r\nDEL(TE")
    report = check_request(data, MULTIPART, limits=Limits(change_set_depth=2))
    assert [(slug, path) for slug, path, _, _ in listed(report)] == [
        ("method-syntax", "items[0].items[1].items[1]")
    ]


def test_depth_has_a_limit_of_its_own() -> None:
    limits = Limits(change_set_depth=0)
    report = check_request(batch(change_set(member(DELETE)), part()), MULTIPART, limits=limits)
    assert report.value == BatchRequest([Operation.get("People")])
    assert [each[3] for each in listed(report)] == ["found a change set at depth 1"]


# -- what is cut off --


@pytest.mark.parametrize("tail", [b"", b"--b", b"--b\r\n", b"--b\r\n" + PART_HEAD, part()[:-9]])
def test_a_request_without_close_delimiter_is_an_error(tail: bytes) -> None:
    data = part(DELETE) + part() + tail
    complete = 2 if tail.startswith(b"--b\r\n") else 1
    request, found = read(data)
    assert len(request.items) == complete
    assert found == [("truncated", "", len(data), "the request ends without '--b--'")]
    with pytest.raises(DecodeError) as caught:
        decode_request(data, MULTIPART)
    assert len(caught.value.partial) == complete


@pytest.mark.parametrize("tail", [b"", b"--b", b"--b\r\n", b"--b\r\n" + PART_HEAD])
def test_a_response_without_close_delimiter_is_truncated(tail: bytes) -> None:
    data = part(OK) + part(NO_CONTENT) + tail
    response, found = read_response(data)
    complete = 2 if tail.startswith(b"--b\r\n") else 1
    statuses = [each.status for each in response.responses()]
    assert (statuses, response.truncated) == ([200, 204][:complete], True)
    message = "the response ends without '--b--'"
    assert found == [("truncated-response", "", len(data), message)]
    with pytest.raises(DecodeError, match=r"truncated-response"):
        decode_response(data, MULTIPART, strict=True)


def test_a_whole_response_is_not_truncated() -> None:
    assert not decode_response(batch(part(OK)), MULTIPART).truncated


def unclosed(*members: bytes) -> bytes:
    """Return a part that holds a change set without its close delimiter."""
    return b"--b\r\n" + MIXED + CRLF + b"".join(members)


def test_a_change_set_of_a_request_without_close_delimiter_is_an_error() -> None:
    data = batch(unclosed(member(DELETE), member(DELETE, b"2")), part())
    request, found = read(data)
    change = ChangeSet([Operation.delete("x", id="1"), Operation.delete("x", id="2")])
    assert request.items == (change, Operation.get("People"))
    position = data.rindex(b"\r\n--b\r\n")
    message = "the change set ends without '--c--'"
    assert found == [("truncated", "items[0]", position, message)]


def test_a_change_set_of_a_response_without_close_delimiter_is_a_warning() -> None:
    data = batch(unclosed(member(OK), member(NO_CONTENT, b"2")), part(OK))
    response, found = read_response(data)
    assert [each.status for each in response.responses()] == [200, 204, 200]
    assert not response.truncated
    position = data.rindex(b"\r\n--b\r\n")
    message = "the change set ends without '--c--'"
    assert found == [("change-set-unclosed", "items[0]", position, message)]


def test_a_close_delimiter_of_the_batch_ends_the_change_set_too() -> None:
    data = batch(change_set(member(b"POST x HTTP/1.1\r\nContent-Type: a/b\r\n\r\n1\r\n--b--\r\n2")))
    _, found = read(data)
    assert slugs(found) == ["truncated", "epilogue-delimiter"]


# -- the boundary parameter --


@pytest.mark.parametrize(
    ("parameters", "boundary", "found"),
    [
        ("boundary=b", b"b", []),
        ('boundary="a b"', b"a b", []),
        ("BOUNDARY=b", b"b", []),
        ("boundary=" + "b" * 70, b"b" * 70, []),
        ("boundary=b; boundary=b", b"b", [("boundary-repeated", "boundary 'b' is given 2 times")]),
        (
            'boundary="b;"',
            b"b;",
            [("boundary-characters", "boundary 'b;' has characters that RFC 2046 does not allow")],
        ),
        (
            'boundary="b "',
            b"b ",
            [("boundary-characters", "boundary 'b ' has characters that RFC 2046 does not allow")],
        ),
    ],
)
def test_a_boundary_is_read(parameters: str, boundary: bytes, found: list[tuple[str, str]]) -> None:
    reports: list[Diagnostic] = []
    media_type = parse_media_type(f"multipart/mixed; {parameters}")
    assert boundary_of(media_type, Limits(), reports.append, 7) == boundary
    assert [(each.rule.slug, each.message) for each in reports] == found
    assert all(each.position == 7 for each in reports)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ("x=y", "multipart without boundary parameter"),
        ('boundary=""', "boundary is empty"),
        ("boundary=b; boundary=c", "found boundaries 'b' and 'c'"),
        ("boundary=b; boundary=B", "found boundaries 'b' and 'B'"),
        ("boundary*=utf-8''b", "multipart without boundary parameter"),
        (
            "boundary=b; boundary*=utf-8''c",
            "found the parameters boundary and boundary*, 'b' and \"utf-8''c\"",
        ),
        (
            "boundary*0*=b; boundary=b",
            "found the parameters boundary and boundary*0*, 'b' and 'b'",
        ),
        ('boundary="é"', "boundary 'é' is not printable US-ASCII"),
        ('boundary="\x7f"', r"boundary '\x7f' is not printable US-ASCII"),
        ("boundary=" + "b" * 71, "limit boundary is 70, and the message exceeds it"),
    ],
)
def test_a_boundary_that_cannot_be_used_is_an_error(parameters: str, message: str) -> None:
    with pytest.raises(DecodeError) as caught:
        decode_request(b"", f"multipart/mixed; {parameters}")
    assert caught.value.diagnostic.message == message
    assert (caught.value.path, caught.value.position) == ("headers", 0)


# -- writing --

REQUEST = BatchRequest(
    [
        Operation.get("People", headers={"Accept": "a/b"}),
        ChangeSet(
            [Operation.post("People", headers={"Content-Type": "a/b"}, body=b"\x00\r\n", id="1")]
        ),
        Operation.delete("x", id="2"),
    ]
)


def derived(boundary: str, index: int, attempt: int, prefix: str = "changeset") -> str:
    """Return the boundary that is derived for a change set."""
    digest = hashlib.sha256(f"{boundary}/{index}/{attempt}".encode()).hexdigest()
    return f"{prefix}_{digest[:32]}"


def test_a_request_is_written_octet_by_octet() -> None:
    inner = derived("b", 0, 0).encode()
    body = b"POST People HTTP/1.1\r\nContent-Type: a/b\r\n\r\n\x00\r\n"
    expected = batch(
        part(b"GET People HTTP/1.1\r\nAccept: a/b\r\n\r\n"),
        b"--b\r\nContent-Type: multipart/mixed; boundary=" + inner + CRLF * 2,
        member(body, boundary=inner),
        b"--" + inner + b"--\r\n\r\n",
        part(DELETE, head=PART_HEAD + b"Content-ID: 2\r\n"),
    )
    assert encode_request(REQUEST, boundary="b").body == expected
    encoder = RequestEncoder(boundary="b")
    chunks = [encoder.send(item) for item in REQUEST.items]
    assert b"".join(chunks) + encoder.close() == expected


def test_a_response_is_written_with_boundaries_of_its_own() -> None:
    change = ChangeSetResponse([OperationResponse(204, id="1")])
    payload = encode_response(BatchResponse([change]), boundary="r")
    inner = derived("r", 0, 0, "changesetresponse").encode()
    expected = change_set(member(NO_CONTENT, boundary=inner), boundary=inner, outer=b"r")
    expected = expected.removesuffix(CRLF) + CRLF * 2
    assert payload.body == expected + b"--r--\r\n"


@pytest.mark.parametrize("role", ["request", "response"])
def test_boundaries_are_random_unless_one_is_given(role: str) -> None:
    def encode() -> tuple[str, bytes]:
        if role == "request":
            payload = encode_request(REQUEST)
        else:
            change = ChangeSetResponse([OperationResponse(204, id="1")])
            payload = encode_response(BatchResponse([change]))
        return payload.content_type, payload.body

    suffix = "" if role == "request" else "response"
    (first, body), (second, _) = encode(), encode()
    assert first != second
    prefix = f"multipart/mixed; boundary=batch{suffix}_"
    assert first.startswith(prefix) and len(first) == len(prefix) + 32
    assert f"boundary=changeset{suffix}_".encode() in body


def test_every_change_set_has_a_boundary_of_its_own() -> None:
    items = [ChangeSet([Operation.delete("x", id=id)]) for id in ("1", "2")]
    body = encode_request(BatchRequest(items), boundary="b").body
    assert all(f"boundary={derived('b', index, 0)}".encode() in body for index in (0, 1))


def holding(boundaries: list[str]) -> BatchRequest:
    """Return a batch with a change set whose content holds these boundaries behind hyphens."""
    body = b"".join(b"--" + boundary.encode() for boundary in boundaries)
    headers = {"Content-Type": "a/b"}
    return BatchRequest([ChangeSet([Operation.post("x", headers=headers, body=body, id="1")])])


def test_a_derived_boundary_that_occurs_in_the_content_is_passed_over() -> None:
    taken = [derived("b", 0, attempt) for attempt in range(7)]
    payload = encode_request(holding(taken), boundary="b")
    assert f"boundary={derived('b', 0, 7)}\r\n".encode() in payload.body
    assert decode_request(payload.body, payload.content_type, strict=True) == holding(taken)


def test_content_that_holds_every_derived_boundary_is_refused() -> None:
    taken = [derived("b", 0, attempt) for attempt in range(8)]
    with pytest.raises(EncodeError) as caught:
        encode_request(holding(taken), boundary="b")
    (found,) = caught.value.diagnostics
    assert found.rule.slug == "boundary-in-content"
    assert found.message == f"'--{taken[7]}' occurs in the content"


@pytest.mark.parametrize("body", [b"--b", b"x--b", b"\r\n--b\r\n", b"--bb"])
def test_content_that_holds_the_boundary_is_refused(body: bytes) -> None:
    operation = Operation.post("x", headers={"Content-Type": "a/b"}, body=body)
    with pytest.raises(EncodeError) as caught:
        encode_request(BatchRequest([operation]), boundary="b")
    (found,) = caught.value.diagnostics
    assert found.rule.slug == "boundary-in-content"
    assert found.message == "'--b' occurs in the content"
    encoder = RequestEncoder(boundary="b")
    with pytest.raises(EncodeError):
        encoder.send(operation)


def test_the_boundary_of_the_batch_may_not_begin_that_of_a_change_set() -> None:
    with pytest.raises(EncodeError, match="'--changeset' occurs in the content"):
        encode_request(REQUEST, boundary="changeset")


@pytest.mark.parametrize(
    ("boundary", "written"),
    [
        ("b", "b"),
        ("a.b_c-1'+", "a.b_c-1'+"),
        ("a b", '"a b"'),
        ("a/b", '"a/b"'),
        ("(a,b):=?", '"(a,b):=?"'),
        ("b" * 70, "b" * 70),
    ],
)
def test_a_boundary_is_quoted_where_it_is_no_token(boundary: str, written: str) -> None:
    payload = encode_request(REQUEST, boundary=boundary)
    assert payload.content_type == f"multipart/mixed; boundary={written}"
    decoded = decode_request(
        payload.body, payload.content_type, headers=payload.headers, strict=True
    )
    assert decoded == REQUEST


EXPECTED = "expected digits, letters, '()+_,-./:=? and blanks"


@pytest.mark.parametrize(
    ("boundary", "messages"),
    [
        ("", [f"found the boundary '', {EXPECTED}"]),
        ("b ", [f"found the boundary 'b ', {EXPECTED}"]),
        ("b;", [f"found the boundary 'b;', {EXPECTED}"]),
        ('b"', [f"found the boundary 'b\"', {EXPECTED}"]),
        ("b\r\n", [rf"found the boundary 'b\r\n', {EXPECTED}"]),
        ("é", [f"found the boundary 'é', {EXPECTED}"]),
        ("b" * 71, ["the boundary has 71 characters, at most 70 are allowed"]),
        (
            "\u0661" * 71,
            [
                f"found the boundary '{chr(0x661) * 60}'..., {EXPECTED}",
                "the boundary has 71 characters, at most 70 are allowed",
            ],
        ),
    ],
)
def test_an_illegal_boundary_is_refused(boundary: str, messages: list[str]) -> None:
    with pytest.raises(EncodeError) as caught:
        encode_request(REQUEST, boundary=boundary)
    found = caught.value.diagnostics
    assert [each.message for each in found] == messages
    assert {each.rule.slug for each in found} == {"boundary-characters"}


def test_a_boundary_is_no_longer_than_the_limit() -> None:
    reports: list[Diagnostic] = []
    check_boundary("12345", Limits(boundary=5), reports.append)
    assert reports == []
    check_boundary("12345", Limits(boundary=4), reports.append)
    check_boundary("b" * 71, Limits(boundary=100), reports.append)
    assert [each.message for each in reports] == [
        "the boundary has 5 characters, at most 4 are allowed",
        "the boundary has 71 characters, at most 70 are allowed",
    ]


def test_a_boundary_is_a_str() -> None:
    # What a caller without a type checker may pass.
    boundary: str = b"b"  # type: ignore[assignment]  # the wrong type is the point
    with pytest.raises(TypeError, match="boundary is a str, not bytes"):
        encode_request(REQUEST, boundary=boundary)


@pytest.mark.parametrize(
    ("batch_request", "messages"),
    [
        (BatchRequest([]), ["a multipart batch has at least one item"]),
        (
            BatchRequest([Operation.get("x")], annotations=[("@a", b"1"), ("@b", b"2")]),
            [
                "a multipart batch cannot carry the annotation '@a'",
                "a multipart batch cannot carry the annotation '@b'",
            ],
        ),
        (
            BatchRequest(
                [
                    Operation.get("x", id="1"),
                    ChangeSet([Operation.delete("y", id="2", depends_on=["1"])]),
                    Operation("DELETE", "z", id="3", condition="$1", annotations=[("@a", b"1")]),
                ]
            ),
            [
                "a multipart batch cannot carry depends_on",
                "a multipart batch cannot carry the annotation '@a'",
                "a multipart batch cannot carry condition",
            ],
        ),
    ],
)
def test_what_multipart_cannot_carry_is_refused(
    batch_request: BatchRequest, messages: list[str]
) -> None:
    with pytest.raises(EncodeError) as caught:
        encode_request(batch_request)
    assert [each.message for each in caught.value.diagnostics] == messages


@pytest.mark.parametrize(
    ("batch_response", "messages"),
    [
        (BatchResponse([]), ["a multipart batch has at least one item"]),
        (
            BatchResponse([OperationResponse(204)], next_link="x", truncated=True),
            [
                "a multipart batch cannot carry next_link",
                "a multipart batch cannot carry truncated",
            ],
        ),
        (
            BatchResponse(
                [ChangeSetResponse([OperationResponse(204, annotations=[("@a", b"1")])])]
            ),
            ["a multipart batch cannot carry the annotation '@a'"],
        ),
    ],
)
def test_what_a_multipart_response_cannot_carry_is_refused(
    batch_response: BatchResponse, messages: list[str]
) -> None:
    with pytest.raises(EncodeError) as caught:
        encode_response(batch_response)
    assert [each.message for each in caught.value.diagnostics] == messages


def test_header_octets_are_counted_as_decoding_counts_them() -> None:
    payload = encode_request(REQUEST, boundary="b")
    sections = (
        3 * (len(PART_HEAD) - 2)
        + 2 * len(b"Content-ID: 1\r\n")
        + len(b"Content-Type: multipart/mixed; boundary=")
        + len(derived("b", 0, 0))
        + len(b"Accept: a/b")
        + len(b"Content-Type: a/b")
    )
    enough = Limits(headers_total=sections)
    assert decode_request(payload.body, payload.content_type, limits=enough) == REQUEST
    with pytest.raises(LimitExceeded):
        decode_request(
            payload.body, payload.content_type, limits=Limits(headers_total=sections - 1)
        )
    with pytest.raises(EncodeError, match="headers_total"):
        encode_request(REQUEST, limits=Limits(headers_total=sections - 1))


def test_parts_count_even_if_nothing_can_be_read_of_them() -> None:
    data = batch(*[b"--b\r\n\r\n\r\n"] * 3)
    report = check_request(data, MULTIPART, limits=Limits(operations=2))
    assert report.diagnostics[-1].limit == ("operations", 2)
    assert (report.complete, report.diagnostics[-1].path) == (False, "items[2]")
