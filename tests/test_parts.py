"""The multipart format as it is read: parts, their fields and encodings, change sets, damage."""

from __future__ import annotations

import base64

import pytest

from odata_batch import (
    BatchRequest,
    BatchResponse,
    ChangeSet,
    ChangeSetResponse,
    DecodeError,
    Diagnostic,
    Headers,
    LimitExceeded,
    Limits,
    Operation,
    OperationResponse,
    Report,
    check_request,
    decode_request,
    decode_response,
    encode_request,
    encode_response,
)

from .helpers import (
    CRLF,
    GET,
    MULTIPART,
    PART_HEAD,
    batch,
    change_set,
    checked_request,
    checked_response,
    member,
    octets,
    part,
    rows,
)

DELETE = b"DELETE x HTTP/1.1\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\n\r\n"
NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"
HTTP = b"Content-Type: application/http\r\n"
BINARY = b"Content-Transfer-Encoding: binary\r\n"
MIXED = b"Content-Type: multipart/mixed; boundary=c\r\n"
X = Operation.delete("x")


def listed(report: Report[BatchRequest] | Report[BatchResponse]) -> list[str]:
    """Return all findings as text, without their severities."""
    return [told(each) for each in report.diagnostics]


def told(found: Diagnostic) -> str:
    path = f" in {found.path}" if found.path else ""
    return f"{found.rule.slug}@{found.position}{path}: {found.message}"


def slugs(report: Report[BatchRequest] | Report[BatchResponse]) -> str:
    return " ".join(each.rule.slug for each in report.diagnostics)


def marked(data: bytes) -> tuple[bytes, int]:
    """Return the data without its mark, which is "^", and the position of the mark."""
    before, _, after = data.partition(b"^")
    return before + after, len(before)


# -- what a batch looks like --


def test_a_request_is_read_with_all_its_operations() -> None:
    body = b"POST /People HTTP/1.1\r\nContent-Type: text/plain\r\n\r\nJos\xe9\r\n"
    data = batch(part(), change_set(member(body), member(DELETE, b"2")), part(DELETE))
    post = Operation("POST", "/People", {"Content-Type": "text/plain"}, b"Jos\xe9\r\n", id="1")
    change = ChangeSet([post, Operation.delete("x", id="2")])
    for content, notes in ((data, ""), (data.replace(b"\r\n", b"\n"), "line-feed")):
        report = checked_request(content)
        assert report.value is not None
        assert report.value.items[0] == Operation.get("People")
        assert [item.id for item in report.value.operations()] == [None, "1", "2", None]
        assert slugs(report) == notes
    report = checked_request(data)
    assert report.value == BatchRequest([Operation.get("People"), change, X])
    assert [item.position for item in report.value.items] == [5, data.index(b"--c\r\n"), 421]
    assert [each.position for each in report.value.operations()][1] == data.index(b"--c\r\n") + 5


def test_a_response_is_read_with_all_its_items() -> None:
    created = b"HTTP/1.1 201 Created\r\nLocation: x\r\n\r\n"
    report = checked_response(
        batch(part(OK), change_set(member(created), member(NO_CONTENT, b"2")))
    )
    first, second = (
        OperationResponse(201, {"Location": "x"}, id="1"),
        OperationResponse(204, id="2"),
    )
    assert report.value == BatchResponse(
        [OperationResponse(200), ChangeSetResponse([first, second])]
    )
    assert [each.reason for each in report.value.responses()] == ["OK", "Created", "No Content"]
    assert report.diagnostics == ()


# -- one part --

MESSAGE = b"POST x HTTP/1.1\r\nContent-Type: a/b\r\n\r\n\x00\xff--b\r\n"
SHORT = {"H": PART_HEAD, "T": HTTP, "B": BINARY, "GET": GET, "OK": OK, "-": b""}

