"""Framing: which lines are delimiters, and what is between and around them, in any chunks."""

from __future__ import annotations

import email
import email.policy
import sys
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from odata_batch import (
    BatchRequest,
    Limits,
    Operation,
    Report,
    RequestDecoder,
    check_request,
    decode_request,
    encode_request,
)

from .helpers import (
    CRLF,
    MULTIPART,
    PART_HEAD,
    batch,
    change_set,
    checked_request,
    fed,
    member,
    octets,
    part,
    rows,
)

# What `@` is short for: everything before the body of an operation.
HEAD = PART_HEAD + b"\r\nPOST x HTTP/1.1\r\nContent-Type: a/b\r\n\r\n"


def written(template: bytes) -> bytes:
    return template.replace(b"@", HEAD)


def bodies(report: Report[BatchRequest]) -> list[bytes]:
    return [] if report.value is None else [each.body for each in report.value.operations()]


def split(text: str) -> list[bytes]:
    return [octets(each) for each in text.split(" ; ")] if text else []


def places(
    report: Report[BatchRequest], template: bytes, head: bytes = HEAD, start: int = 0
) -> str:
    """Return slugs and positions, which are counted in the template from `start` on."""
    data = template.replace(b"@", head)
    found = []
    for each in report.diagnostics:
        position = each.position or 0
        position -= (len(head) - 1) * data[:position].count(head)
        found.append(f"{each.rule.slug}@{position - start}")
    return " ".join(found)


