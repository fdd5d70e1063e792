"""Header sections and media types, as decoding reads them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odata_batch import BatchRequest, DecodeError, Limits, Report, check_request, decode_request

from .helpers import CRLF, PART_HEAD, batch, checked_request, octets, part, places, rows

HEAD = b"--b\r\n" + PART_HEAD + CRLF + b"GET x HTTP/1.1\r\n"
LF = b"\n"
LINE_FEED = f"line-feed@{-len(HEAD.replace(CRLF, LF))} "


def read(
    section: bytes, line_end: bytes = CRLF, limits: Limits | None = None
) -> Report[BatchRequest]:
    """Return what is read of an operation with these fields."""
    tail = b"\r\n\r\n\r\n--b--\r\n" if section else b"\r\n\r\n--b--\r\n"
    head, tail = HEAD.replace(CRLF, line_end), tail.replace(CRLF, line_end)
    return checked_request(head + section + tail, limits=limits or Limits(), splits=16)


def fields(report: Report[BatchRequest]) -> str:
    assert report.value is not None
    (operation,) = report.value.operations()
    return " ; ".join(f"{name}: {value}" for name, value in operation.headers.pairs)


def unescaped(text: str) -> str:
    return octets(text).decode("latin-1")


# Octets, the fields as `name: value`, and what is found, counted from the beginning of the section.
LINES = rows(
    r"""
Accept: text/plain => Accept: text/plain => =>
Accept:text/plain => Accept: text/plain => =>
Accept:  \t text/plain \t  => Accept: text/plain => =>
Accept: => Accept:  => =>
Accept:  => Accept:  => =>
A: b:c => A: b:c => =>
A: b\tc => A: b\tc => =>
!#$%&'*+-.^_`|~09azAZ: x => !#$%&'*+-.^_`|~09azAZ: x => =>
A: "\\" => A: "\\" => =>
A: x\x00y => A: x\x00y => control-character@0 => field line 'A: x\\x00y' has a control character
A: x\ry => A: x\ry => control-character@0 =>
A: x\ny => A: x\ny => control-character@0 =>
A: \x7f => A: \x7f => control-character@0 =>
A: \xe9\x01 => A: \xe9\x01 => control-character@0 =>
A: caf\xe9 => A: caf\xe9 => header-not-ascii@0 => field line 'A: caf\xe9' is not US-ASCII
A: \xa0x\xa0 => A: \xa0x\xa0 => header-not-ascii@0 =>
A : x => A: x => header-blank-before-colon@0 => field line 'A : x' has a blank before its colon
 A\t: x => A: x => header-blank-before-colon@0 =>
 A: x => => header-syntax@0 => found ' A: x', expected a name, a colon and a value
: => => header-syntax@0 =>
: x => => header-syntax@0 =>
A => => header-syntax@0 =>
A  => => header-syntax@0 =>
A B: x => => header-syntax@0 =>
A B : x => => header-syntax@0 =>
A\x00: x => => header-syntax@0 =>
\xe9: x => => header-syntax@0 =>
"""
)
SECTIONS = rows(
    r"""
B: 1\r\na:2\r\nb: 3 => B: 1 ; a: 2 ; b: 3 => =>
 => => =>
A: 1\nB: 2 => A: 1\nB: 2 => control-character@0 =>
A: 1\rB: 2 => A: 1\rB: 2 => control-character@0 =>
A: 1\r\nno field\r\nB: \x00\r\nC: 2 => A: 1 ; B: \x00 ; C: 2 =>
    header-syntax@6 control-character@16 =>
?\r\n?\r\n? => => header-syntax@0 header-syntax@3 header-syntax@6 =>
Host: a\r\nHost: b\r\n? => Host: a ; Host: b => header-syntax@18 repeated-header@0 =>
    host has the values 'a' and 'b'
Host: a\r\nContent-ID: 1\r\nhost: b => Host: a ; host: b =>
    repeated-header@0 content-id-in-message@-85 =>