# The fields of a part, parted by `|`, its content, the method of what is read of it if anything,
# and what is found: where the mark is, or at the beginning of the part. `H`, `T` and `B` are the
# usual fields, the media type and the encoding among them; `GET` and `OK` whole messages.
PARTS = rows(
    r"""
GET People HTTP/1.1|H => \r\n => => start-line: 'GET People HTTP/1.1'
GET People => - => => start-line: 'GET People'
patch  $1 => GET => => start-line: 'patch  $1'
GET x HTTP/1.1 // a => GET => => start-line: 'GET x HTTP/1.1 // a'
HTTP/1.1 200 OK => GET => => start-line: 'HTTP/1.1 200 OK'
- => GET x HTTP/1.1\r\n\r\n\r\n => =>
    part-without-headers: the part has no header section, expected Content-Type at least
H|X-A: 1 => GET => GET => part-header-ignored: found the part header 'x-a'; it is not kept
H|^X-A => GET => GET => header-syntax: found 'X-A', expected a name, a colon and a value
H|^Content-ID : 1 => GET => GET =>
    header-blank-before-colon: field line 'Content-ID : 1' has a blank before its colon
H|Transfer-Encoding: a => GET => GET => transfer-encoding: the part has Transfer-Encoding 'a'
H|Content-Encoding: a => GET => GET => part-content-encoding: the part has Content-Encoding 'a'
H|Content-Length: 23 => GET => GET =>
H|Content-Length:  23  => GET => GET =>
H|Content-Length: 3 => GET => GET => part-content-length: claims '3'
H|Content-Length: 023 => GET => GET => part-content-length: claims '023'
H|Content-Length: 29 => GET => GET => part-content-length: claims '29'
H|Content-Length: 30 => GET => GET => content-length-crosses-delimiter: claims '30'
H|Content-Length: 23, 24 => GET => GET => repeated-header: claims '23, 24'
Content-Type:| application/http|B => GET => GET => folded
T|\t|B => GET => GET => folded
Content-Type: Application/HTTP|B => GET => GET =>
Content-Type: application/http; msgtype=request|B => GET => GET =>
Content-Type: application/http;MSGTYPE="Request"|B => GET => GET =>
Content-Type: application/http;charset=utf-8|B => GET => GET =>
Content-Type: application/http;|B => GET => GET =>
Content-Type: application/http; msgtype=response|B => GET => GET =>
    message-type: found msgtype 'response', expected request
Content-Type: application/http; a = b|B => GET => GET =>
    parameter-blanks: blanks around the = of parameter a
Content-Type: message/http|B => GET => GET => assumed: found 'message/http'
B => GET => GET => assumed: the part has no Content-Type
B => \r\nGET x HTTP/1.1\r\n\r\n => - => assumed: the part has no Content-Type
Content-Type: text/plain|B => GET => => no-type: found 'text/plain'
Content-Type: text/plain|B => hello => => no-type: found 'text/plain'
Content-Type: application/json|B => {} => => no-type: found 'application/json'
Content-Type: application/http;x|B => GET => => no-type: found 'application/http;x'
Content-Type: application|B => GET => => no-type: found 'application'
Content-Type: |B => GET => => no-type: found ''
Content-Type: multipart/mixed; =|B => GET => => no-type: found 'multipart/mixed; ='
Content-Type: message/http|B => hello => => no-type: found 'message/http'
B => hello => => no-type: the part has no Content-Type
B => hello world => => no-type: the part has no Content-Type
H => ^OK => => message-kind: found 'HTTP/1.1 200 OK', expected a request
T|Content-Transfer-Encoding: Binary => GET => GET =>
T|Content-Transfer-Encoding: 8bit => GET => GET =>
T|Content-Transfer-Encoding: 7BIT => GET => GET =>
T => ^GET => GET => content-transfer-encoding-missing: the part has no Content-Transfer-Encoding,
    expected binary
T|Content-Transfer-Encoding: base64 => ^R0VU* => => no-coding: 'base64'
T|Content-Transfer-Encoding: base64 => ^R0V => => no-coding: 'base64'
T|Content-Transfer-Encoding: base64 => ^R0VU=R0VU => => no-coding: 'base64'
T|Content-Transfer-Encoding: base64 => ^GET => => no-coding: 'base64'
T|Content-Transfer-Encoding: quoted-printable => ^GET => => no-coding: 'quoted-printable'
T|Content-Transfer-Encoding: gzip => ^GET => => no-coding: 'gzip'
T|Content-Transfer-Encoding: x-binary => ^GET => => no-coding: 'x-binary'
T|Content-Transfer-Encoding: => ^GET => => no-coding: ''
"""
)
REPEATED = {
    "start-line": "request-line-in-part-headers: found {} where the header section of the part "
    "begins; the part's own headers and an empty line belong above it",
    "part-content-length": "part-content-length: {}, its content has 23 octets",
    "content-length-crosses-delimiter": "content-length-crosses-delimiter: {}, its content has 23 "
    "octets",
    "repeated-header": "repeated-header: {}, its content has 23 octets",
    "folded": "part-header-folded: a field line is folded; it is read unfolded",
    "assumed": "part-content-type-assumed: {}, expected application/http; the content looks like "
    "it",
    "no-type": "part-content-type: {}, expected application/http or multipart/mixed",
    "no-coding": "content-transfer-encoding: found {}, expected binary",
}