# Octets, the bodies that are read, what is found, and what is said of it.
ROWS = rows(
    r"""
--b\r\n@x\r\n--b--\r\n => x => =>
--b\r\n@x\r\n--b\r\n@y\r\n--b--\r\n => x ; y => =>
\r\n--b\r\n@x\r\n--b--\r\n => x => =>
 \t\r\n\r\n--b\r\n@x\r\n--b--\r\n => x => =>
--b\r\n@x\r\n--b-- => x => =>
--b\r\n@x\r\n--b--\r\n\r\n \t\r\n => x => =>
--b\r\n@x\r\n\r\n--b--\r\n => x\r\n => =>
--b\r\n\r\n--b--\r\n => => part-without-body@5 =>
--b\r\n@\r\n\r\n--b--\r\n => \r\n => =>
--b\r\n@x\r\r\n--b--\r\n => x\r => =>
--b\r\n@\r\r\n--b--\r\n => \r => =>
--b\r\n@x\n\r\n--b--\r\n => x\n => =>
--b\r\n--b--\r\n => => part-without-body@5 =>
--b\r\n--b\r\n--b\r\n@x\r\n--b--\r\n => x => part-without-body@5 part-without-body@10 =>
--b\r\n@\x00\xff\r\n-\r\n--\r\n--B\r\n--b--\r\n => \x00\xff\r\n-\r\n--\r\n--B => =>
--b\r\n@x\r--b\rDELETE\r\n--b--\r\n => x\r--b\rDELETE => delimiter-lookalike@8 =>
--b\r\n@x\r--b--\r\n--b--\r\n => x\r--b-- => delimiter-lookalike@8 =>
--b\r\n@x\r--b\r\n--bX\r\n--b--\r\n => x\r--b\r\n--bX => delimiter-lookalike@8 =>
--b\r\n@x\r\n--bX\r--b\r\n--b--\r\n => x\r\n--bX\r--b => delimiter-lookalike@9 =>
--b\r\n@\r--b\r\n--b--\r\n => \r--b => delimiter-lookalike@7 =>
--b\r\n@x\r\n--b_1\r\n--b_2\r\n--b\r\n@y\r\n--b\r\n@z\r\n--b-\r\n--b--\r\n =>
    x\r\n--b_1\r\n--b_2 ; y ; z\r\n--b- => delimiter-lookalike@9 delimiter-lookalike@41 =>
pre\r\n--b \r\n@one\r\n--b\r\n--b\r\n@\r\n\r\n--b---\r\nepilogue => one ; \r\n =>
    transport-padding@5 preamble@0 part-without-body@22 close-delimiter-hyphens@32 epilogue@40 =>
    found 'pre' before the first delimiter
--b \r\n@x\r\n--b-- \r\n => x => transport-padding@0 transport-padding@10 =>
--b\t\r\n@x\r\n--b--\t\r\n => x => transport-padding@0 transport-padding@10 =>
--b \t \r\n@x\r\n--b-- \t \r\n => x => transport-padding@0 transport-padding@12 =>
    found padding of 3 octets behind the boundary, expected none
--b\r\n@x\r\n--b---\r\n => x => close-delimiter-hyphens@9 =>
--b\r\n@x\r\n--b--- => x => close-delimiter-hyphens@9 =>
\n--b\n@x\r\ny\n--b\n@\n\n--b--\n => x\r\ny ; \n => line-feed@1 =>
    the first delimiter line ends in LF alone, and so does every line
\n--b\n@x\r\ny\n--b\n@\n\n--b-- => x\r\ny ; \n => line-feed@1 =>
--b\n--b\n--b--\n => => line-feed@0 part-without-body@4 part-without-body@8 =>
--b\r\n@x\n--b\r\n@y\r\n--b--\r\n => x ; y => mixed-line-endings@8 =>
    found LF before a delimiter line and CRLF at its end, expected CRLF
--b\r\n@x\r\n--b\n@y\r\n--b--\r\n => x ; y => mixed-line-endings@9 =>
    found CRLF before a delimiter line and LF at its end, expected CRLF
--b\r\n@x\n--b\n@y\r\n--b--\r\n => x ; y => mixed-line-endings@8 =>
    found LF before a delimiter line and LF at its end, expected CRLF
--b\r\n@x\n--b--\r\n => x => mixed-line-endings@8 =>
--b\r\n\n--b--\r\n => => mixed-line-endings@6 part-without-body@5 =>
--b\r\n@x\r\n--b\n--b--\r\n => x => mixed-line-endings@9 part-without-body@13 =>
\n--b\r\n@x\r\n--b--\r\n => x => mixed-line-endings@1 =>
\r\n\n--b\r\n@x\r\n--b--\r\n => x => mixed-line-endings@3 =>
--b\n@x\r\n--b\n@y\n--b--\n => x\r ; y => line-feed@0 mixed-line-endings@8 =>
    found CRLF before a delimiter line and LF at its end, expected LF
--b\n@x\n--b\r\n@y\n--b--\n => x ; y => line-feed@0 mixed-line-endings@7 =>
    found LF before a delimiter line and CRLF at its end, expected LF
--b\n@x\r\n--b--\n => x\r => line-feed@0 mixed-line-endings@8 =>
\r\n--b\n@x\n--b--\n => x => line-feed@2 mixed-line-endings@2 =>
--b\r\n@x\r\n--b--\n => x => line-feed@9 =>
    the close delimiter ends in LF alone, the delimiters end in CRLF
--b\n@x\n--b--\r\n => x => line-feed@0 =>
--b\rx\r--b--\r => => no-delimiter@0 => body starts with '--b\\rx\\r--b--', Content-Type says 'b'
--b\r\n@x\r\n--b-- => x => =>
--b\r\n@x\r\n--b--  => x => transport-padding@9 =>
--b\r\n@x\r\n--b--- => x => close-delimiter-hyphens@9 =>
--b\r\n@x\r\n--b--\r => => truncated@15 => the request ends without '--b--'
--b\r\n@x\r\n--b-- \r => => truncated@16 =>
--b\r\n@x\r\n--b- => => truncated@13 =>
--b\r\n@x\r\n--b => => truncated@12 =>
--b\r\n@x\r\n--b  => => truncated@13 =>
--b\r\n@x\r\n--b\r => => truncated@13 =>
--b\r\n@x\r\n--b\r\n => x => truncated@14 =>
--b\r\n@x\r\n--b\r\n@y => x => truncated@16 =>
--b\r\n@x\r\n-- => => truncated@11 =>
--b\r\n@x\r\n => => truncated@9 =>
--b--\r\n => => no-parts@0 => found a close delimiter and no part
--b-- => => no-parts@0 =>
\r\n--b-- => => no-parts@2 =>
 \n\n--b--\r\n => => no-parts@3 =>
 => => no-delimiter@0 => the body is empty, the boundary is 'b'
\r\n \r\n => => no-delimiter@0 => the body is empty, the boundary is 'b'
--batch_x\r\nx\r\n--batch_x-- => => no-delimiter@0 =>
    body starts with '--batch_x', Content-Type says 'b'
\r\n --batch_x\nx => => no-delimiter@0 => body starts with '--batch_x', Content-Type says 'b'
--b => => no-delimiter@0 =>
{"requests":[]} => => no-delimiter@0 =>
    body starts with '{"requests":[]}', and no line is '--' and 'b'
x--b\r\n => => no-delimiter@0 =>
--bX\r\nx\r\n--b--\r\n => => no-delimiter@0 => body starts with '--bX', Content-Type says 'b'
text\r\n--b--\r\n => => no-delimiter@0 => body starts with 'text', and no line is '--' and 'b'
\xef\xbb\xbf--b\r\nx\r\n--b-- => => no-delimiter@0 =>
\r\nThis is\r\na preamble.\r\n--b\r\n@x\r\n--b--\r\n => x => preamble@0 =>
\xef\xbb\xbf--b\r\nDELETE\r\n--b\r\n@x\r\n--b--\r\n => x => preamble@0 delimiter-lookalike@3 =>
    found '--b' before the first delimiter line
--bX\r\nDELETE\r\n--b\r\n@x\r\n--b--\r\n => x => preamble@0 delimiter-lookalike@0 =>
 --b\r\nDELETE\r\n--b\r\n@x\r\n--b--\r\n => x => preamble@0 delimiter-lookalike@1 =>
zz--b\r\nDELETE\r\n--b\r\n@x\r\n--b--\r\n => x => preamble@0 delimiter-lookalike@2 =>
x\r--b\rDELETE\r\n--b\r\n@x\r\n--b--\r\n => x => preamble@0 delimiter-lookalike@2 =>
text\r\n--b- \r\n--bX\r\n--b\r\n@x\r\n--b--\r\n => x => preamble@0 delimiter-lookalike@6 =>
--b\r\n@x\r\n--b--\r\n\r\nThe end, --b, \r\n => x => epilogue@16 =>
--b\r\n@x\r\n--b--\r\n--b\r\ny\r\n--b--\r\n => x => epilogue-delimiter@16 =>
    a delimiter line follows the close delimiter; it is not read
--b\r\n@x\r\n--b--\r\n\r\n--b\r\n => x => epilogue-delimiter@18 =>
--b\r\n@x\r\n--b--\r\nx\r\n--bX\r\n--b-- => x => epilogue-delimiter@25 =>
--b\r\n@x\r\n--b--\r\n\n--b\n => x => epilogue-delimiter@17 =>
--b\r\n@x\r\n--b--\r\n\r\n--b  \r\n => x => epilogue-delimiter@18 =>
--b\r\n@x\r\n--b--\r\n--bX\r\n--b-\r\n => x => epilogue@16 =>
--b\r\n@1\r\n--b_cs\r\n2\r\n--b--\r\n => 1\r\n--b_cs\r\n2 => delimiter-lookalike@9 =>
    a line of content begins with '--b'
\xef\xbb\xbf--b\r\n--b-- => => no-delimiter@0 =>
    body starts with '\xef\xbb\xbf--b', and no line is '--' and 'b'
\r\nA\r\nB.\r\n--b\r\n@x\r\n--b-- => x => preamble@0 =>
    found 'A\\r\\nB.' before the first delimiter
--b\r\n@x\r\n--b--\r\n\r\nThe end. \r\n => x => epilogue@16 =>
    found 'The end.' behind the close delimiter
"""
)


