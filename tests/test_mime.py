"""Multipart bodies: which lines are delimiters, what stands between them, whatever the chunks."""

from __future__ import annotations

import email
import email.policy
import sys
from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from odata_batch._model.findings import Diagnostic, Stop
from odata_batch._model.limits import Limits
from odata_batch._model.rules import Rule
from odata_batch._wire.mime import Part, PartSplitter, close_delimiter, delimiter, join_parts

from .helpers import chunkings

Found = tuple[str, int | None, str]


@dataclass(frozen=True)
class Split:
    """What became of a body."""

    parts: tuple[Part, ...]
    found: tuple[Found, ...]
    stopped: Rule | None
    closed: bool
    line_end: bytes | None

    @property
    def contents(self) -> list[bytes]:
        return [part.content for part in self.parts]

    @property
    def slugs(self) -> list[str]:
        return [slug for slug, _, _ in self.found]

    @property
    def places(self) -> list[tuple[str, int | None]]:
        return [(slug, position) for slug, position, _ in self.found]


def feed(
    chunks: list[bytes],
    boundary: bytes = b"b",
    limits: Limits | None = None,
    position: int = 0,
    line_end: bytes | None = None,
) -> Split:
    """Return what a splitter makes of the chunks."""
    found: list[Diagnostic] = []
    parts: list[Part] = []
    stopped = None
    splitter = PartSplitter(
        boundary, limits or Limits(), found.append, position=position, line_end=line_end
    )
    try:
        for chunk in chunks:
            parts += splitter.receive_data(chunk)
        parts += splitter.receive_eof()
    except Stop as stop:
        stopped = stop.rule
    findings = tuple((each.rule.slug, each.position, each.message) for each in found)
    return Split(tuple(parts), findings, stopped, splitter.closed, splitter.line_end)


def split(
    body: bytes,
    boundary: bytes = b"b",
    limits: Limits | None = None,
    position: int = 0,
    line_end: bytes | None = None,
) -> Split:
    """Return what every chunking of the body gives."""
    (outcome,) = {
        feed(chunks, boundary, limits, position, line_end) for chunks in chunkings(body) if chunks
    } or {feed([], boundary, limits, position, line_end)}
    return outcome


# -- delimiters --


@pytest.mark.parametrize(
    ("body", "contents"),
    [
        (b"--b\r\nx\r\n--b--\r\n", [b"x"]),
        (b"--b\r\nx\r\n--b\r\ny\r\n--b--\r\n", [b"x", b"y"]),
        (b"\r\n--b\r\nx\r\n--b--\r\n", [b"x"]),
        (b" \t\r\n\r\n--b\r\nx\r\n--b--\r\n", [b"x"]),
        (b"--b\r\nx\r\n--b--", [b"x"]),
        (b"--b\r\nx\r\n--b--\r\n\r\n \t\r\n", [b"x"]),
        # the line end in front of a delimiter is not content, one more is
        (b"--b\r\nx\r\n\r\n--b--\r\n", [b"x\r\n"]),
        (b"--b\r\n\r\n--b--\r\n", [b""]),
        (b"--b\r\n\r\n\r\n--b--\r\n", [b"\r\n"]),
        (b"--b\r\nx\r\r\n--b--\r\n", [b"x\r"]),
        (b"--b\r\n\r\r\n--b--\r\n", [b"\r"]),
        (b"--b\r\nx\n\r\n--b--\r\n", [b"x\n"]),
        # the line end of a delimiter is also that in front of the next one
        (b"--b\r\n--b--\r\n", [b""]),
        (b"--b\r\n--b\r\n--b\r\nx\r\n--b--\r\n", [b"", b"", b"x"]),
        # content is any octets
        (b"--b\r\n\x00\xff\r\n-\r\n--\r\n--B\r\n--b--\r\n", [b"\x00\xff\r\n-\r\n--\r\n--B"]),
    ],
)
def test_a_body_without_departures_is_split_without_diagnostics(
    body: bytes, contents: list[bytes]
) -> None:
    outcome = split(body)
    assert outcome.contents == contents
    assert (outcome.found, outcome.stopped, outcome.closed) == ((), None, True)