Content-ID: 1\r\ncontent-id:1\r\nContent-Id: 1 => =>
    repeated-header-equal@0 content-id-in-message@-85 =>
    content-id stands 3 times with the same value
Accept: a\r\nAccept: b => Accept: a ; Accept: b => =>
ETag: a\r\nETag: a => ETag: a ; ETag: a => =>
Content-Length: 0\r\nContent-Length: 0 => Content-Length: 0 ; Content-Length: 0 =>
    repeated-header-equal@0 =>
Content-Length: 0\r\nContent-Length: 00 => Content-Length: 0 ; Content-Length: 00 =>
    repeated-header@0 => content-length has the values '0' and '00'
Content-Type: a/b\r\nContent-Type: a/b => Content-Type: a/b ; Content-Type: a/b =>
    repeated-header-equal@0 =>
Content-Type: a/b\r\nContent-Type: A/b => Content-Type: a/b ; Content-Type: A/b =>
    repeated-header@0 =>
Content-Transfer-Encoding: 1\r\ncontent-transfer-encoding: 2 =>
    Content-Transfer-Encoding: 1 ; content-transfer-encoding: 2 => repeated-header@0 =>
    content-transfer-encoding has the values '1' and '2'
Host: b\r\nHost: b\r\nContent-ID: 1\r\nContent-ID: 2 => Host: b ; Host: b =>
    repeated-header@0 repeated-header-equal@0 content-id-in-message@-85 =>
    content-id has the values '1' and '2'
"""
)
FOLDED = rows(
    r"""
A: 1\r\n 2 => A: 1 2 => header-folded@0 => a field line is folded; it is read unfolded
A: 1\r\n\t2 => A: 1 2 => header-folded@0 =>
A: 1 \r\n \t 2  => A: 1  2 => header-folded@0 =>
A:\r\n 1 => A: 1 => header-folded@0 =>
A: 1\r\n 2\r\n\t3 => A: 1 2 3 => header-folded@0 =>
A: 1\r\n  => A: 1 => header-folded@0 =>
A: multipart/mixed;\r\n boundary=b => A: multipart/mixed; boundary=b => header-folded@0 =>
A: 1\r\nB: 2\r\n \x01\r\nC: 3 => A: 1 ; B: 2 \x01 ; C: 3 => header-folded@6 control-character@6 =>
A: 1\r\nB: 2\r\n\t2\r\nC: 3\r\n 3 => A: 1 ; B: 2 2 ; C: 3 3 => header-folded@6 =>
A: 1\r\nB: 2\r\n\t2\r\n 3 => A: 1 ; B: 2 2 3 => header-folded@6 =>
 A: 1\r\nB: 2 => B: 2 => header-syntax@0 =>
 A: 1\r\n 2\r\nB: 2 => B: 2 => header-folded@0 header-syntax@0 =>
 A: 1\r\nB: \t 2 => B: 2 => header-syntax@0 =>
A: 1\r\nB: 2\r\n  3\r\n\t4\r\nC: 5 \r\n\xe9 => A: 1 ; B: 2 3 4 ; C: 5 =>
    header-folded@6 header-syntax@28 =>
Host: a\r\n b\r\nHost: a b => Host: a b ; Host: a b => header-folded@0 repeated-header-equal@0 =>
"""
)
LF_SECTIONS = rows(
    r"""
B: 1\na:2\nb: 3 => B: 1 ; a: 2 ; b: 3 =>
 => =>