def whole(text: str) -> str:
    """Return the finding that a row cuts short."""
    name, _, rest = text.partition(": ")
    rest = rest.replace("claims", "Content-Length of the part is")
    return REPEATED[name].format(rest) if name in REPEATED else text


def spelt(text: str, end: bytes = b"") -> bytes:
    mark = b"^" if text.startswith("^") else b""
    name = text.removeprefix("^")
    return mark + (SHORT[name] if name in SHORT else octets(name) + end)


@pytest.mark.parametrize(("fields", "content", "method", "expected"), PARTS)
def test_a_part_is_read_and_what_is_odd_is_told(
    fields: str, content: str, method: str, expected: str
) -> None:
    head = b"".join(spelt(field, CRLF) for field in fields.split("|"))
    template = b"--b\r\n" + head + CRLF + spelt(content) + CRLF
    data, position = marked(batch(template, part(DELETE)))
    report = checked_request(data, splits=40)
    assert report.value is not None
    *first, last = report.value.operations()
    assert ([each.method for each in first], last) == (["GET"] if method else [], X)
    slug, _, message = whole(expected).partition(": ")
    place = position if b"^" in template else 5
    leading = ["leading-empty-line"] if method == "-" else []
    found = [each for each in listed(report) if each.partition("@")[0] not in leading]
    assert found == ([f"{slug}@{place} in items[0]: {message}"] if expected else [])


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
    report = checked_request(batch(part(content, head=head)), splits=40)
    assert report.value is not None
    assert [each.body for each in report.value.operations()] == [b"\x00\xff--b\r\n"]
    place = f"content-transfer-encoding-decoded@{5 + len(head) + 2} in items[0]"
    assert listed(report) == [f"{place}: a part of {len(content)} octets was decoded from base64"]


NOTHING = "part-without-body@5 in items[0]: no empty line ends the header section of the part"


@pytest.mark.parametrize(
    "content", [b"", HTTP, b"Content-Type: application/http", b"X: y", b"x", b"\r\n--b"]
)
def test_a_part_that_ends_in_its_head_has_no_body(content: bytes) -> None:
    report = checked_request(b"--b\r\n" + content + CRLF + batch(part(DELETE)))
    assert listed(report)[0] == NOTHING
    assert report.value == BatchRequest([X])


@pytest.mark.parametrize("head", [b"Content-Type: message/http\r\n" + BINARY, BINARY])
def test_a_response_of_no_such_type_is_read_with_a_warning(head: bytes) -> None:
    report = checked_response(batch(part(OK, head=head), part(CRLF + OK, head=head)))
    assert report.value is not None
    assert [each.status for each in report.value.responses()] == [200, 200]
    found = [each for each in report.diagnostics if each.rule.slug == "part-content-type-assumed"]
    assert [each.path for each in found] == ["items[0]", "items[1]"]


def test_a_msgtype_of_the_response_is_that_of_its_role() -> None:
    for kind, found in (("response", ""), ("request", "message-type")):
        head = HTTP.replace(b"\r\n", f"; msgtype={kind}\r\n".encode()) + BINARY
        assert slugs(checked_response(batch(part(OK, head=head)))) == found


def test_ignored_fields_are_reported_in_their_order() -> None:
    report = checked_request(batch(part(head=PART_HEAD + b"Z: 1\r\nA: 2\r\nM: 3\r\nz: 4\r\n")))
    quoted = [each.message.split("'")[1] for each in report.diagnostics]
    assert quoted == ["z", "a", "m"]