@pytest.mark.parametrize(
    "line", [b"x--b", b"x--b--", b" --b", b"\t--b", b"- --b", b"\x0b--b", b"-b"]
)
def test_a_boundary_in_mid_line_is_content_without_diagnostics(line: bytes) -> None:
    outcome = split(b"--b\r\n1\r\n" + line + b"\r\n2\r\n--b--\r\n")
    assert outcome.contents == [b"1\r\n" + line + b"\r\n2"]
    assert outcome.found == ()
    assert outcome.parts[0].lookalike is None


@pytest.mark.parametrize(
    "line",
    [
        b"--b_cs",
        b"--bb",
        b"--b-",
        b"--b- ",
        b"--b-x",
        b"--b--x",
        b"--b-- -",
        b"--b----",
        b"--b --",
        b"--b x",
        b"--b\tx",
        b"--b\x0b",
        b"--b\x00",
        b"--b\xc2\xa0",
        b"--b\r",
        b"--b\rx",
        b"--b--\r",
        b"--b;",
        b"--b" + b" " * 256 + b"x",
    ],
)
def test_a_line_that_only_begins_like_a_delimiter_is_content(line: bytes) -> None:
    outcome = split(b"--b\r\n1\r\n" + line + b"\r\n2\r\n--b--\r\n")
    assert outcome.contents == [b"1\r\n" + line + b"\r\n2"]
    assert (outcome.found, outcome.closed) == ((), True)


def test_the_first_lookalike_of_each_part_is_remembered_with_its_offset() -> None:
    body = b"--b\r\nx\r\n--b_1\r\n--b_2\r\n--b\r\ny\r\n--b\r\nz\r\n--b-\r\n--b--\r\n"
    outcome = split(body, position=100)
    assert [part.lookalike for part in outcome.parts] == [108, None, 138]
    assert body[8:13] == b"--b_1" and body[38:42] == b"--b-"