@pytest.mark.parametrize(("text", "expected", "found", "message"), ROWS)
def test_a_body_is_split_at_its_delimiters(
    text: str, expected: str, found: str, message: str
) -> None:
    template = octets(text)
    report = checked_request(written(template), splits=150)
    assert (bodies(report), places(report, template)) == (split(expected), found)
    told = [each.message for each in report.diagnostics]
    assert not message or octets(message).decode("latin-1") in told


@pytest.mark.parametrize(
    ("template", "message"),
    [
        (b"--b---", "the close delimiter ends in three hyphens, expected two"),
        (b"y" * 61, f"body starts with '{'y' * 60}'..., and no line is '--' and 'b'"),
    ],
)
def test_what_is_found_in_framing_is_told(template: bytes, message: str) -> None:
    report = check_request(template, MULTIPART)
    assert message in [each.message for each in report.diagnostics]


@pytest.mark.parametrize(
    "line", [b"x--b", b"x--b--", b" --b", b"\t--b", b"- --b", b"\x0b--b", b"-b", b"--", b"--B"]
)
def test_a_boundary_in_mid_line_is_content_without_diagnostics(line: bytes) -> None:
    body = b"1\r\n" + line + b"\r\n2"
    report = checked_request(written(b"--b\r\n@" + body + b"\r\n--b--\r\n"))
    assert (bodies(report), report.diagnostics) == ([body], ())