@pytest.mark.parametrize("name", [b"Content-Type", b"Content-Transfer-Encoding", b"Content-ID"])
def test_identifying_fields_have_one_value(name: bytes) -> None:
    head = PART_HEAD + b"Content-ID: 1\r\n"
    expected = BatchRequest([Operation.get("People", id="1")])
    report = checked_request(batch(part(GET, head=head + name + b": 2\r\n")))
    assert (report.value, slugs(report)) == (expected, "repeated-header")
    report = checked_request(batch(part(GET, head=head * 2)))
    assert (report.value, slugs(report)) == (expected, " ".join(["repeated-header-equal"] * 3))


def test_damage_in_one_part_is_reported_and_the_next_part_is_read() -> None:
    broken = member(b"^x\r\n\r\n", b"2")
    members = change_set(member(DELETE), broken, member(DELETE, b"3"))
    data, position = marked(batch(part(), members, part(DELETE)))
    report = checked_request(data)
    change = ChangeSet([Operation.delete("x", id="1"), Operation.delete("x", id="3")])
    assert report.value == BatchRequest([Operation.get("People"), change, X])
    message = "found 'x', expected a method and a URL"
    assert listed(report) == [f"request-line-syntax@{position} in items[1].items[1]: {message}"]
    with pytest.raises(DecodeError) as caught:
        decode_request(data, MULTIPART)
    assert (caught.value.path, caught.value.position) == ("items[1].items[1]", position)
    assert caught.value.partial == (Operation.get("People"),)


# -- Content-Length of the message --


def post(length: int, body: bytes) -> bytes:
    return b"POST x HTTP/1.1\r\nContent-Type: a/b\r\nContent-Length: %d\r\n\r\n" % length + body


def test_a_delimiter_inside_of_a_claimed_length_is_an_error() -> None:
    smuggled = b"x\r\n" + part(DELETE).removesuffix(CRLF)
    report = checked_request(batch(part(post(len(smuggled), smuggled))))
    assert report.value is not None
    assert [each.method for each in report.value.operations()] == ["POST", "DELETE"]
    assert listed(report)[0].startswith("content-length-crosses-delimiter")
    assert [each.path for each in report.diagnostics] == ["items[0]"]


def test_the_delimiter_of_the_enclosing_multipart_is_not_crossed_either() -> None:
    for length, expected in ((11, "mismatch"), (12, "crosses-delimiter")):
        message = post(length, b"hello").replace(b"POST x HTTP/1.1", b"HTTP/1.1 200 OK")
        report = checked_response(batch(unclosed(member(message)), part(NO_CONTENT)))
        assert report.value is not None
        assert [each.status for each in report.value.responses()] == [200, 204]
        assert slugs(report) == f"content-length-{expected} change-set-unclosed"


# -- Content-ID --


@pytest.mark.parametrize(
    ("outer", "inner", "id", "in_message", "found"),
    [
        (None, None, None, False, ""),
        (b"1", None, "1", False, ""),
        (b"1", b"1", "1", False, ""),
        (b"1", b"2", "1", False, "content-id-conflict"),
        (b"1", b"", "1", False, "content-id-conflict"),
        (b"", None, None, False, "content-id-empty"),
        (None, b"1", "1", True, "content-id-in-message"),
        (None, b"", None, True, "content-id-empty"),
        (b"", b"1", "1", True, "content-id-empty content-id-in-message"),
        (b"", b"", None, True, "content-id-empty"),
    ],
)
def test_a_content_id_is_found_in_either_place(
    outer: bytes | None, inner: bytes | None, id: str | None, in_message: bool, found: str
) -> None:
    head = PART_HEAD if outer is None else PART_HEAD + b"Content-ID: " + outer + CRLF
    field = b"" if inner is None else b"content-ID: " + inner + CRLF
    report = checked_request(
        batch(part(b"GET x HTTP/1.1\r\n" + field + CRLF, head=head)), splits=40
    )
    assert report.value is not None
    (operation,) = report.value.operations()
    assert (operation.id, operation.id_in_message) == (id, in_message)
    other = (inner or b"").decode()
    kept = inner is not None and not in_message
    assert operation.headers == Headers({"Content-ID": other} if kept else {})
    assert slugs(report) == found
    messages = {
        "content-id-conflict": f"Content-ID is '1' in the part and '{other}' in the message",
        "content-id-empty": "found an empty Content-ID",
        "content-id-in-message": "Content-ID '1' stands in the HTTP message",
    }
    assert listed(report) == [f"{slug}@5 in items[0]: {messages[slug]}" for slug in found.split()]


