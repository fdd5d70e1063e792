"""Text for a terminal: the content of files made visible, and prose wrapped to lines.

Nothing that comes from a file may be obeyed by a terminal, so control characters, characters that
reorder a line and octets that are not UTF-8 are all printed as escapes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from odata_batch._model.findings import Severity

Paint: TypeAlias = Callable[[str, str], str]
"""Returns a text in a colour, which is the parameter of an SGR sequence."""

BOLD, RED, GREEN, YELLOW = "1", "31", "32", "33"
COLOURS: Final[Mapping[Severity, str]] = {
    Severity.ERROR: "1;31",
    Severity.WARNING: "1;33",
    Severity.NOTE: "1;36",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How what is found is printed."""

    paint: Paint
    show: Callable[[bytes], str]
    """Makes the octets of excerpts visible."""
    headers: bool = False
    """Whether all header fields are shown."""
    bodies: bool = False
    """Whether all lines of bodies are shown."""


def count(number: int, noun: str) -> str:
    """Return a number and its noun, in the plural where there is not one.

    >>> count(1, "error"), count(2, "error")
    ('1 error', '2 errors')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def indented(lines: Iterable[str]) -> Iterator[str]:
    """Yield the lines, indented by two spaces."""
    for line in lines:
        yield f"  {line}"


def filled(text: str, beginning: str = "", indent: str = "", width: int = 80) -> Iterator[str]:
    """Yield the words of a text as lines of at most `width` characters, where a word is no longer.

    The first line follows `beginning`, the others `indent`.

    >>> list(filled("one two three", "= ", "  ", 10))
    ['= one two', '  three']
    """
    line, is_empty = beginning, True
    for word in text.split(" "):
        if not is_empty and len(line) + 1 + len(word) > width:
            yield line
            line, is_empty = indent, True
        line = f"{line}{word}" if is_empty else f"{line} {word}"
        is_empty = False
    yield line


def visible(text: str) -> str:
    r"""Return the text with escapes for what a terminal would obey or not show.

    >>> visible("red: \x1b[31m")
    'red: \\x1b[31m'
    """
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else _escape(each) for each in text)


def _escape(character: str) -> str:
    if "\udc80" <= character <= "\udcff":  # an octet, as `surrogateescape` hides it
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")


def visible_line(line: bytes) -> str:
    """Return the octets of a line as `visible` text, without a CR at its end."""
    return visible(line.removesuffix(b"\r").decode("utf-8", "backslashreplace"))


def quoted(data: bytes) -> str:
    r"""Return the octets made visible, with `\\` for a backslash, so that `\n` is a line feed."""
    return visible(data.decode("utf-8", "surrogateescape").replace("\\", "\\\\"))


def pictured(data: bytes) -> str:
    r"""Return the octets like `quoted`, but control characters as their pictures.

    >>> pictured(b"\tGET\r\n")
    '␉GET␍␊'
    """
    text = data.decode("utf-8", "surrogateescape").replace("\\", "\\\\")
    return visible(text.translate(_PICTURES))


# Unicode, Control Pictures.
_PICTURES: Final[Mapping[int, str]] = {
    **dict(enumerate(map(chr, range(0x2400, 0x2420)))),
    0x7F: "\N{SYMBOL FOR DELETE}",
}


def dumped(document: Mapping[str, object]) -> Iterator[str]:
    """Yield the lines of a JSON text in US-ASCII, without any control character."""
    yield from json.dumps(document, indent=2).replace("\x7f", "\\u007f").split("\n")


# An excerpt fits into 80 columns, with its indentation, its bar and its dots.
_WIDTH = 73


def excerpt(
    before: bytes, after: bytes, marked: bytes, show: Callable[[bytes], str]
) -> tuple[str, str]:
    """Return the line around a place, and carets below the octets that are marked, or the first.

    `before` and `after` are the octets of the line on both sides of the place, which stays visible
    in a line that is too wide.
    """
    left = show(before)
    if len(left) > _WIDTH // 2:
        left = f"...{left[-_WIDTH // 2 :]}"
    right = show(after) or "(end)"
    room = _WIDTH - len(left)
    if len(right) > room:
        right = f"{right[:room]}..."
    carets = "^" * max(1, min(len(show(marked)), room))
    return f"| {left}{right}", f"| {' ' * len(left)}{carets}"