A: 1\r\nB: 2\nC: 3\r => A: 1 ; B: 2 ; C: 3 =>
A: 1\nno field\r\nB: \x00\nC: 2 => A: 1 ; B: \x00 ; C: 2 => header-syntax@5 control-character@15
A: 1\nB: 2\n 2\n\t3 => A: 1 ; B: 2 2 3 => header-folded@5
A: 1\r\nB: 2\r\n 2\n? => A: 1 ; B: 2 2 => header-folded@6 header-syntax@15
A: 1\nB: 2\n  3\n\t4\nC: 5 \n\xe9 => A: 1 ; B: 2 3 4 ; C: 5 => header-folded@5 header-syntax@23
Host: a\nHost: b\n? => Host: a ; Host: b => header-syntax@16 repeated-header@0
A: 1\rB: 2 => A: 1\rB: 2 => control-character@0
"""
)


@pytest.mark.parametrize(("text", "expected", "found", "message"), LINES + SECTIONS + FOLDED)
def test_a_section_is_read_into_its_fields(
    text: str, expected: str, found: str, message: str
) -> None:
    report = read(octets(text))
    assert (fields(report), places(report, len(HEAD))) == (unescaped(expected), found)
    assert not message or unescaped(message) in [each.message for each in report.diagnostics]


@pytest.mark.parametrize(("text", "expected", "found"), LF_SECTIONS)
def test_where_lf_ends_a_line_crlf_does_so_too(text: str, expected: str, found: str) -> None:
    report = read(octets(text), LF)
    start = len(HEAD.replace(CRLF, LF))
    assert fields(report) == unescaped(expected)
    assert places(report, start) == (LINE_FEED + found).strip()


def test_a_line_is_quoted_in_part() -> None:
    message = f"found '{'?' * 60}'..., expected a name, a colon and a value"
    assert read(b"?" * 61).diagnostics[0].message == message


def test_what_is_wrong_is_reported_each_time() -> None:
    message = b"GET x HTTP/1.1\r\nA: 1\r\nB : 2\r\n\r\n"
    found = "header-blank-before-colon@{} header-blank-before-colon@{}"
    at = len(HEAD) + len(b"A: 1\r\n")
    report = checked_request(batch(part(message), part(message)))
    assert places(report) == found.format(at, at + len(part(message)))


def test_more_lines_and_sections_than_are_remembered_are_read_all_the_same() -> None:
    etags = [f'"{number}"' for number in range(1100)] * 2
    parts = [part(f"GET x HTTP/1.1\r\nIf-Match: {etag}\r\n\r\n".encode()) for etag in etags]
    request = decode_request(batch(*parts), "multipart/mixed; boundary=b", strict=True)
    assert [operation.headers["if-match"] for operation in request.operations()] == etags


def test_many_continuation_lines_with_many_problems_are_read_in_linear_time() -> None:
    section = b"?\r\n" * 20_000 + b"A: 1" + b"\r\n x" * 20_000 + b"\r\n?" * 20_000
    limits = Limits(fields=100_000, header_section=len(section))
    data = HEAD + section + b"\r\n\r\n\r\n--b--"
    report = check_request(data, "multipart/mixed; boundary=b", limits=limits)
    assert len(report.diagnostics) + report.omitted == 40_001


# -- limits --


# The first section has three fields, the longest of them of 33 octets, and 82 octets in all.
FIRST = PART_HEAD + b"Content-ID: 123\r\n"


@pytest.mark.parametrize(
    ("limit", "value", "enough", "too_much"),
    [
        ("field_line", 33, b"A: " + b"x" * 30, b"A: " + b"x" * 31),
        ("field_line", 33, b"B: 1\r\nA: " + b"x" * 30, b"B: 1\r\nA: " + b"x" * 31),
        ("field_line", 33, b"A: 12345678\r\n " + b"x" * 21, b"A: 12345678\r\n " + b"x" * 22),
        ("fields", 3, b"A: 1\r\nA: 1\r\nA: 1", b"A: 1\r\nA: 1\r\nA: 1\r\nA: 1"),
        ("fields", 3, b"A: 1\r\n 2\r\n 3\r\n 4", b"A: 1\r\n 2\r\nB:\r\nC:\r\nD:"),
        ("header_section", 82, b"A: " + b"x" * 79, b"A: " + b"x" * 80),
        ("headers_total", 100, b"A: " + b"x" * 15, b"A: " + b"x" * 16),
    ],
)
def test_a_section_may_be_as_large_as_its_limit(
    limit: str, value: int, enough: bytes, too_much: bytes
) -> None:
    def checked(section: bytes) -> Report[BatchRequest]:
        message = b"GET x HTTP/1.1\r\n" + section + b"\r\n\r\n"
        data = batch(part(message, head=FIRST))
        return checked_request(data, limits=Limits(**{limit: value}), splits=16)

    assert checked(enough).complete
    report = checked(too_much)
    assert not report.complete
    found = report.diagnostics[-1]
    assert found.message == f"limit {limit} is {value}, and the message exceeds it"
    assert (found.rule.slug, found.limit) == ("limit-exceeded", (limit, value))
    assert found.position == 5 + len(FIRST) + 2 + len(b"GET x HTTP/1.1\r\n")


def test_every_section_counts_each_time() -> None:
    data = batch(part(), part(), part())
    section = len(PART_HEAD) - 2
    assert checked_request(data, limits=Limits(headers_total=3 * section), splits=16).ok
    report = checked_request(data, limits=Limits(headers_total=3 * section - 1), splits=16)
    assert places(report) == f"limit-exceeded@{data.rindex(PART_HEAD)}"


# -- media types --


# A Content-Type, in which `~` is `multipart/mixed; boundary=`, what is found, and the last message;
# `*` says that the body is empty, and what the boundary is.
TYPES = rows(
    r"""
