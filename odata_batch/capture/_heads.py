"""The head of a captured message: start line and fields as they come, with what is wrong with them.

Lines may end in LF, and nothing needs to be there. A head that is longer than the limit is none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from odata_batch import Diagnostic, Limits, Rule

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
FIELD_NAME = re.compile(_TOKEN)
_FIELD_LINE = re.compile(_TOKEN + rb"[ \t]*:")
STATUS_LINE = re.compile(rb"HTTP/[0-9]")
# A method in lower case is believed only where the version follows; prose begins like that, too.
REQUEST_LINE = re.compile(rb"[A-Z]+ +[^ :]|" + _TOKEN + rb" .*HTTP/[0-9]")
URL_LINE = re.compile(rb"[A-Za-z][A-Za-z0-9+.\-]*://|/[^/ ]")
_NOT_LINE_END = re.compile(rb"[^\r\n]")
# An interim response with the final one behind it: status line, field lines and an empty line.
_INTERIM = re.compile(
    rb"HTTP/[0-9.]+ +1(?!01)[0-9][0-9][^\n]*\n(?:[^\r\n][^\n]*\n)*\r?\n(?=HTTP/[0-9])"
)
_EMPTY_LINE_AFTER = re.compile(rb"\r?\n\r?\n")


class Field(NamedTuple):
    """One field of the header section; without a position it comes from no raw message."""

    position: int | None
    name: str
    value: str


class _Line(NamedTuple):
    """A line of the head without its end."""

    position: int
    text: bytes


class Head(NamedTuple):
    """Start line and field lines; all are empty for a bare body."""

    start_line: bytes
    position: int
    lines: list[_Line]
    end: int


def split_head(data: bytes, limits: Limits, found: list[Diagnostic]) -> Head:
    r"""Return the head that the octets begin with, if they do.

    >>> split_head(b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n...", Limits(), []).end
    37
    """
    start, first = _first_final_line(data, limits)
    is_start_line = _is_start_line(first)
    if first.startswith(b"--") or not (is_start_line or _FIELD_LINE.match(first)):
        return Head(b"", 0, [], 0)
    empty_line = _EMPTY_LINE_AFTER.search(data, start)
    stop, end = (len(data), len(data)) if empty_line is None else empty_line.span()
    if stop - start > limits.header_section:
        message = f"limit header_section is {limits.header_section}, and the capture exceeds it"
        limit = ("header_section", limits.header_section)
        found.append(Diagnostic(Rule.LIMIT_EXCEEDED, message, start, limit=limit))
        return Head(b"", 0, [], 0)
    lines = list(_lines(data[start:stop], start))
    if is_start_line:
        return Head(first, start, lines[1:], end)
    return Head(b"", start, lines, end)


def _first_final_line(data: bytes, limits: Limits) -> _Line:
    """Return the first line of the final response; interim ones come first (RFC 9110, 15.2)."""
    line = first_line(data)
    while interim := _INTERIM.match(data, line.position, line.position + limits.header_section):
        line = first_line(data, interim.end())
    return line


def first_line(data: bytes, position: int = 0) -> _Line:
    """Return the first line that is not empty (RFC 9112, 2.2: empty lines in front are ignored)."""
    text = _NOT_LINE_END.search(data, position)
    start = len(data) if text is None else text.start()
    stop = data.find(b"\n", start)
    return _Line(start, (data[start:] if stop < 0 else data[start:stop]).removesuffix(b"\r"))


def _is_start_line(line: bytes) -> bool:
    return any(form.match(line) for form in (URL_LINE, STATUS_LINE, REQUEST_LINE))


def _lines(section: bytes, position: int) -> Iterator[_Line]:
    for line in section.removesuffix(b"\n").split(b"\n"):
        yield _Line(position, line.removesuffix(b"\r"))
        position += len(line) + 1


def parse_fields(lines: list[_Line], found: list[Diagnostic]) -> Iterator[Field]:
    """field-line = field-name ":" OWS field-value OWS      (RFC 9112, 5)"""
    for position, line in _unfold(lines, found):
        name, colon, value = line.partition(b":")
        token = name.rstrip(b" \t")
        if not colon or not FIELD_NAME.fullmatch(token):
            message = f"found {quote(line)}, expected a name, a colon and a value"
            found.append(Diagnostic(Rule.HEADER_SYNTAX, message, position))
            continue
        if token != name:
            message = f"field line {quote(line)} has a blank before its colon"
            found.append(Diagnostic(Rule.HEADER_BLANK_BEFORE_COLON, message, position))
        yield Field(position, token.decode("ascii"), value.strip(b" \t").decode("latin-1"))


def _unfold(lines: list[_Line], found: list[Diagnostic]) -> Iterator[_Line]:
    groups: list[tuple[int, list[bytes]]] = []
    for position, line in lines:
        if not groups or line[:1] not in (b" ", b"\t"):
            groups.append((position, [line]))
            continue
        if len(groups[-1][1]) == 1:
            message = "a field line is folded; it is read unfolded"
            found.append(Diagnostic(Rule.HEADER_FOLDED, message, groups[-1][0]))
        groups[-1][1].append(line.strip(b" \t"))
    return (_Line(position, b" ".join(group)) for position, group in groups)


def with_one_content_type(fields: list[Field], found: list[Diagnostic]) -> list[Field]:
    """Return the fields without the Content-Types that contradict the first one."""
    first = next((each.value for each in fields if each.name.lower() == "content-type"), "")
    kept: list[Field] = []
    for each in fields:
        if each.name.lower() != "content-type" or each.value == first:
            kept.append(each)
            continue
        message = f"Content-Type is {quote(first)}, and here {quote(each.value)}"
        found.append(Diagnostic(Rule.REPEATED_HEADER, message, each.position))
    return kept


def check_content_length(fields: list[Field], body: bytes, found: list[Diagnostic]) -> None:
    """Report every Content-Length that is not that of the body."""
    for position, name, value in fields:
        if name.lower() == "content-length" and value != str(len(body)):
            message = f"Content-Length is {quote(value)}, the body has {len(body)} octets"
            found.append(Diagnostic(Rule.CAPTURE_CONTENT_LENGTH, message, position))


def quote(found: bytes | str) -> str:
    """Return `found` as `repr` shows it, cut at 60 characters."""
    text = found.decode("latin-1") if isinstance(found, bytes) else found
    return repr(text) if len(text) <= 60 else f"{text[:60]!r}..."
