"""What is wrong with a file: findings of its messages, their places, and what is counted."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odata_batch import Diagnostic, Headers, Rule, Severity
from odata_batch._cli.check import (
    Checked,
    CheckedMessage,
    Finding,
    Place,
    check_exchanges,
    check_file,
    check_message,
    format_of,
    messages_of,
)
from odata_batch.capture import Exchange, Message, parse_message
from odata_batch.dialects import DATAVERSE, ODATA_4_01

from .helpers import GET, batch, change_set, member, part

HEAD = b"POST /service/$batch HTTP/1.1\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
RESPONSE_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
JSON_HEAD = b"POST /service/$batch HTTP/1.1\r\nContent-Type: application/json\r\n\r\n"
NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"
TWO_BLANKS = b"GET  People HTTP/1.1\r\n\r\n"


def checked(data: bytes) -> CheckedMessage:
    return check_message(parse_message(data), ODATA_4_01)


def slugs(found: Checked | CheckedMessage) -> list[str]:
    return [finding.diagnostic.rule.slug for finding in found.findings]


def place(data: bytes) -> Place:
    """The place of the only finding."""
    (finding,) = checked(data).findings
    assert finding.place is not None
    return finding.place


def decoded(data: bytes, **changes: object) -> Message:
    """The message as if its body had been decoded, so that it has no place in the file."""
    message = parse_message(data)
    values = {name: getattr(message, name) for name in Message.__slots__}
    return Message(**{**values, "body_position": None, **changes})


def exchange(request: bytes | None, response: bytes | None, name: str = "raw/1") -> Exchange:
    return exchanged(
        None if request is None else parse_message(request),
        None if response is None else parse_message(response),
        name,
    )


def exchanged(
    request: Message | None,
    response: Message | None,
    name: str = "raw/1",
    *diagnostics: Diagnostic,
    is_batch: bool = True,
) -> Exchange:
    return Exchange(
        name=name,
        request=request,
        response=response,
        url="",
        diagnostics=diagnostics,
        is_batch=is_batch,
    )


# -- places --


def test_a_place_is_octet_line_and_column_in_the_file() -> None:
    data = HEAD + batch(part(b"GET People HTTP/1.1\r\nA: 1\r\nB : 2\r\n\r\n"))
    assert place(data) == Place(
        origin="file",
        offset=data.index(b"B : 2"),
        length=5,
        line=10,
        column=1,
        end_column=6,
        before=b"",
        after=b"B : 2\r\n",
    )


def test_a_column_counts_characters() -> None:
    text = '{"é\N{SNOWMAN}":1,"requests":[{"id":"1","method":"GET","url":"a","url":"b"}]}'
    data = JSON_HEAD + text.encode()
    found = checked(data).findings[-1].place
    assert found is not None
    assert (found.line, found.column) == (4, text.index('"b"') + 1)
    assert found.offset == data.index(b'"b"')


def test_an_octet_that_is_no_character_is_one_column() -> None:
    line = b'{"requests":[{"id":"1","method":"GET","url":"'
    data = JSON_HEAD + line + b'\xff"}]}'
    (finding,) = checked(data).findings
    assert finding.diagnostic.rule is Rule.JSON_ENCODING and finding.place is not None
    assert (finding.place.column, finding.place.end_column) == (len(line) + 1, len(line) + 6)


def test_a_byte_order_mark_is_no_column() -> None:
    text = b'\xef\xbb\xbf{"requests":[{"id":"1","method":"GET","url":"a","x":1}]}'
    first, second, third = (each.place for each in checked(text).findings)
    assert first is not None and second is not None and third is not None
    assert [(each.offset, each.column) for each in (first, second)] == [(0, 1), (0, 1)]
    assert third.column == third.offset - 3 + 1


@pytest.mark.parametrize(
    ("line", "length", "columns"),
    [
        (b"A : " + b"x" * 76, 80, 80),
        (b"A : " + b"x" * 77, 80, 80),
        (b"A : " + b"x" * 75 + "ë".encode(), 79, 79),
        (b"A : " + b"x" * 74 + "ë".encode(), 80, 79),
        (b"A : " + b"x" * 73 + "\N{SNOWMAN}x".encode(), 80, 78),
        (b"A : " + b"x" * 74 + "\N{SNOWMAN}x".encode(), 78, 78),
        (b"A : " + b"x" * 73 + "\N{SLIGHTLY SMILING FACE}x".encode(), 77, 77),
        (b"A : " + b"\x80" * 100, 77, 77),
    ],
)
def test_80_octets_are_marked_and_no_character_is_cut(
    line: bytes, length: int, columns: int
) -> None:
    data = HEAD + batch(part(b"GET People HTTP/1.1\r\n" + line + b"\r\n\r\n"))
    found = checked(data).findings[0].place
    assert found is not None and found.length == length
    assert found.end_column - found.column == columns


def test_a_place_at_the_end_marks_nothing() -> None:
    data = HEAD + part()
    found = place(data)
    assert (found.offset, found.length, found.line) == (len(data), 0, data.count(b"\n") + 1)
    assert (found.column, found.end_column, found.after) == (1, 1, b"")


def test_of_a_long_line_a_window_is_kept() -> None:
    data = JSON_HEAD + b'{"requests":[],"x":"' + b"y" * 1000 + b'","z":"' + b"y" * 1000 + b'"}'
    found = checked(data).findings[-1].place
    assert found is not None and (len(found.before), len(found.after)) == (400, 400)


def test_findings_stand_in_the_order_of_their_places() -> None:
    # The decoder finds the ids out last.
    first = member(b"PUT a HTTP/1.1\r\n\r\n", b"x")
    second = member(b"PUT b  HTTP/1.1\r\n\r\n", b"x")
    data = b"A : b\r\n" + HEAD[31:] + batch(change_set(first, second), part(TWO_BLANKS))
    offsets = [finding.place.offset for finding in checked(data).findings if finding.place]
    assert len(offsets) == 4 and offsets == sorted(offsets)


@given(
    st.lists(st.sampled_from([TWO_BLANKS, b"GET a\r\n\r\n", b"GET a HTTP/1.1\r\nB : c\r\n\r\n"]))
)
def test_every_place_agrees_with_the_octets(messages: list[bytes]) -> None:
    data = HEAD + batch(*map(part, messages))
    for finding in checked(data).findings:
        found = finding.place
        assert found is not None
        before = data[: found.offset]
        assert found.line == before.count(b"\n") + 1
        assert found.column == len(before) - before.rfind(b"\n")
        assert data.startswith(found.before + found.after, found.offset - len(found.before))
        assert b"\n" not in found.before and b"\n" not in found.after[:-1]


# -- findings about the header section --


@pytest.mark.parametrize(
    ("field", "rule", "start_line"),
    [
        (b"If-Match: *", Rule.OUTER_PRECONDITION, b"POST / HTTP/1.1"),
        (b"if-none-match: *", Rule.OUTER_PRECONDITION, b"POST / HTTP/1.1"),
        (b"X-HTTP-Method: PATCH", Rule.METHOD_TUNNEL, b"POST / HTTP/1.1"),
        (b"Prefer: return=minimal", Rule.OUTER_PREFERENCE, b"POST / HTTP/1.1"),
        (b"OData-MaxVersion: four", Rule.VERSION_HEADER, b"POST / HTTP/1.1"),
        (b"OData-EntityId: a", Rule.OUTER_RESPONSE_HEADER, b"HTTP/1.1 200 OK"),
        (b"AsyncResult: done", Rule.ASYNC_RESULT, b"HTTP/1.1 200 OK"),
    ],
)
def test_a_finding_about_the_header_section_points_to_its_field(
    field: bytes, rule: Rule, start_line: bytes
) -> None:
    head = b"\r\n".join((start_line, b"Content-Type: multipart/mixed; boundary=b", field, b"", b""))
    message = part(NO_CONTENT if start_line.startswith(b"HTTP") else GET)
    (finding,) = checked(head + batch(message)).findings
    assert finding.diagnostic.rule is rule and finding.place is not None
    assert finding.place.offset == head.index(field)


def test_a_finding_in_the_head_of_a_wrapped_message_points_there() -> None:
    outer = b"HTTP/1.1 200 OK\r\nContent-Type: application/http\r\n\r\n"
    inner = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n"
    assert place(outer + inner).offset == len(outer) + inner.index(b"content")


def test_without_the_field_a_finding_points_to_the_body() -> None:
    outer = b"HTTP/1.1 200 OK\r\nContent-Type: application/http\r\n\r\n"
    inner = b"HTTP/1.1 200 OK\r\n\r\nnothing"
    assert place(outer + inner).after == b"nothing"


# -- decoded bodies --


def test_in_a_decoded_body_places_count_from_its_start() -> None:
    body = batch(part(TWO_BLANKS))
    (finding,) = check_message(decoded(HEAD + body), ODATA_4_01).findings
    assert finding.place is not None
    assert (finding.place.origin, finding.place.offset) == ("body", body.index(b"GET"))
    assert finding.place.line == 5


def test_findings_without_place_come_first_and_those_in_the_body_last() -> None:
    head = HEAD.replace(b"\r\n\r\n", b"\r\nIf-Match: *\r\nA : b\r\n\r\n")
    found = check_message(decoded(head + batch(part(TWO_BLANKS))), ODATA_4_01)
    assert [
        (finding.diagnostic.rule, finding.place and finding.place.origin)
        for finding in found.findings
    ] == [
        (Rule.OUTER_PRECONDITION, None),
        (Rule.HEADER_BLANK_BEFORE_COLON, "file"),
        (Rule.REQUEST_LINE_BLANKS, "body"),
    ]


def test_a_finding_of_the_capture_may_have_no_place() -> None:
    own = (Diagnostic(Rule.CAPTURE_BARE_BODY, "a reason"),)
    found = check_message(decoded(HEAD + batch(part()), diagnostics=own), ODATA_4_01)
    assert found.findings == (Finding(diagnostic=own[0], source="", place=None),)


def test_in_an_archive_places_count_in_its_members() -> None:
    data = HEAD + batch(part(TWO_BLANKS))
    (finding,) = check_exchanges("a", [exchange(data, None)], ODATA_4_01).findings
    assert finding.source == "raw/1.request" and finding.place is not None
    assert (finding.place.origin, finding.place.offset) == ("member", data.index(b"GET"))


# -- what is counted --


def test_a_batch_without_findings() -> None:
    data = HEAD + batch(part())
    assert check_file("a", data, ODATA_4_01) == Checked(file="a", batches=1)


def test_what_could_be_read_is_kept() -> None:
    found = checked(HEAD + batch(part(), part()))
    assert found.batch is not None and len(found.batch.items) == 2


def test_the_worst_finding_is_known_even_if_it_is_not_recorded() -> None:
    damaged = part(b"GET a HTTP/1.1\r\nB : c\r\n\r\n")
    data = HEAD + batch(*[part(TWO_BLANKS)] * 150, damaged, damaged)
    found = check_file("a", data, ODATA_4_01)
    assert (len(found.findings), found.omitted, found.worst) == (101, 51, Severity.ERROR)


@pytest.mark.parametrize(
    ("data", "worst"),
    [
        (HEAD + batch(part()), None),
        (HEAD + batch(part(TWO_BLANKS)), Severity.NOTE),
        (HEAD + b"--b--", Severity.WARNING),
        (HEAD, Severity.ERROR),
        (b"A : b\r\n" + HEAD[31:] + batch(part()), Severity.ERROR),
        (b"", Severity.ERROR),
    ],
)
def test_the_worst_finding(data: bytes, worst: Severity | None) -> None:
    assert check_file("a", data, ODATA_4_01).worst == checked(data).worst == worst


def test_a_dialect_gives_severities() -> None:
    data = HEAD + batch(part(head=b"Content-Type: application/http\r\n"))
    assert check_file("a", data, ODATA_4_01).worst is Severity.NOTE
    assert check_file("a", data, DATAVERSE).worst is Severity.WARNING


def test_a_message_that_is_no_batch_is_counted_apart() -> None:
    page = b"HTTP/1.1 413 Too Large\r\nContent-Type: text/html\r\n\r\n<html>"
    response = decoded(page, not_a_batch="status 413 with an HTML page")
    request = parse_message(HEAD + batch(part()))
    both = exchanged(request, response)
    found = check_exchanges("a", [both], ODATA_4_01)
    assert (found.batches, found.others) == (1, 1)


def test_what_a_browser_does_beside_is_not_checked() -> None:
    logo = parse_message(b"GET /logo.png HTTP/1.1\r\n\r\n")
    own = Diagnostic(Rule.CAPTURE_INCOMPLETE, "a reason")
    beside = exchanged(
        logo, parse_message(b"HTTP/1.1 200 OK\r\n\r\n\x89PNG"), "raw/0", own, is_batch=False
    )
    found = check_exchanges("a", [beside, exchange(HEAD + batch(part()), None)], ODATA_4_01)
    assert (slugs(found), found.batches, found.others) == ([], 1, 2)


def test_what_is_wrong_with_an_entry_is_a_finding() -> None:
    own = Diagnostic(Rule.CAPTURE_INCOMPLETE, "a reason")
    found = check_exchanges("a", [exchanged(None, None, "entries[0]", own)], ODATA_4_01)
    assert found.findings == (Finding(diagnostic=own, source="entries[0]", place=None),)
    assert found.worst is Severity.NOTE


# -- lossy captures --


def lossy(body: bytes) -> Message:
    return decoded(HEAD + body, lossy=True, body_position=len(HEAD), diagnostics=())


def test_a_finding_that_a_loss_explains_is_left_out_and_counted() -> None:
    put = b"PUT a HTTP/1.1\r\nContent-Type: image/png\r\nContent-Length: 4\r\n\r\n\xef\xbf\xbdPNG"
    found = check_message(lossy(batch(part(put), part(TWO_BLANKS))), ODATA_4_01)
    assert (slugs(found), found.explained, found.worst) == (
        ["request-line-blanks"],
        1,
        Severity.NOTE,
    )


def test_a_loss_explains_nothing_else() -> None:
    found = check_message(lossy(part()), ODATA_4_01)
    assert (slugs(found), found.explained, found.worst) == (["truncated"], 0, Severity.ERROR)


def test_what_a_loss_explains_of_the_capture_is_left_out_too() -> None:
    own = (Diagnostic(Rule.CAPTURE_CONTENT_LENGTH, "a reason"),)
    message = decoded(HEAD + batch(part()), lossy=True, diagnostics=own)
    both = exchanged(message, message, "")
    assert check_exchanges("a", [both], ODATA_4_01).explained == 2


def test_a_loss_behind_which_nothing_is_read_is_a_note() -> None:
    own = (Diagnostic(Rule.CAPTURE_CODING, "a reason"),)
    found = check_message(decoded(HEAD, lossy=True, diagnostics=own), ODATA_4_01)
    assert (slugs(found), found.explained, found.worst) == (["capture-coding"], 0, Severity.NOTE)
    assert found.batch is None


# -- a request and its response --


def test_a_response_is_checked_with_its_request() -> None:
    pair = exchange(HEAD + batch(part(), part()), RESPONSE_HEAD + batch(part(NO_CONTENT)))
    found = check_exchanges("a", [pair], ODATA_4_01)
    assert slugs(found) == ["response-missing"]
    assert found.findings[0].source == "raw/1.response"
    assert found.batches == 2


def test_a_response_alone_is_checked_without_request() -> None:
    alone = exchange(None, RESPONSE_HEAD + batch(part(NO_CONTENT)))
    assert slugs(check_exchanges("a", [alone], ODATA_4_01)) == []


def test_a_response_is_not_compared_with_a_damaged_request() -> None:
    request = HEAD + batch(part(b"GET a HTTP/1.1\r\nB : c\r\n\r\n"), part())
    pair = exchange(request, RESPONSE_HEAD + batch(part(NO_CONTENT)))
    found = check_exchanges("a", [pair], ODATA_4_01)
    assert slugs(found) == ["header-blank-before-colon"]


def test_the_format_of_the_request_counts() -> None:
    # A JSON batch goes on after an error, a multipart batch ends.
    request = (
        b'{"requests":[{"id":"1","method":"GET","url":"a"},{"id":"2","method":"GET","url":"b"}]}'
    )
    failed = b"HTTP/1.1 404 Not Found\r\n\r\n"
    head = b"Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\nContent-ID: "
    parts = [
        part(failed, head=head + b"1\r\n"),
        part(NO_CONTENT, head=head + b"2\r\n"),
    ]
    answer = RESPONSE_HEAD + batch(*parts)
    assert slugs(check_exchanges("a", [exchange(JSON_HEAD + request, answer)], ODATA_4_01)) == []
    multipart = HEAD + batch(part(head=head + b"1\r\n"), part(head=head + b"2\r\n"))
    assert slugs(check_exchanges("a", [exchange(multipart, answer)], ODATA_4_01)) == [
        "response-after-error"
    ]


# -- messages --


def test_messages_are_named_by_entry_and_side() -> None:
    request, response = HEAD + batch(part()), RESPONSE_HEAD + batch(part(NO_CONTENT))
    exchanges = [
        exchange(request, response, "raw/1"),
        exchange(None, response, "raw/2"),
        exchanged(parse_message(request), None, "raw/3", is_batch=False),
        exchange(request, None, ""),
    ]
    assert [name for name, _ in messages_of(exchanges)] == [
        "raw/1.request",
        "raw/1.response",
        "raw/2.response",
        "",
    ]


@pytest.mark.parametrize(
    ("content_type", "format"),
    [
        ("application/json", "json"),
        ("Application/JSON ; charset=utf-8", "json"),
        ("multipart/mixed; boundary=b", "multipart"),
        ("", "multipart"),
    ],
)
def test_the_content_type_tells_the_format(content_type: str, format: str) -> None:
    fields = Headers({"Content-Type": content_type}) if content_type else Headers()
    message = decoded(HEAD, headers=fields, content_type=content_type)
    assert format_of(message) == format


@given(st.lists(st.binary(max_size=20)))
def test_any_octets_can_be_checked(chunks: list[bytes]) -> None:
    data = HEAD + b"--b\r\n".join(chunks)
    places = [each.place for each in check_file("a", data, ODATA_4_01).findings]
    offsets = [each.offset for each in places if each is not None]
    assert all(first <= second for first, second in pairwise(offsets))


def test_findings_about_a_head_are_counted_beyond_the_limit_too() -> None:
    head = b"POST /$batch HTTP/1.1\r\nContent-Type: application/json\r\n" + b"a\r\n" * 150
    (found,) = [check_file("f", head + b'\r\n{"requests":[]}', ODATA_4_01)]
    assert (len(found.findings), found.omitted) == (101, 50)