@pytest.mark.parametrize(
    "line", [b"--bX", b"--b-", b"--b--   x", b"--b\r", b"--b" + b" " * 256 + b"x"]
)
@pytest.mark.parametrize("tail", [b"", b"\r\n--b-", b"\r\n--b \r", b"\r\nx"])
def test_a_hundred_kilobytes_of_lookalikes_are_content(line: bytes, tail: bytes) -> None:
    content = line + (b"\r\n" + line) * (100_000 // (len(line) + 2)) + tail
    body = b"--b\r\n" + content + b"\r\n--b\r\nx\r\n--b--\r\n"
    steps = (len(body), len(body) - 9, 50_000, 1009, 7)
    outcomes = {
        feed([body[index : index + step] for index in range(0, len(body), step)]) for step in steps
    }
    (outcome,) = outcomes
    assert outcome.contents == [content, b"x"]
    assert outcome.parts[0].lookalike == 5
    assert (outcome.found, outcome.closed) == ((), True)


@pytest.mark.parametrize(
    ("content", "lookalike"),
    [
        (b"x\r--b\rDELETE", 7),
        (b"x\r--b--", 7),
        (b"x\r--b\r\n--bX", 7),
        (b"x\r\n--bX\r--b", 8),
        (b"\r--b", 6),
    ],
)
def test_a_boundary_behind_a_bare_cr_is_content_and_remembered(
    content: bytes, lookalike: int
) -> None:
    outcome = split(b"--b\r\n" + content + b"\r\n--b--\r\n")
    assert outcome.contents == [content]
    assert outcome.parts[0].lookalike == lookalike


@pytest.mark.parametrize(
    "boundary",
    [b"b", b"batch_1", b"a.b", b"(a|b)", b"a+", b"[a", b"a b", b"-", b"--", b"b-", b"=_?"],
)
def test_a_boundary_is_taken_literally(boundary: bytes) -> None:
    body = join_parts([b"x", b"axb\r\n--axb\r\n--aa"], boundary)
    outcome = split(body, boundary)
    assert outcome.contents == [b"x", b"axb\r\n--axb\r\n--aa"]
    assert (outcome.found, outcome.closed) == ((), True)


@pytest.mark.parametrize(("outer", "inner"), [(b"batch_1", b"batch_1_cs"), (b"b", b"b--x")])
def test_a_longer_boundary_is_not_the_shorter_one(outer: bytes, inner: bytes) -> None:
    content = join_parts([b"x"], inner)
    outcome = split(join_parts([content], outer), outer)
    assert outcome.contents == [content]
    assert split(outcome.contents[0], inner).contents == [b"x"]


def test_positions_and_lengths_lead_from_one_content_to_the_next() -> None:
    body = b"pre\r\n--b \r\none\r\n--b\r\n--b\r\n\r\n\r\n--b---\r\nepilogue"
    outcome = split(body, position=1000)
    assert outcome.contents == [b"one", b"", b"\r\n"]
    ends = []
    for part in outcome.parts:
        begin = part.position - 1000
        assert body[begin : begin + len(part.content)] == part.content
        assert part.delimiter_length is not None
        ends.append(begin + len(part.content) + part.delimiter_length)
    assert ends[:2] == [part.position - 1000 for part in outcome.parts[1:]]
    assert body[ends[2] :] == b"epilogue"


# -- padding and hyphens --


@pytest.mark.parametrize("padding", [b" ", b"\t", b" \t ", b" " * 256])
def test_blanks_behind_a_boundary_are_accepted_with_a_note(padding: bytes) -> None:
    outcome = split(b"--b" + padding + b"\r\nx\r\n--b--" + padding + b"\r\n")
    message = f"found padding of {len(padding)} octets behind the boundary, expected none"
    assert outcome.contents == [b"x"]
    assert outcome.found == (
        ("transport-padding", 0, message),
        ("transport-padding", 8 + len(padding), message),
    )


@pytest.mark.parametrize(
    ("body", "position", "contents"),
    [
        (b"--b" + b" " * 257 + b"\r\nx\r\n--b--", 0, []),
        (b"--b" + b" " * 257, 0, []),
        (b"--b" + b"\t" * 300 + b"x\r\n--b--", 0, []),
        (b"--b\r\nx\r\n--b\r\ny\r\n--b--" + b" " * 257 + b"\r\n", 16, [b"x"]),
    ],
)
def test_more_blanks_than_the_limit_end_the_reading(
    body: bytes, position: int, contents: list[bytes]
) -> None:
    outcome = split(body)
    message = "limit transport_padding is 256, and the message exceeds it"
    assert outcome.contents == contents
    assert outcome.found == (("limit-exceeded", position, message),)
    assert outcome.stopped is Rule.LIMIT_EXCEEDED


def test_a_limit_of_no_blanks_allows_none() -> None:
    limits = Limits(transport_padding=0)
    assert split(b"--b\r\nx\r\n--b--\r\n", limits=limits).found == ()
    assert split(b"--b \r\nx\r\n--b--\r\n", limits=limits).stopped is Rule.LIMIT_EXCEEDED


def test_the_limit_of_blanks_may_be_any_number() -> None:
    outcome = split(b"--b \r\nx\r\n--b--\r\n", limits=Limits(transport_padding=sys.maxsize))
    assert (outcome.contents, outcome.slugs) == ([b"x"], ["transport-padding"])


@pytest.mark.parametrize("end", [b"--b---\r\n", b"--b---"])
def test_a_close_delimiter_with_a_third_hyphen_is_accepted_with_a_warning(end: bytes) -> None:
    outcome = split(b"--b\r\nx\r\n" + end)
    message = "the close delimiter ends in three hyphens, expected two"
    assert (outcome.contents, outcome.closed) == ([b"x"], True)
    assert outcome.found == (("close-delimiter-hyphens", 8, message),)


# -- line ends --


@pytest.mark.parametrize("end", [b"--b--\n", b"--b--"])
def test_lines_end_in_lf_if_the_first_delimiter_does(end: bytes) -> None:
    outcome = split(b"\n--b\nx\r\ny\n--b\n\n\n" + end)
    message = "the first delimiter line ends in LF alone, and so does every line"
    assert outcome.contents == [b"x\r\ny", b"\n"]
    assert outcome.found == (("line-feed", 1, message),)
    assert outcome.line_end == b"\n"


def test_adjacent_delimiters_share_an_lf() -> None:
    outcome = split(b"--b\n--b\n--b--\n")
    assert (outcome.contents, outcome.slugs) == ([b"", b""], ["line-feed"])


@pytest.mark.parametrize(
    ("body", "contents", "position", "message"),
    [
        # a CRLF message
        (b"--b\r\nx\n--b\r\ny\r\n--b--\r\n", [b"x", b"y"], 7, "LF before, CRLF at its end, CRLF"),
        (b"--b\r\nx\r\n--b\ny\r\n--b--\r\n", [b"x", b"y"], 8, "CRLF before, LF at its end, CRLF"),
        (b"--b\r\nx\n--b\ny\r\n--b--\r\n", [b"x", b"y"], 7, "LF before, LF at its end, CRLF"),
        (b"--b\r\nx\n--b--\r\n", [b"x"], 7, "LF before, CRLF at its end, CRLF"),
        (b"--b\r\n\n--b--\r\n", [b""], 6, "LF before, CRLF at its end, CRLF"),
        (b"--b\r\nx\r\n--b\n--b--\r\n", [b"x", b""], 8, "CRLF before, LF at its end, CRLF"),
        (b"\n--b\r\nx\r\n--b--\r\n", [b"x"], 1, "LF before, CRLF at its end, CRLF"),
        (b"\r\n\n--b\r\nx\r\n--b--\r\n", [b"x"], 3, "LF before, CRLF at its end, CRLF"),
    ],
)
def test_a_delimiter_line_between_lf_is_an_error_in_a_crlf_message(
    body: bytes, contents: list[bytes], position: int, message: str
) -> None:
    before, after, expected = message.split(", ")
    outcome = split(body)
    text = f"found {before} a delimiter line and {after}, expected {expected}"
    assert outcome.contents == contents
    assert outcome.found == (("mixed-line-endings", position, text),)
    assert outcome.line_end == b"\r\n"


@pytest.mark.parametrize(
    ("body", "contents", "position", "message"),
    [
        (b"--b\nx\r\n--b\ny\n--b--\n", [b"x\r", b"y"], 7, "CRLF before, LF at its end, LF"),
        (b"--b\nx\n--b\r\ny\n--b--\n", [b"x", b"y"], 6, "LF before, CRLF at its end, LF"),
        (b"--b\nx\r\n--b--\n", [b"x\r"], 7, "CRLF before, LF at its end, LF"),
        (b"\r\n--b\nx\n--b--\n", [b"x"], 2, "CRLF before, LF at its end, LF"),
    ],
)
def test_a_delimiter_line_between_crlf_is_an_error_in_an_lf_message(
    body: bytes, contents: list[bytes], position: int, message: str
) -> None:
    before, after, expected = message.split(", ")
    outcome = split(body)
    text = f"found {before} a delimiter line and {after}, expected {expected}"
    assert outcome.contents == contents
    assert outcome.slugs == ["line-feed", "mixed-line-endings"]
    assert outcome.found[1] == ("mixed-line-endings", position, text)


def test_a_close_delimiter_that_ends_in_lf_alone_is_a_warning_in_a_crlf_message() -> None:
    outcome = split(b"--b\r\nx\r\n--b--\n")
    message = "the close delimiter ends in LF alone, the delimiters end in CRLF"
    assert (outcome.contents, outcome.closed) == ([b"x"], True)
    assert outcome.found == (("line-feed", 8, message),)


def test_a_close_delimiter_may_end_in_crlf_in_an_lf_message() -> None:
    outcome = split(b"--b\nx\n--b--\r\n")
    assert (outcome.contents, outcome.slugs) == ([b"x"], ["line-feed"])


@pytest.mark.parametrize(
    ("line_end", "body", "contents", "slugs"),
    [
        (b"\r\n", b"--c\r\nx\r\n--c--", [b"x"], []),
        (b"\r\n", b"--c\nx\n--c--", [b"x"], ["mixed-line-endings", "mixed-line-endings"]),
        (b"\n", b"--c\nx\n--c--", [b"x"], []),
        (b"\n", b"\n--c\nx\n--c--", [b"x"], []),
        (b"\n", b"--c\r\nx\n--c--", [b"x"], ["mixed-line-endings"]),
        (b"\r\n", b"--c--\n", [], ["line-feed", "no-parts"]),
    ],
)
def test_a_nested_multipart_has_the_line_ends_of_the_enclosing_one(
    line_end: bytes, body: bytes, contents: list[bytes], slugs: list[str]
) -> None:
    outcome = split(body, b"c", line_end=line_end)
    assert (outcome.contents, outcome.slugs) == (contents, slugs)


def test_a_bare_cr_never_ends_a_line() -> None:
    outcome = split(b"--b\rx\r--b--\r")
    message = r"body starts with '--b\rx\r--b--', Content-Type says 'b'"
    assert outcome.found == (("no-delimiter", 0, message),)


# -- the end of the body --


@pytest.mark.parametrize(
    ("tail", "contents", "closed"),
    [
        (b"--b--", [b"x"], True),
        (b"--b-- ", [b"x"], True),
        (b"--b---", [b"x"], True),
        (b"--b--\r", [b"x\r\n--b--\r"], False),
        (b"--b-- \r", [b"x\r\n--b-- \r"], False),
        (b"--b-", [b"x\r\n--b-"], False),
        (b"--b", [b"x\r\n--b"], False),
        (b"--b ", [b"x\r\n--b "], False),
        (b"--b\r", [b"x\r\n--b\r"], False),
        (b"--b\r\n", [b"x", b""], False),
        (b"--b\r\ny", [b"x", b"y"], False),
        (b"--", [b"x\r\n--"], False),
        (b"", [b"x\r\n"], False),
    ],
)
def test_a_line_at_the_very_end_is_a_delimiter_only_if_it_closes(
    tail: bytes, contents: list[bytes], closed: bool
) -> None:
    outcome = split(b"--b\r\nx\r\n" + tail)
    assert (outcome.contents, outcome.closed) == (contents, closed)
    lengths = [part.delimiter_length is None for part in outcome.parts]
    assert lengths == [False] * (len(contents) - 1) + [not closed]


@pytest.mark.parametrize(
    ("body", "position"),
    [(b"--b--\r\n", 0), (b"--b--", 0), (b"\r\n--b--", 2), (b" \n\n--b--\r\n", 3)],
)
def test_a_close_delimiter_alone_is_a_body_without_parts(body: bytes, position: int) -> None:
    outcome = split(body)
    found = ("no-parts", position, "found a close delimiter and no part")
    assert (outcome.parts, outcome.closed, outcome.stopped) == ((), True, None)
    assert found in outcome.found


# -- no delimiter --


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "the body is empty, the boundary is 'b'"),
        (b"\r\n \r\n", "the body is empty, the boundary is 'b'"),
        (b"--batch_x\r\nx\r\n--batch_x--", "body starts with '--batch_x', Content-Type says 'b'"),
        (b"\r\n --batch_x\nx", "body starts with '--batch_x', Content-Type says 'b'"),
        (b"--b", "body starts with '--b', Content-Type says 'b'"),
        (b'{"requests":[]}', "body starts with '{\"requests\":[]}', and no line is '--' and 'b'"),
        (b"x--b\r\n", "body starts with 'x--b', and no line is '--' and 'b'"),
        # a close delimiter behind something else: the first delimiter may have been spoiled
        (b"--bX\r\nx\r\n--b--\r\n", "body starts with '--bX', Content-Type says 'b'"),
        (b"text\r\n--b--\r\n", "body starts with 'text', and no line is '--' and 'b'"),
        (
            b"\xef\xbb\xbf--b\r\nx\r\n--b--",
            "body starts with 'ï»¿--b', and no line is '--' and 'b'",
        ),
        (b"y" * 61, f"body starts with '{'y' * 60}'..., and no line is '--' and 'b'"),
    ],
)
def test_a_body_without_delimiter_says_how_it_begins(body: bytes, message: str) -> None:
    outcome = split(body, position=50)
    assert (outcome.parts, outcome.stopped) == ((), Rule.NO_DELIMITER)
    assert outcome.found == (("no-delimiter", 50, message),)


