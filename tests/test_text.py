"""Text for a terminal: escapes, excerpts, and prose in lines."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odata_batch._cli.terminal import (
    count,
    excerpt,
    filled,
    indented,
    line_around,
    pictured,
    quoted,
    visible,
    visible_bytes,
)


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 files"), (1, "1 file"), (2, "2 files"), (1000, "1000 files")]
)
def test_a_noun_has_a_plural(number: int, text: str) -> None:
    assert count(number, "file") == text


def test_lines_are_indented_by_two_blanks() -> None:
    assert list(indented(["a", " b"])) == ["  a", "   b"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain äöü \N{SNOWMAN}", "plain äöü \N{SNOWMAN}"),
        ("\x1b[2J\x00\x7f\x9b", r"\x1b[2J\x00\x7f\x9b"),
        ("\r\n\t", r"\r\n\t"),
        ("a\\b", "a\\b"),
        ("\N{RIGHT-TO-LEFT OVERRIDE}\N{ZERO WIDTH SPACE}", r"\u202e\u200b"),
        ("\N{LANGUAGE TAG}", r"\U000e0001"),
        ("\udcff\ud800", r"\xff\ud800"),
    ],
)
def test_what_a_terminal_would_obey_is_escaped(text: str, shown: str) -> None:
    assert visible(text) == shown


@pytest.mark.parametrize(
    ("data", "quote", "picture"),
    [
        (b"GET a\r\n", r"GET a\r\n", "GET a␍␊"),
        (b"a\\n\t\x00\x1b\x7f", r"a\\n\t\x00\x1b\x7f", r"a\\n␉␀␛␡"),
        (b"\xff\xc2\x9b", r"\xff\x9b", r"\xff\x9b"),
        ("\N{SNOWMAN}".encode(), "\N{SNOWMAN}", "\N{SNOWMAN}"),
    ],
)
def test_octets_are_quoted_or_pictured(data: bytes, quote: str, picture: str) -> None:
    assert (quoted(data), pictured(data)) == (quote, picture)


def test_octets_of_a_body_are_shown_with_their_backslashes() -> None:
    assert visible_bytes(b"a\\b\xff\x1b") == r"a\b\xff\x1b"


@given(st.binary())
def test_nothing_that_is_shown_is_obeyed(data: bytes) -> None:
    for show in (visible_bytes, quoted, pictured):
        assert show(data) == "" or show(data).isprintable()


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("one two three", 80, ["= one two three"]),
        ("one two three", 9, ["= one two", "__three"]),
        ("one two three", 8, ["= one", "__two", "__three"]),
        ("incomprehensibilities", 8, ["= incomprehensibilities"]),
        ("one incomprehensibilities two", 8, ["= one", "__incomprehensibilities", "__two"]),
        ("", 8, ["= "]),
        ("a  b", 8, ["= a  b"]),
    ],
)
def test_prose_is_broken_between_words(text: str, width: int, lines: list[str]) -> None:
    assert list(filled(text, "= ", "__", width)) == lines


@given(st.text("ab "), st.integers(4, 20))
def test_no_word_is_lost_and_no_line_is_longer_than_it_must(text: str, width: int) -> None:
    lines = list(filled(text, "", "", width))
    assert " ".join(lines) == text
    assert all(len(line) <= width or " " not in line for line in lines)


# -- excerpts --


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        (b"", b"GET a\r\n", (r"| GET a\r\n", "| ^")),
        (b"GET ", b" a\r\n", (r"| GET  a\r\n", "|     ^")),
        (b"a\tb", b"c", (r"| a\tbc", "|     ^")),
        (b"abc", b"", ("| abc(end)", "|    ^")),
        (b"", b"", ("| (end)", "| ^")),
        (b"", b"0123456789", ("| 0123456789", "| ^")),
        (b"", b"0123456789a", ("| 0123456789...", "| ^")),
        (b"12345", b"67890", ("| 1234567890", "|      ^")),
        (b"012345", b"67890", ("| ...1234567...", "|         ^")),
    ],
)
def test_a_caret_stands_below_the_place(
    before: bytes, after: bytes, lines: tuple[str, str]
) -> None:
    assert excerpt(before, after, 10) == lines


def test_a_caret_stands_below_a_place_behind_pictures() -> None:
    assert excerpt(b"\t\t", b"a\r\n", 10, pictured) == ("| ␉␉a␍␊", "|   ^")


@pytest.mark.parametrize(
    ("offset", "around"),
    [
        (0, (b"", b"ab\r\n")),
        (1, (b"a", b"b\r\n")),
        (3, (b"ab\r", b"\n")),
        (4, (b"", b"cd\n")),
        (7, (b"", b"efghi")),
        (13, (b"fghij", b"k")),
        (14, (b"ghijk", b"")),
    ],
)
def test_the_line_around_a_place(offset: int, around: tuple[bytes, bytes]) -> None:
    assert line_around(b"ab\r\ncd\nefghijk", offset, 5) == around