multipart/mixed;boundary=b =>  => *'b'
multipart/mixed ; Boundary=B  =>  => *'B'
 \tMULTIPART/Mixed\t ;boundary=b =>  => *'b'
multipart/related; boundary=b => multipart-subtype => *'b'
    => found 'multipart/related', expected multipart/mixed
multipart/mixed; ;; \t;boundary=d;; =>  => *'d'
multipart/mixed; a=b; a=c; boundary=d =>  => *'d'
~d; boundary=d => boundary-repeated => *'d' => boundary 'd' is given 2 times
~"b c" =>  => *'b c'
~"\\b\\c"; d=e =>  => *'bc'
~"\\"\\\\\\d" => boundary-characters => *'"\\\\d'
~";d=e"; f=g => boundary-characters => *';d=e'
~b; a="\xe9\t" =>  => *'b'
~b; a="" =>  => *'b'
~ d => parameter-blanks => *'d' => blanks around the = of parameter boundary
multipart/mixed; boundary =d => parameter-blanks => *'d'
~d; c\t=\t"d" => parameter-blanks => *'d' => blanks around the = of parameter c
~a:b; c=d => boundary-unquoted => *'a:b' => boundary 'a:b' is not quoted
~a/b => boundary-unquoted => *'a/b'
~(b) => boundary-unquoted => *'(b)'
~b= => boundary-unquoted => *'b='
~a@b => boundary-unquoted boundary-characters => *'a@b'
    => boundary 'a@b' has characters that RFC 2046 does not allow
~"b;" => boundary-characters => *'b;'
~"b " => boundary-characters => *'b '
multipart/mixed; => boundary-missing => multipart without boundary parameter
multipart/mixed; boundary*=utf-8''b => boundary-missing => multipart without boundary parameter
multipart/mixed; c =d => parameter-blanks boundary-missing => multipart without boundary parameter
~"" => boundary-missing => boundary is empty
~; a=b => boundary-missing => boundary is empty
~"\xe9\t" => boundary-syntax => boundary '\xe9\\t' is not printable US-ASCII
~"\x7f" => boundary-syntax => boundary '\\x7f' is not printable US-ASCII
~\xe9 => boundary-unquoted boundary-syntax => boundary '\xe9' is not printable US-ASCII
~b;a=b;boundary=c => boundary-conflict => found boundaries 'b' and 'c'
~b; boundary=B => boundary-conflict => found boundaries 'b' and 'B'
~b; boundary*=utf-8''c => boundary-conflict
    => found the parameters boundary and boundary*, 'b' and "utf-8''c"
multipart/mixed; boundary*0*=b; boundary=b => boundary-conflict
    => found the parameters boundary and boundary*0*, 'b' and 'b'
text/plain => batch-media-type => found 'text/plain', expected multipart/mixed or application/json
application/problem+json => batch-media-type
    => found 'application/problem+json', expected multipart/mixed or application/json