# -- preamble and epilogue --


def test_text_in_front_of_the_first_delimiter_is_a_note() -> None:
    outcome = split(b"\r\nThis is\r\na preamble.\r\n--b\r\nx\r\n--b--\r\n")
    message = r"found 'This is\r\na preamble.' before the first delimiter"
    assert outcome.contents == [b"x"]
    assert outcome.found == (("preamble", 0, message),)


@pytest.mark.parametrize(
    ("preamble", "position"),
    [
        (b"\xef\xbb\xbf--b\r\nDELETE\r\n", 3),
        (b"--bX\r\nDELETE\r\n", 0),
        (b" --b\r\nDELETE\r\n", 1),
        (b"zz--b\r\nDELETE\r\n", 2),
        (b"x\r--b\rDELETE\r\n", 2),
        (b"text\r\n--b- \r\n--bX\r\n", 6),
    ],
)
def test_a_spoiled_delimiter_in_the_preamble_is_a_warning(preamble: bytes, position: int) -> None:
    outcome = split(preamble + b"--b\r\nx\r\n--b--\r\n")
    assert outcome.contents == [b"x"]
    assert outcome.slugs == ["preamble", "delimiter-lookalike"]
    message = "found '--b' before the first delimiter line"
    assert outcome.found[1] == ("delimiter-lookalike", position, message)
    assert outcome.parts[0].lookalike is None