def test_a_content_id_is_written_where_it_was_found() -> None:
    message = b"HTTP/1.1 204 No Content\r\nA: b\r\nContent-ID: 1\r\n\r\n"
    data = batch(part(message), part(NO_CONTENT, head=PART_HEAD + b"Content-ID: 2\r\n"))
    response = decode_response(data, MULTIPART)
    assert [each.id for each in response.responses()] == ["1", "2"]
    assert encode_response(response, format="multipart", boundary="b").body == data


# -- change sets --

CHANGE = ChangeSet([Operation.delete("x", id="1")])


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (MIXED, ""),
        (MIXED + BINARY, ""),
        (MIXED + b"Content-Transfer-Encoding: 8Bit\r\n", ""),
        (MIXED + b"Content-Transfer-Encoding: 7bit\r\n", ""),
        (
            b"Content-Type: multipart/parallel; boundary=c\r\n",
            "multipart-subtype: found 'multipart/parallel', expected multipart/mixed",
        ),
        (
            MIXED + b"Content-Transfer-Encoding: base64\r\n",
            "content-transfer-encoding: found 'base64' on a multipart, expected binary",
        ),
        (
            MIXED + b"Content-Transfer-Encoding:\r\n",
            "content-transfer-encoding: found '' on a multipart, expected binary",
        ),
        (
            MIXED + b"Content-ID: 7\r\n",
            "content-id-on-change-set: the change set has Content-ID '7'; not kept",
        ),
        (
            b'Content-Type: multipart/mixed; boundary=c; boundary="c"\r\n',
            "boundary-repeated: boundary 'c' is given 2 times",
        ),
    ],
)
def test_odd_headers_of_a_change_set_are_reported(head: bytes, expected: str) -> None:
    data = batch(b"--b\r\n" + head + CRLF + CRLF + member(DELETE) + b"--c--\r\n\r\n\r\n")
    report = checked_request(data, splits=40)
    assert report.value == BatchRequest([CHANGE])
    slug, _, message = expected.partition(": ")
    place = data.index(b"--c") - 2
    assert listed(report) == ([f"{slug}@{place} in items[0]: {message}"] if expected else [])


@pytest.mark.parametrize(
    ("parameter", "expected"),
    [
        (b"", "boundary-missing: multipart without boundary parameter"),
        (b"; boundary=", "boundary-missing: boundary is empty"),
        (b'; boundary=""', "boundary-missing: boundary is empty"),
        (b"; boundary=d", "no-delimiter: body starts with '--c', Content-Type says 'd'"),
        (b"; boundary=c; boundary=d", "boundary-conflict: found boundaries 'c' and 'd'"),
        (
            b"; boundary=c; boundary*0=d",
            "boundary-conflict: found the parameters boundary and boundary*0, 'c' and 'd'",
        ),
        (b'; boundary="c\xe9"', "boundary-syntax: boundary 'c\xe9' is not printable US-ASCII"),
        (b'; boundary="c\td"', r"boundary-syntax: boundary 'c\td' is not printable US-ASCII"),
    ],
)
def test_a_boundary_problem_of_a_change_set_concerns_that_part_alone(
    parameter: bytes, expected: str
) -> None:
    head = b"Content-Type: multipart/mixed" + parameter + CRLF
    data = batch(b"--b\r\n" + head + CRLF + member(DELETE) + b"--c--\r\n", part(DELETE))
    report = checked_request(data, splits=40)
    assert (report.complete, report.value) == (True, BatchRequest([X]))
    slug, _, message = expected.partition(": ")
    found = [each for each in listed(report) if not each.startswith("header-not-ascii")]
    assert found == [f"{slug}@{data.index(b'--c')} in items[0]: {message}"]
    with pytest.raises(DecodeError) as caught:
        decode_request(data, MULTIPART)
    assert caught.value.rule.slug == slug


