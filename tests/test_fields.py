"""Header sections and media types, as decoding reads them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odata_batch import BatchRequest, DecodeError, Limits, Report, check_request, decode_request

from .helpers import CRLF, PART_HEAD, batch, checked_request, part, places

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


def fields(report: Report[BatchRequest]) -> list[str]:
    assert report.value is not None
    (operation,) = report.value.operations()
    return [f"{name}: {value}" for name, value in operation.headers.pairs]


# Octets, the fields as `name: value`, and what is found, counted from the beginning of the section.

LINES = [
    (b"Accept: text/plain", ["Accept: text/plain"], ""),
    (b"Accept:text/plain", ["Accept: text/plain"], ""),
    (b"Accept:  \t text/plain \t ", ["Accept: text/plain"], ""),
    (b"Accept:", ["Accept: "], ""),
    (b"Accept: ", ["Accept: "], ""),
    (b"A: b:c", ["A: b:c"], ""),
    (b"A: b\tc", ["A: b\tc"], ""),
    (b"!#$%&'*+-.^_`|~09azAZ: x", ["!#$%&'*+-.^_`|~09azAZ: x"], ""),
    (b'A: "\\"', ['A: "\\"'], ""),
    (b"A: x\x00y", ["A: x\x00y"], "control-character@0"),
    (b"A: x\ry", ["A: x\ry"], "control-character@0"),
    (b"A: x\ny", ["A: x\ny"], "control-character@0"),
    (b"A: \x7f", ["A: \x7f"], "control-character@0"),
    (b"A: \xe9\x01", ["A: é\x01"], "control-character@0"),
    (b"A: caf\xe9", ["A: café"], "header-not-ascii@0"),
    (b"A: \xa0x\xa0", ["A: \xa0x\xa0"], "header-not-ascii@0"),
    (b"A : x", ["A: x"], "header-blank-before-colon@0"),
    (b" A\t: x", ["A: x"], "header-blank-before-colon@0"),
    (b" A: x", [], "header-syntax@0"),
    (b":", [], "header-syntax@0"),
    (b": x", [], "header-syntax@0"),
    (b"A", [], "header-syntax@0"),
    (b"A ", [], "header-syntax@0"),
    (b"A B: x", [], "header-syntax@0"),
    (b"A B : x", [], "header-syntax@0"),
    (b"A\x00: x", [], "header-syntax@0"),
    (b"\xe9: x", [], "header-syntax@0"),
]
SECTIONS = [
    (b"B: 1\r\na:2\r\nb: 3", ["B: 1", "a: 2", "b: 3"], ""),
    (b"", [], ""),
    (b"A: 1\nB: 2", ["A: 1\nB: 2"], "control-character@0"),
    (b"A: 1\rB: 2", ["A: 1\rB: 2"], "control-character@0"),
    (
        b"A: 1\r\nno field\r\nB: \x00\r\nC: 2",
        ["A: 1", "B: \x00", "C: 2"],
        "header-syntax@6 control-character@16",
    ),
    (b"?\r\n?\r\n?", [], "header-syntax@0 header-syntax@3 header-syntax@6"),
    (b"Host: a\r\nHost: b\r\n?", ["Host: a", "Host: b"], "header-syntax@18 repeated-header@0"),
    (
        b"Host: a\r\nContent-ID: 1\r\nhost: b",
        ["Host: a", "host: b"],
        "repeated-header@0 content-id-in-message@-85",
    ),
    (
        b"Content-ID: 1\r\ncontent-id:1\r\nContent-Id: 1",
        [],
        "repeated-header-equal@0 content-id-in-message@-85",
    ),
    (b"Accept: a\r\nAccept: b", ["Accept: a", "Accept: b"], ""),
    (b"ETag: a\r\nETag: a", ["ETag: a", "ETag: a"], ""),
    (
        b"Content-Length: 0\r\nContent-Length: 0",
        ["Content-Length: 0", "Content-Length: 0"],
        "repeated-header-equal@0",
    ),
    (
        b"Content-Length: 0\r\nContent-Length: 00",
        ["Content-Length: 0", "Content-Length: 00"],
        "repeated-header@0",
    ),
    (
        b"Content-Type: a/b\r\nContent-Type: a/b",
        ["Content-Type: a/b", "Content-Type: a/b"],
        "repeated-header-equal@0",
    ),
    (
        b"Content-Type: a/b\r\nContent-Type: A/b",
        ["Content-Type: a/b", "Content-Type: A/b"],
        "repeated-header@0",
    ),
    (
        b"Content-Transfer-Encoding: 1\r\ncontent-transfer-encoding: 2",
        ["Content-Transfer-Encoding: 1", "content-transfer-encoding: 2"],
        "repeated-header@0",
    ),
    (
        b"Host: b\r\nHost: b\r\nContent-ID: 1\r\nContent-ID: 2",
        ["Host: b", "Host: b"],
        "repeated-header@0 repeated-header-equal@0 content-id-in-message@-85",
    ),
]
FOLDED = [
    (b"A: 1\r\n 2", ["A: 1 2"], "header-folded@0"),
    (b"A: 1\r\n\t2", ["A: 1 2"], "header-folded@0"),
    (b"A: 1 \r\n \t 2 ", ["A: 1  2"], "header-folded@0"),
    (b"A:\r\n 1", ["A: 1"], "header-folded@0"),
    (b"A: 1\r\n 2\r\n\t3", ["A: 1 2 3"], "header-folded@0"),
    (b"A: 1\r\n ", ["A: 1"], "header-folded@0"),
    (b"A: multipart/mixed;\r\n boundary=b", ["A: multipart/mixed; boundary=b"], "header-folded@0"),
    (
        b"A: 1\r\nB: 2\r\n \x01\r\nC: 3",
        ["A: 1", "B: 2 \x01", "C: 3"],
        "header-folded@6 control-character@6",
    ),
    (b"A: 1\r\nB: 2\r\n\t2\r\nC: 3\r\n 3", ["A: 1", "B: 2 2", "C: 3 3"], "header-folded@6"),
    (b"A: 1\r\nB: 2\r\n\t2\r\n 3", ["A: 1", "B: 2 2 3"], "header-folded@6"),
    (b" A: 1\r\nB: 2", ["B: 2"], "header-syntax@0"),
    (b" A: 1\r\n 2\r\nB: 2", ["B: 2"], "header-folded@0 header-syntax@0"),
    (b" A: 1\r\nB: \t 2", ["B: 2"], "header-syntax@0"),
    (
        b"A: 1\r\nB: 2\r\n  3\r\n\t4\r\nC: 5 \r\n\xe9",
        ["A: 1", "B: 2 3 4", "C: 5"],
        "header-folded@6 header-syntax@28",
    ),
    (
        b"Host: a\r\n b\r\nHost: a b",
        ["Host: a b", "Host: a b"],
        "header-folded@0 repeated-header-equal@0",
    ),
]
LF_SECTIONS = [
    (b"B: 1\na:2\nb: 3", ["B: 1", "a: 2", "b: 3"], ""),
    (b"", [], ""),
    (b"A: 1\r\nB: 2\nC: 3\r", ["A: 1", "B: 2", "C: 3"], ""),
    (
        b"A: 1\nno field\r\nB: \x00\nC: 2",
        ["A: 1", "B: \x00", "C: 2"],
        "header-syntax@5 control-character@15",
    ),
    (b"A: 1\nB: 2\n 2\n\t3", ["A: 1", "B: 2 2 3"], "header-folded@5"),
    (b"A: 1\r\nB: 2\r\n 2\n?", ["A: 1", "B: 2 2"], "header-folded@6 header-syntax@15"),
    (
        b"A: 1\nB: 2\n  3\n\t4\nC: 5 \n\xe9",
        ["A: 1", "B: 2 3 4", "C: 5"],
        "header-folded@5 header-syntax@23",
    ),
    (b"Host: a\nHost: b\n?", ["Host: a", "Host: b"], "header-syntax@16 repeated-header@0"),
    (b"A: 1\rB: 2", ["A: 1\rB: 2"], "control-character@0"),
]
MESSAGES = [
    (b"A: x\x00y", "field line 'A: x\\x00y' has a control character"),
    (b"A: caf\xe9", "field line 'A: café' is not US-ASCII"),
    (b"A : x", "field line 'A : x' has a blank before its colon"),
    (b" A: x", "found ' A: x', expected a name, a colon and a value"),
    (b"Host: a\r\nHost: b\r\n?", "host has the values 'a' and 'b'"),
    (b"Host: a\r\nContent-ID: 1\r\nhost: b", "Content-ID '1' stands in the HTTP message"),
    (
        b"Content-ID: 1\r\ncontent-id:1\r\nContent-Id: 1",
        "content-id stands 3 times with the same value",
    ),
    (
        b"Content-Length: 0\r\nContent-Length: 0",
        "content-length stands 2 times with the same value",
    ),
    (b"Content-Length: 0\r\nContent-Length: 00", "content-length has the values '0' and '00'"),
    (b"Content-Type: a/b\r\nContent-Type: a/b", "content-type stands 2 times with the same value"),
    (b"Content-Type: a/b\r\nContent-Type: A/b", "content-type has the values 'a/b' and 'A/b'"),
    (
        b"Content-Transfer-Encoding: 1\r\ncontent-transfer-encoding: 2",
        "content-transfer-encoding has the values '1' and '2'",
    ),
    (
        b"Host: b\r\nHost: b\r\nContent-ID: 1\r\nContent-ID: 2",
        "content-id has the values '1' and '2'",
    ),
    (
        b"Host: b\r\nHost: b\r\nContent-ID: 1\r\nContent-ID: 2",
        "host stands 2 times with the same value",
    ),
    (b"A: 1\r\n 2", "a field line is folded; it is read unfolded"),
]


@pytest.mark.parametrize(("section", "expected", "found"), LINES + SECTIONS + FOLDED)
def test_a_section_is_read_into_its_fields(section: bytes, expected: list[str], found: str) -> None:
    report = read(section)
    assert (fields(report), places(report, len(HEAD))) == (expected, found)


@pytest.mark.parametrize(("section", "expected", "found"), LF_SECTIONS)
def test_where_lf_ends_a_line_crlf_does_so_too(
    section: bytes, expected: list[str], found: str
) -> None:
    report = read(section, LF)
    start = len(HEAD.replace(CRLF, LF))
    assert (fields(report), places(report, start)) == (expected, (LINE_FEED + found).strip())


@pytest.mark.parametrize(("section", "message"), MESSAGES)
def test_what_is_wrong_with_a_section_is_told(section: bytes, message: str) -> None:
    assert message in [found.message for found in read(section).diagnostics]


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


@pytest.mark.parametrize(
    ("text", "boundary", "found"),
    [
        ("multipart/mixed;boundary=b", "b", ""),
        ("multipart/mixed ; Boundary=B ", "B", ""),
        (" \tMULTIPART/Mixed\t ;boundary=b", "b", ""),
        ("multipart/related; boundary=b", "b", "multipart-subtype@0 "),
        ("multipart/mixed; ;; \t;boundary=d;;", "d", ""),
        ("multipart/mixed; a=b; a=c; boundary=d; boundary=d", "d", "boundary-repeated@0 "),
        ('multipart/mixed; boundary="b c"', "b c", ""),
        ('multipart/mixed; boundary="\\b\\c"; d=e', "bc", ""),
        ('multipart/mixed; boundary="\\"\\\\\\d"', '"\\d', "boundary-characters@0 "),
        ('multipart/mixed; boundary=";d=e"; f=g', ";d=e", "boundary-characters@0 "),
        ('multipart/mixed; a="\xe9\t"; boundary=b', "b", ""),
        ('multipart/mixed; a=""; boundary=b', "b", ""),
        ("multipart/mixed; boundary= d", "d", "parameter-blanks@0 "),
        ("multipart/mixed; boundary =d", "d", "parameter-blanks@0 "),
        ('multipart/mixed; boundary=d; c\t=\t"d"', "d", "parameter-blanks@0 "),
        ("multipart/mixed; boundary=a:b; c=d", "a:b", "boundary-unquoted@0 "),
        ("multipart/mixed; boundary=a/b", "a/b", "boundary-unquoted@0 "),
        ("multipart/mixed; boundary=(b)", "(b)", "boundary-unquoted@0 "),
        ("multipart/mixed; boundary=b=", "b=", "boundary-unquoted@0 "),
        ("multipart/mixed; boundary=a@b", "a@b", "boundary-unquoted@0 boundary-characters@0 "),
        ('multipart/mixed; boundary="b;"', "b;", "boundary-characters@0 "),
        ('multipart/mixed; boundary="b "', "b ", "boundary-characters@0 "),
        ("multipart/mixed; boundary=" + "b" * 70, "b" * 70, ""),
    ],
)
def test_a_boundary_is_read(text: str, boundary: str, found: str) -> None:
    report = check_request(b"", text)
    assert places(report) == found + "no-delimiter@0"
    expected = f"the body is empty, the boundary is {boundary!r}"
    if len(boundary) <= 60:
        assert report.diagnostics[-1].message == expected


@pytest.mark.parametrize(
    ("text", "found", "message"),
    [
        ("multipart/mixed;", "boundary-missing@0", "multipart without boundary parameter"),
        ("multipart/mixed; boundary*=utf-8''b", "boundary-missing@0", None),
        ("multipart/mixed; c =d", "parameter-blanks@0 boundary-missing@0", None),
        ('multipart/mixed; boundary=""', "boundary-missing@0", "boundary is empty"),
        ("multipart/mixed; boundary=; a=b", "boundary-missing@0", "boundary is empty"),
        (
            'multipart/mixed; boundary="\xe9\t"',
            "boundary-syntax@0",
            r"boundary '\xe9\t' is not printable US-ASCII".replace(r"\xe9", "\xe9"),
        ),
        ('multipart/mixed; boundary="\x7f"', "boundary-syntax@0", None),
        ("multipart/mixed; boundary=\xe9", "boundary-unquoted@0 boundary-syntax@0", None),
        ("multipart/mixed; boundary=" + "b" * 71, "limit-exceeded@0", None),
        (
            "multipart/mixed;boundary=b;a=b;boundary=c",
            "boundary-conflict@0",
            "found boundaries 'b' and 'c'",
        ),
        ("multipart/mixed; boundary=b; boundary=B", "boundary-conflict@0", None),
        (
            "multipart/mixed; boundary=b; boundary*=utf-8''c",
            "boundary-conflict@0",
            "found the parameters boundary and boundary*, 'b' and \"utf-8''c\"",
        ),
        (
            "multipart/mixed; boundary*0*=b; boundary=b",
            "boundary-conflict@0",
            "found the parameters boundary and boundary*0*, 'b' and 'b'",
        ),
        (
            "text/plain",
            "batch-media-type@0",
            "found 'text/plain', expected multipart/mixed or application/json",
        ),
        ("application/problem+json", "batch-media-type@0", None),
        ("text/json", "batch-media-type@0", None),
        (
            "application/json;charset=latin-1",
            "json-charset@0",
            "found charset 'latin-1', expected utf-8",
        ),
        ("application/json;charset=UTF8", "json-syntax@0", "found the end, expected a JSON batch"),
        ("Application/JSON; odata.metadata=minimal", "json-syntax@0", None),
    ],
)
def test_what_a_content_type_lacks_is_told(text: str, found: str, message: str | None) -> None:
    report = check_request(b"", text)
    assert places(report) == found
    assert message in (None, report.diagnostics[-1].message)
    assert "json-syntax" in found or {each.path for each in report.diagnostics} == {"headers"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("multipart/related; boundary=b", "found 'multipart/related', expected multipart/mixed"),
        ("multipart/mixed; boundary =b", "blanks around the = of parameter boundary"),
        ("multipart/mixed; boundary=a:b", "boundary 'a:b' is not quoted"),
        ("multipart/mixed; boundary=b;boundary=b", "boundary 'b' is given 2 times"),
        (
            "multipart/mixed; boundary=a@b",
            "boundary 'a@b' has characters that RFC 2046 does not allow",
        ),
    ],
)
def test_what_is_odd_about_a_content_type_is_told(text: str, message: str) -> None:
    assert message in [found.message for found in check_request(b"", text).diagnostics]


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