LIMITS = Limits(preamble=10, epilogue=10, transport_padding=2)


@pytest.mark.parametrize("preamble", [b"", b"12345678\r\n", b"\r\n" * 5])
def test_a_preamble_may_be_as_long_as_the_limit(preamble: bytes) -> None:
    outcome = split(preamble + b"--b\r\nx\r\n--b--\r\n", limits=LIMITS)
    assert (outcome.contents, outcome.stopped) == ([b"x"], None)


@pytest.mark.parametrize(
    "preamble", [b"123456789\r\n", b"1" * 30, b"\r\n" * 5 + b"1\r\n", b" " * 12]
)
@pytest.mark.parametrize(
    "rest", [b"--b\r\nx\r\n--b--", b"--b--", b"--b  \r\n", b"--b   ", b"\r\n--b"]
)
def test_a_longer_preamble_ends_the_reading(preamble: bytes, rest: bytes) -> None:
    outcome = split(preamble + rest, limits=LIMITS)
    message = "limit preamble is 10, and the message exceeds it"
    assert outcome.found == (("limit-exceeded", 0, message),)
    assert outcome.stopped is Rule.LIMIT_EXCEEDED


def test_a_long_preamble_that_begins_like_a_delimiter_is_a_wrong_boundary() -> None:
    outcome = split(b"--a_long_boundary\r\nx\r\n--b\r\n", limits=LIMITS)
    message = "body starts with '--a_long_', Content-Type says 'b'"
    assert outcome.found == (("no-delimiter", 0, message),)