@pytest.mark.parametrize(
    "line",
    [
        *(b"--b_cs", b"--bb", b"--b-", b"--b- ", b"--b-x", b"--b--x", b"--b-- -", b"--b----"),
        *(b"--b --", b"--b x", b"--b\tx", b"--b\x0b", b"--b\x00", b"--b\xc2\xa0", b"--b\r"),
        *(b"--b\rx", b"--b--\r", b"--b;", b"--b" + b" " * 256 + b"x"),
    ],
)
def test_a_line_that_only_begins_like_a_delimiter_is_content(line: bytes) -> None:
    template = b"--b\r\n@1\r\n" + line + b"\r\n2\r\n--b--\r\n"
    report = checked_request(written(template), splits=100)
    assert bodies(report) == [b"1\r\n" + line + b"\r\n2"]
    assert places(report, template) == "delimiter-lookalike@9"


# -- limits --

TIGHT = Limits(preamble=10, epilogue=10, transport_padding=2)
LIMITED = rows(
    r"""
--b\r\n@x\r\n--b--\r\n => x =>
12345678\r\n--b\r\n@x\r\n--b--\r\n => x => preamble@0
\r\n\r\n\r\n\r\n\r\n--b\r\n@x\r\n--b--\r\n => x =>
--a_long_boundary\r\nx\r\n--b\r\n => => no-delimiter@0
--b\r\n@x\r\n--b--\r\n1234567890 => x => epilogue@16
--b\r\n@x\r\n--b--\r\n12345678901 => x => limit-exceeded@16
--b  \r\n@x\r\n--b-- => x => transport-padding@0
--b   => => no-delimiter@0
--b\t\tx\r\n--b-- => => no-delimiter@0
--b\r\n@x\r\n--b\r\n@y\r\n--b--  \r\n => x ; y => transport-padding@18
--b\r\n@x\r\n--b  x\r\n--b--\r\n => x\r\n--b  x => delimiter-lookalike@9
--b   \r\nx\r\n--b-- => => limit-exceeded@0
--b    => => limit-exceeded@0
--b\t\t\tx\r\n--b-- => => limit-exceeded@0
--b\r\n@x\r\n--b\r\ny\r\n--b--   \r\n => x => limit-exceeded@17
--b\r\nx\r\n--b   x\r\n--b--\r\n => => limit-exceeded@8
"""
)


@pytest.mark.parametrize(("text", "expected", "found"), LIMITED)
def test_what_is_around_the_parts_may_be_as_long_as_the_limit(
    text: str, expected: str, found: str
) -> None:
    template = octets(text)
    report = checked_request(written(template), limits=TIGHT, splits=150)
    assert (bodies(report), places(report, template)) == (split(expected), found)
    assert report.complete == ("limit-exceeded" not in found and "no-delimiter" not in found)


@pytest.mark.parametrize(
    "preamble", [b"123456789\r\n", b"1" * 30, b"\r\n" * 5 + b"1\r\n", b" " * 12]
)
@pytest.mark.parametrize(
    "rest", [b"--b\r\nx\r\n--b--", b"--b--", b"--b  \r\n", b"--b   ", b"\r\n--b"]
)
def test_a_longer_preamble_ends_the_reading(preamble: bytes, rest: bytes) -> None:
    report = checked_request(preamble + rest, limits=TIGHT)
    assert places(report, b"") == "limit-exceeded@0"