def test_a_boundary_beyond_the_limit_concerns_the_whole_message() -> None:
    data = batch(part(), change_set(member(DELETE), boundary=b"c" * 71), part(DELETE))
    report = check_request(data, MULTIPART)
    assert (report.complete, report.value) == (False, BatchRequest([Operation.get("People")]))
    assert report.diagnostics[-1].limit == ("boundary", 70)
    assert report.diagnostics[-1].path == "items[1]"


REUSED = "boundary-reused@{} in items[0]: the boundary 'b' is that of the enclosing multipart"


def test_a_change_set_with_the_boundary_of_the_batch_is_an_error() -> None:
    head = b"--b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    report = checked_request(batch(head + CRLF, part(DELETE)))
    assert report.value == BatchRequest([X])
    assert slugs(report) == "boundary-reused no-delimiter"
    assert listed(report)[0] == REUSED.format(len(head))
    for declared in (b"boundary=b", b'boundary="b"'):
        head = b"--b\r\nContent-Type: multipart/mixed; " + declared + CRLF
        report = checked_request(head + CRLF + batch(member(DELETE, boundary=b"b")) + batch())
        assert listed(report)[0] == REUSED.format(5)


def test_a_boundary_that_begins_with_the_outer_one_is_a_note() -> None:
    data = batch(change_set(member(DELETE, boundary=b"b_1"), boundary=b"b_1"), part(DELETE))
    report = checked_request(data)
    assert report.value == BatchRequest([CHANGE, X])
    message = "the boundary 'b_1' begins with 'b', the outer one"
    assert listed(report) == [f"boundary-prefix@{data.index(b'--b_1')} in items[0]: {message}"]


@pytest.mark.parametrize(
    ("line", "boundary", "path"),
    [
        (b"^--b_1", "b", "items[0]"),
        (b"^--c-", "c", "items[0].items[0]"),
        (b"\r^--b\r", "b", "items[0]"),
    ],
)
def test_a_lookalike_in_a_change_set_is_a_warning(line: bytes, boundary: str, path: str) -> None:
    message = b"POST x HTTP/1.1\r\nContent-Type: a/b\r\n\r\n\r\n" + line
    data, position = marked(batch(change_set(member(message))))
    report = checked_request(data)
    assert report.value is not None
    assert report.value.operations()[0].body == CRLF + line.replace(b"^", b"")
    text = f"a line of content begins with '--{boundary}'"
    assert listed(report) == [f"delimiter-lookalike@{position} in {path}: {text}"]


def test_an_empty_change_set_is_a_warning_in_requests() -> None:
    report = checked_request(batch(change_set()))
    assert (report.value, slugs(report)) == (BatchRequest([ChangeSet([])]), "empty-change-set")
    assert report.diagnostics[0].message == "found a change set without operations"
    report = checked_request(batch(change_set(member(b"nothing at all, really"))))
    assert "empty-change-set" not in slugs(report)


def test_a_change_set_may_have_as_many_operations_as_the_limit() -> None:
    data = batch(change_set(member(DELETE), member(DELETE, b"2")))
    request = decode_request(data, MULTIPART, limits=Limits(change_set_operations=2))
    assert len(request.operations()) == 2
    with pytest.raises(LimitExceeded) as caught:
        decode_request(data, MULTIPART, limits=Limits(change_set_operations=1))
    assert (caught.value.limit, caught.value.path) == ("change_set_operations", "items[0]")
    assert caught.value.position == data.index(b"Content-ID: 2") - len(PART_HEAD)


def test_parts_count_even_if_nothing_can_be_read_of_them() -> None:
    data = batch(*[b"--b\r\n\r\n\r\n"] * 3)
    assert checked_request(data, limits=Limits(operations=3)).complete
    report = checked_request(data, limits=Limits(operations=2))
    found = report.diagnostics[-1]
    assert (report.complete, found.limit, found.path) == (False, ("operations", 2), "items[2]")
    assert found.position == data.rindex(b"--b\r\n") + 5


# -- change sets in change sets --

INNER = change_set(
    member(DELETE, b"2", boundary=b"d"),
    member(DELETE, b"3", boundary=b"d"),
    boundary=b"d",
    outer=b"c",
)
NESTED = batch(change_set(member(DELETE), INNER, member(DELETE, b"4")), part())