def test_text_behind_the_close_delimiter_is_a_note() -> None:
    outcome = split(b"--b\r\nx\r\n--b--\r\n\r\nThe end, --b, \r\n")
    assert outcome.found == (("epilogue", 15, "found 'The end, --b,' behind the close delimiter"),)


@pytest.mark.parametrize(
    ("epilogue", "position"),
    [
        (b"--b\r\ny\r\n--b--\r\n", 15),
        (b"\r\n--b\r\n", 17),
        (b"x\r\n--bX\r\n--b--", 24),
        (b"\n--b\n", 16),
        (b"\r\n--b  \r\n", 17),
    ],
)
def test_a_delimiter_in_the_epilogue_is_a_warning(epilogue: bytes, position: int) -> None:
    outcome = split(b"--b\r\nx\r\n--b--\r\n" + epilogue)
    message = "a delimiter line follows the close delimiter; it is not read"
    assert outcome.contents == [b"x"]
    assert outcome.found == (("epilogue-delimiter", position, message),)


def test_a_line_that_only_begins_like_a_delimiter_is_an_epilogue() -> None:
    outcome = split(b"--b\r\nx\r\n--b--\r\n--bX\r\n--b-\r\n")
    assert outcome.places == [("epilogue", 15)]


def test_an_epilogue_may_be_as_long_as_the_limit() -> None:
    outcome = split(b"--b\r\nx\r\n--b--\r\n1234567890", limits=LIMITS)
    assert (outcome.contents, outcome.slugs) == ([b"x"], ["epilogue"])