@pytest.mark.parametrize(
    ("data", "limit", "position"),
    [
        (b"123456789\r\n--b--", "preamble", 0),
        (batch(part()) + b"12345678901", "epilogue", len(batch(part()))),
        (b"--b   \r\n", "transport_padding", 0),
        (part() + b"--b--\t\t\t\r\n", "transport_padding", len(part())),
    ],
)
def test_an_exceeded_limit_is_named(data: bytes, limit: str, position: int) -> None:
    found = checked_request(data, limits=TIGHT).diagnostics[-1]
    value = getattr(TIGHT, limit)
    assert found.message == f"limit {limit} is {value}, and the message exceeds it"
    assert (found.limit, found.position) == ((limit, value), position)


@pytest.mark.parametrize(
    ("limit", "blanks", "found"),
    [
        (0, b"", ""),
        (0, b" ", "limit-exceeded@0"),
        (256, b" " * 256, "transport-padding@0"),
        (256, b" " * 257, "limit-exceeded@0"),
        (sys.maxsize, b" ", "transport-padding@0"),
    ],
)
def test_padding_may_have_any_limit(limit: int, blanks: bytes, found: str) -> None:
    data = b"--b" + blanks + CRLF + batch(part())[len(b"--b\r\n") :]
    limits = Limits(transport_padding=limit)
    assert places(checked_request(data, limits=limits, splits=100), b"") == found


# -- long bodies --


def pieces(data: bytes, size: int) -> list[bytes]:
    return [data[index : index + size] for index in range(0, len(data), size)]