text/json => batch-media-type => found 'text/json', expected multipart/mixed or application/json
application/json;charset=latin-1 => json-charset => found charset 'latin-1', expected utf-8
application/json;charset=UTF8 => json-syntax => found the end, expected a JSON batch
Application/JSON; odata.metadata=minimal => json-syntax => found the end, expected a JSON batch
"""
)


@pytest.mark.parametrize("row", TYPES, ids=lambda row: row[0])
def test_a_content_type_is_read_to_its_boundary(row: tuple[str, ...]) -> None:
    text, slugs, *messages = map(unescaped, row)
    report = check_request(b"", text.replace("~", "multipart/mixed; boundary="))
    if messages[0].startswith("*"):
        slugs = f"{slugs} no-delimiter".strip()
        messages[0] = f"the body is empty, the boundary is {messages[0][1:]}"
    assert " ".join(each.rule.slug for each in report.diagnostics) == slugs
    assert {each.position for each in report.diagnostics} == {0}
    assert report.diagnostics[-1].message == messages[0]
    assert set(messages) <= {each.message for each in report.diagnostics}


def test_a_boundary_may_be_as_long_as_the_limit() -> None:
    for length, slug in ((70, "no-delimiter"), (71, "limit-exceeded")):
        report = check_request(b"", "multipart/mixed; boundary=" + "b" * length)
        assert places(report) == f"{slug}@0"


@pytest.mark.parametrize(
    "text",
    [
        *("", "text", "text/", "/plain", "text /plain", "text/plain, text/html", "te\xe9t/plain"),
        *("text/plain (comment)", "text/pl\xe9in", "multipart/; boundary=b", "text/plain; a"),
        *("multipart/mixed; boundary=b c", "multipart/mixed; boundary=b (comment); c=d"),
        *("multipart/mixed; boundary=b; a=", "multipart/mixed; boundary=b; a=(comment)"),
        *("multipart/mixed; boundary=b; a=\xe9", 'multipart/mixed; boundary=b; a="b'),
        *('multipart/mixed; boundary="b', 'multipart/mixed; boundary="b\\"'),
        *('multipart/mixed; boundary="b"c', 'multipart/mixed; boundary=b"c"'),
        *("multipart/mixed; boundary=b; =c", "application/json; =", "multipart/mixed boundary=b"),
    ],
)
def test_a_content_type_that_cannot_be_read_to_its_end_is_refused(text: str) -> None:
    report = check_request(b"--b--", text)
    assert places(report) == "content-type-syntax@0"
    expected = f"found {text!r}, expected type/subtype and parameters"
    assert report.diagnostics[0].message == expected


def test_the_text_of_a_broken_media_type_is_cut() -> None:
    message = f"found '{'x' * 60}'..., expected type/subtype and parameters"
    assert check_request(b"", "x" * 61).diagnostics[0].message == message


def test_what_is_odd_is_reported_before_what_is_broken() -> None:
    report = check_request(b"", "multipart/mixed; boundary =b; c")
    assert places(report) == "parameter-blanks@0 content-type-syntax@0"


@pytest.mark.parametrize("end", ['"', ""])
def test_fifty_thousand_quoted_pairs_are_read_in_linear_time(end: str) -> None:
    text = 'multipart/mixed; boundary=b; c="' + '\\"' * 50_000 + end
    report = check_request(b"", text, limits=Limits(field_line=200_000))
    assert places(report) == ("no-delimiter@0" if end else "content-type-syntax@0")


@pytest.mark.parametrize(
    "piece", [";", "; ", ' ;a="b"', ";a=b", ";a=b\t", "; a = b", ";boundary=@"]
)
def test_fifty_thousand_parameters_are_read_in_linear_time(piece: str) -> None:
    limits = Limits(field_line=1_000_000)
    report = check_request(b"", "multipart/mixed" + piece * 50_000, limits=limits)
    assert report.diagnostics[-1].rule.slug != "content-type-syntax"


@given(st.text())
def test_no_text_makes_a_batch_of_nothing(text: str) -> None:
    with pytest.raises(DecodeError):
        decode_request(b"", text)