def test_a_longer_epilogue_ends_the_reading_behind_the_parts() -> None:
    outcome = split(b"--b\r\nx\r\n--b--\r\n12345678901", limits=LIMITS)
    message = "limit epilogue is 10, and the message exceeds it"
    assert outcome.contents == [b"x"]
    assert outcome.found == (("limit-exceeded", 15, message),)


# -- properties --

FRAGMENTS = (
    b"--b",
    b"--b--",
    b"\r\n--b\r\n",
    b"\r\n--b--\r\n",
    b"\n--b\n",
    b"\r--b",
    b"--bX",
    b"\r\n",
    b"\n",
    b"\r",
    b"-",
    b" ",
    b"\t",
    b"   ",
    b"x",
    b"\x00",
    b"1234567890",
)
OCTETS = st.lists(st.sampled_from(FRAGMENTS), max_size=20).map(b"".join)


@given(OCTETS | st.binary(max_size=40), st.lists(st.integers(0, 60), max_size=5))
def test_chunking_does_not_matter(body: bytes, cuts: list[int]) -> None:
    places = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    chunks = [body[begin:end] for begin, end in pairwise(places)]
    single = [body[index : index + 1] for index in range(len(body))]
    for limits in (Limits(), LIMITS):
        whole = feed([body], limits=limits)
        assert feed(chunks, limits=limits) == whole
        assert feed(single, limits=limits) == whole


@given(OCTETS)
def test_contents_are_slices_of_the_body(body: bytes) -> None:
    for part in feed([body]).parts:
        assert body[part.position : part.position + len(part.content)] == part.content


@given(st.lists(OCTETS | st.binary(max_size=60), min_size=1, max_size=5))
def test_what_is_joined_is_split_into_the_same_parts(parts: list[bytes]) -> None:
    boundary = b"batch_01234567"
    assume(not any(b"--" + boundary in part for part in parts))
    outcome = feed([join_parts(parts, boundary)], boundary)
    assert outcome.contents == parts
    assert (outcome.found, outcome.closed) == ((), True)


def test_join_parts_writes_delimiters_and_the_close_delimiter() -> None:
    assert join_parts([b"x", b"y\r\n"], b"b") == b"--b\r\nx\r\n--b\r\ny\r\n\r\n--b--\r\n"
    assert delimiter(b"b") + b"x\r\n" + close_delimiter(b"b") == join_parts([b"x"], b"b")


PART_HEAD = b"Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n"
BODIES = st.lists(
    st.sampled_from(
        [b"\r\n", b"\n", b"\r", b"text", b"--bX", b"x--b\r\n", b"--", b"\x00\xff", b" ", b"--b--Y"]
    ),
    max_size=12,
).map(b"".join)


@given(st.lists(BODIES, min_size=1, max_size=4))
def test_the_standard_library_sees_the_same_parts(bodies: list[bytes]) -> None:
    body = join_parts([PART_HEAD + each for each in bodies], b"b")
    head = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
    message = email.message_from_bytes(head + body, policy=email.policy.HTTP)
    payloads = [part.get_payload(decode=True) for part in message.iter_parts()]
    assert [content.removeprefix(PART_HEAD) for content in feed([body]).contents] == payloads


@pytest.mark.parametrize("half", [b"\r\n--b-", b"\r\n--b-\r", b"\r\n--b-x"])
def test_a_close_delimiter_behind_many_near_ones_is_found_wherever_it_is_cut(half: bytes) -> None:
    data = b"--b\r\n" + half * 20_000 + b"\r\n--b--\r\n"
    for cut in range(len(data) - 12, len(data)):
        found: list[Diagnostic] = []
        splitter = PartSplitter(b"b", Limits(), found.append)
        parts = [
            part for chunk in (data[:cut], data[cut:]) for part in splitter.receive_data(chunk)
        ]
        parts += splitter.receive_eof()
        assert [part.content for part in parts] == [half * 20_000]
        assert (splitter.closed, found) == (True, [])