@pytest.mark.parametrize(
    "line", [b"--bX", b"--b-", b"--b--   x", b"--b\r", b"--b" + b" " * 256 + b"x"]
)
@pytest.mark.parametrize("tail", [b"", b"\r\n--b-", b"\r\n--b \r", b"\r\nx"])
def test_a_hundred_kilobytes_of_lookalikes_are_content(line: bytes, tail: bytes) -> None:
    content = line + (b"\r\n" + line) * (100_000 // (len(line) + 2)) + tail
    data = written(b"--b\r\n@" + content + b"\r\n--b\r\n@x\r\n--b--\r\n")
    steps = (len(data), len(data) - 9, 50_000, 1009, 7)
    outcomes = {fed(RequestDecoder(MULTIPART), pieces(data, step)) for step in steps}
    ((result, _, found),) = outcomes
    assert isinstance(result, BatchRequest)
    assert [each.body for each in result.operations()] == [content, b"x"]
    assert [(each.rule.slug, each.position) for each in found] == [
        ("delimiter-lookalike", 5 + len(HEAD))
    ]


@pytest.mark.parametrize("half", [b"\r\n--b-", b"\r\n--b-\r", b"\r\n--b-x"])
def test_a_close_delimiter_after_many_near_ones_is_found_wherever_it_is_cut(half: bytes) -> None:
    data = written(b"--b\r\n@") + half * 20_000 + b"\r\n--b--\r\n"
    cuts = range(len(data) - 12, len(data))
    outcomes = {fed(RequestDecoder(MULTIPART), [data[:cut], data[cut:]]) for cut in cuts}
    ((result, _, found),) = outcomes
    assert isinstance(result, BatchRequest) and len(found) == 1
    assert result.operations()[0].body == half * 20_000


# -- boundaries --


@pytest.mark.parametrize(
    "boundary", ["b", "batch_1", "a.b", "(a,b)", "a+", "a?", "a b", "-", "--", "b-", "=_?"]
)
def test_a_boundary_is_taken_literally(boundary: str) -> None:
    body = b"axb\r\n--axb\r\n--aa"
    data = batch(part(b"POST x HTTP/1.1\r\nContent-Type: a/b\r\n\r\n" + body), part())
    data = data.replace(b"--b", b"--" + boundary.encode())
    report = checked_request(data, f'multipart/mixed; boundary="{boundary}"', splits=60)
    assert (bodies(report), report.diagnostics) == ([body, b""], ())


@pytest.mark.parametrize(
    ("line_end", "inner", "expected", "found"),
    [
        (CRLF, b"--c\r\n@x\r\n--c--", [b"x"], ""),
        (CRLF, b"--c\n@x\n--c--", [b"x"], "mixed-line-endings@0 mixed-line-endings@7"),
        (CRLF, b"\n--c\r\n@x\r\n--c--", [b"x"], "mixed-line-endings@1"),
        (CRLF, b"--c--\n", [], "line-feed@0 empty-change-set@0"),
        (b"\n", b"--c\n@x\n--c--", [b"x"], ""),
        (b"\n", b"\n--c\n@x\n--c--", [b"x"], ""),
        (b"\n", b"--c\r\n@x\n--c--", [b"x"], "mixed-line-endings@0"),
    ],
)
def test_a_change_set_has_the_line_ends_of_the_batch(
    line_end: bytes, inner: bytes, expected: list[bytes], found: str
) -> None:
    start = b"--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n".replace(CRLF, line_end)
    head = HEAD.replace(b"binary\r\n", b"binary\r\nContent-ID: 1\r\n")
    template = start + inner + line_end + b"--b--" + line_end
    report = checked_request(template.replace(b"@", head))
    assert bodies(report) == expected
    line_feed = "" if line_end == CRLF else f"line-feed@{-len(start)} "
    assert places(report, template, head, len(start)) == (line_feed + found).strip()


@pytest.mark.parametrize(("outer", "inner"), [(b"batch_1", b"batch_1_cs"), (b"b", b"b--x")])
def test_a_longer_boundary_is_not_the_shorter_one(outer: bytes, inner: bytes) -> None:
    delete = member(b"DELETE x HTTP/1.1\r\n\r\n", boundary=inner)
    data = batch(change_set(delete, boundary=inner, outer=outer), boundary=outer)
    report = checked_request(data, f"multipart/mixed; boundary={outer.decode()}", splits=100)
    assert [each.rule.slug for each in report.diagnostics] == ["boundary-prefix"]
    assert len(bodies(report)) == 1


# -- properties --

FRAGMENTS = (
    *(b"--b", b"--b--", b"\r\n--b\r\n", b"\r\n--b--\r\n", b"\n--b\n", b"\r--b", b"--bX", b"\r\n"),
    *(b"\n", b"\r", b"-", b" ", b"\t", b"   ", b"x", b"\x00", b"1234567890"),
)
OCTETS = st.lists(st.sampled_from(FRAGMENTS), max_size=20).map(b"".join)
MIXED = st.lists(st.sampled_from((*FRAGMENTS, HEAD)), max_size=20).map(b"".join)


@given(MIXED | st.binary(max_size=40), st.lists(st.integers(0, 300), max_size=5))
def test_chunking_does_not_matter(body: bytes, cuts: list[int]) -> None:
    places = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    chunks = [body[begin:end] for begin, end in pairwise(places)]
    for limits in (Limits(), TIGHT):
        whole = fed(RequestDecoder(MULTIPART, limits=limits), [body])
        assert fed(RequestDecoder(MULTIPART, limits=limits), chunks) == whole
        assert fed(RequestDecoder(MULTIPART, limits=limits), pieces(body, 1)) == whole


@given(st.lists(OCTETS | st.binary(max_size=60), min_size=1, max_size=5))
def test_what_is_written_is_split_into_the_same_parts(contents: list[bytes]) -> None:
    assume(not any(b"--batch_01" in content for content in contents))
    operations = [Operation("POST", "x", {"Content-Type": "a/b"}, each) for each in contents]
    payload = encode_request(BatchRequest(operations), format="multipart", boundary="batch_01")
    parts = [part(HEAD[len(PART_HEAD) + 2 :] + each, boundary=b"batch_01") for each in contents]
    assert payload.body == batch(*parts, boundary=b"batch_01")
    assert decode_request(payload.body, payload.content_type, strict=True).items == (*operations,)


BODIES = st.lists(
    st.sampled_from(
        [b"\r\n", b"\n", b"\r", b"text", b"--bX", b"x--b\r\n", b"--", b"\x00\xff", b" ", b"--b--Y"]
    ),
    max_size=12,
).map(b"".join)


@given(st.lists(BODIES, min_size=1, max_size=4))
def test_the_standard_library_sees_the_same_parts(contents: list[bytes]) -> None:
    body = batch(*[part(HEAD[len(PART_HEAD) + 2 :] + each) for each in contents])
    head = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
    message = email.message_from_bytes(head + body, policy=email.policy.HTTP)
    payloads = [part.get_payload(decode=True) for part in message.iter_parts()]
    found = bodies(check_request(body, MULTIPART))
    assert [HEAD[len(PART_HEAD) + 2 :] + each for each in found] == payloads