def test_change_sets_nest_as_deep_as_the_limit() -> None:
    first, second, third, fourth = (Operation.delete("x", id=id) for id in "1234")
    people = Operation.get("People")
    report = checked_request(NESTED, splits=100)
    assert report.value == BatchRequest([ChangeSet([first, fourth]), people])
    message = f"nested-change-set@{NESTED.index(b'--d')} in items[0].items[1]: found a change set"
    assert listed(report) == [f"{message} at depth 2"]
    expected = BatchRequest([ChangeSet([first, ChangeSet([second, third]), fourth]), people])
    limits = Limits(change_set_depth=2)
    report = checked_request(NESTED, limits=limits, splits=100)
    assert (report.value, report.diagnostics) == (expected, ())
    payload = encode_request(expected, format="multipart", limits=limits)
    assert decode_request(payload.body, payload.content_type, limits=limits) == expected
    report = checked_request(NESTED, limits=Limits(change_set_depth=0), splits=8)
    assert report.value == BatchRequest([people])
    assert [each.message for each in report.diagnostics] == ["found a change set at depth 1"]


def test_damage_in_a_nested_change_set_has_its_path() -> None:
    data = NESTED.replace(b"Content-ID: 3\r\n\r\nDELETE", b"Content-ID: 3\r\n\r\nDEL(TE")
    (found,) = check_request(data, MULTIPART, limits=Limits(change_set_depth=2)).diagnostics
    assert (found.rule.slug, found.path) == ("method-syntax", "items[0].items[1].items[1]")


# -- what is cut off --


@pytest.mark.parametrize(
    "tail", [b"", b"--b", b"--b\r\n", b"--b\r\n" + PART_HEAD, part(NO_CONTENT)[:-9]]
)
def test_without_a_close_delimiter_the_last_part_is_not_read(tail: bytes) -> None:
    complete = 2 if tail.startswith(b"--b\r\n") else 1
    data = part(DELETE) + part() + tail
    report = checked_request(data, splits=60)
    assert report.value is not None and len(report.value.items) == complete
    assert listed(report) == [f"truncated@{len(data)}: the request ends without '--b--'"]
    with pytest.raises(DecodeError) as caught:
        decode_request(data, MULTIPART)
    assert len(caught.value.partial) == complete
    data = part(OK) + part(NO_CONTENT) + tail
    answer = checked_response(data, splits=60)
    assert answer.value is not None and answer.value.truncated
    assert [each.status for each in answer.value.responses()] == [200, 204][:complete]
    assert listed(answer) == [f"truncated-response@{len(data)}: the response ends without '--b--'"]
    with pytest.raises(DecodeError, match=r"truncated-response"):
        decode_response(data, MULTIPART, strict=True)


def test_a_whole_response_is_not_truncated() -> None:
    assert not decode_response(batch(part(OK)), MULTIPART).truncated


PARTED = b"\r\n--b\r\n"


def unclosed(*members: bytes) -> bytes:
    """Return a part that holds a change set without its close delimiter."""
    return b"--b\r\n" + MIXED + CRLF + b"".join(members)


def test_a_change_set_without_close_delimiter_is_an_error_in_requests_only() -> None:
    data = batch(unclosed(member(DELETE), member(DELETE, b"2")), part())
    report = checked_request(data, splits=100)
    change = ChangeSet([Operation.delete("x", id="1"), Operation.delete("x", id="2")])
    assert report.value == BatchRequest([change, Operation.get("People")])
    place = f"@{data.rindex(PARTED)} in items[0]: the change set ends without '--c--'"
    assert listed(report) == [f"truncated{place}"]
    data = batch(unclosed(member(OK), member(NO_CONTENT, b"2")), part(OK))
    answer = checked_response(data, splits=100)
    assert answer.value is not None and not answer.value.truncated
    assert [each.status for each in answer.value.responses()] == [200, 204, 200]
    place = f"@{data.rindex(PARTED)} in items[0]: the change set ends without '--c--'"
    assert listed(answer) == [f"change-set-unclosed{place}"]


def test_a_close_delimiter_of_the_batch_ends_the_change_set_too() -> None:
    message = b"POST x HTTP/1.1\r\nContent-Type: a/b\r\n\r\n1\r\n--b--\r\n2"
    report = checked_request(batch(change_set(member(message))), splits=100)
    assert slugs(report) == "truncated epilogue-delimiter"
