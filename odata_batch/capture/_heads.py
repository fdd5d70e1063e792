"""A captured message before anything is made of it: the head as it comes, and what follows it.

Lines may end in LF, and nothing needs to be there. A head that is longer than the limit is none.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import NamedTuple, TypeAlias

from odata_batch._model.findings import LIMIT_EXCEEDED, Diagnostic, fatal, note, quote
from odata_batch._model.limits import Limits
from odata_batch._wire import grammar, sections
from odata_batch._wire.sections import HEADER_BLANK_BEFORE_COLON, HEADER_FOLDED, HEADER_SYNTAX
from odata_batch.capture._texts import undone

BYTE_ORDER_MARK = b"\xef\xbb\xbf"

_TOKEN = grammar.TOKEN_BYTES.pattern
_FIELD_LINE = re.compile(_TOKEN + rb"[ \t]*:")
STATUS_LINE = re.compile(rb"HTTP/[0-9]")
# A method in lower case is believed only where the version follows; prose begins like that, too.
REQUEST_LINE = re.compile(rb"[A-Z]+ +[^ :]|" + _TOKEN + rb" .*HTTP/[0-9]")
_URL_LINE = re.compile(rb"[A-Za-z][A-Za-z0-9+.\-]*://|/[^/ ]")
_NOT_LINE_END = re.compile(rb"[^\r\n]")
# An interim response with the final one after it: status line, field lines and an empty line.
_INTERIM = re.compile(
    rb"HTTP/[0-9.]+ +1(?!01)[0-9][0-9][^\n]*\n(?:[^\r\n][^\n]*\n)*\r?\n(?=HTTP/[0-9])"
)


Field: TypeAlias = tuple[int | None, str, str]
"""Position, name and value of a field; without a position it comes from no raw message."""


class Raw(NamedTuple):
    """A message as it was captured, in its parts; of a bare body, the others are empty."""

    start_line: str
    fields: list[Field]
    body: bytes
    found: list[Diagnostic]
    """What is wrong so far."""
    position: int | None = None
    """Where the body begins in the source."""
    media_type: str = ""
    """What counts if there is no Content-Type."""
    size: int | None = None
    """How many octets the body had without its codings."""
    source: bytes = b""


class Entry(NamedTuple):
    """A request and its response in an archive, as far as they are there."""

    name: str
    found: list[Diagnostic]
    url: str = ""
    request: Raw | None = None
    response: Raw | None = None


CAPTURE_UNREADABLE = fatal("""
    capture-unreadable: A HAR file is one JSON text with log.entries, a SAZ file a ZIP archive with
    raw messages. [RFC 8259, 2]
    Export the capture again, and check that the file is whole.""")


def unreadable(message: str, name: str = "") -> Entry:
    """Return what an archive, or an entry of it, is that cannot be read."""
    return Entry(name, [Diagnostic(CAPTURE_UNREADABLE, message)])


CAPTURE_URL_LINE = note("""
    capture-url-line: A capture that begins with a URL has lost the rest of its request line. [RFC
    9112, 3]
    Write the method before the URL, and HTTP/1.1 after it.""")


def split(data: bytes, limits: Limits) -> Raw:
    r"""Return the parts of a raw message; the head is what the octets begin with, if they do.

    >>> split(b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n...", Limits()).position
    37
    """
    data, problem = undone(data)
    bare = Raw("", [], data, [problem] if problem else [], 0, source=data)
    start, first = first_line(data)
    # Interim responses come before the final one (RFC 9110, 15.2).
    while interim := _INTERIM.match(data, start, start + limits.header_section):
        start, first = first_line(data, interim.end())
    is_url = _URL_LINE.match(first) is not None
    is_start_line = is_url or STATUS_LINE.match(first) or REQUEST_LINE.match(first)
    if first.startswith(b"--") or not (is_start_line or _FIELD_LINE.match(first)):
        return bare
    empty_line = grammar.EMPTY_LINE_AFTER.search(data, start)
    stop, end = (len(data), len(data)) if empty_line is None else empty_line.span()
    if stop - start > limits.header_section:
        message = f"limit header_section is {limits.header_section}, and the capture exceeds it"
        limit = ("header_section", limits.header_section)
        bare.found.append(Diagnostic(LIMIT_EXCEEDED, message, start, limit=limit))
        return bare
    section, found = data[start:stop], bare.found
    if is_start_line:
        section = section.partition(b"\n")[2]
    fields = _fields(section, stop - len(section), found)
    if is_url:
        message = f"found the URL {quote(first)}, expected a request line"
        found.append(Diagnostic(CAPTURE_URL_LINE, message, start, length=len(first)))
    line = first.decode("latin-1") if is_start_line else ""
    return Raw(line, fields, data[end:], found, end, source=data)


def first_line(data: bytes, position: int = 0) -> tuple[int, bytes]:
    """Return the first line that is not empty (RFC 9112, 2.2), and where it begins."""
    text = _NOT_LINE_END.search(data, position)
    start = len(data) if text is None else text.start()
    stop = data.find(b"\n", start)
    return start, (data[start:] if stop < 0 else data[start:stop]).removesuffix(b"\r")


def _fields(section: bytes, position: int, found: list[Diagnostic]) -> list[Field]:
    """Return the fields; octets that are not US-ASCII, and control characters, are let through."""
    if not section:
        return []
    section = section.removesuffix(b"\n")
    starts, lines = sections.unfolded(section, b"\n")
    for start, stop in pairwise((*starts, len(section) + 1)):
        if b"\n" in section[start : stop - 1]:
            message = "a field line is folded; it is read unfolded"
            folded = len(section[start : stop - 1].rstrip())
            found.append(Diagnostic(HEADER_FOLDED, message, position + start, length=folded))
    fields: list[Field] = []
    for start, line in zip(starts, lines, strict=True):
        pair, problem = sections.parse_field_line(line)
        if problem and problem[0] in (HEADER_SYNTAX, HEADER_BLANK_BEFORE_COLON):
            found.append(Diagnostic(*problem, position + start, length=len(line)))
        if pair is not None:
            fields.append((position + start, *pair))
    return fields


def target_of(start_line: str) -> str:
    """Return the URL of a start line, blanks in it included."""
    octets = start_line.encode("latin-1")
    if STATUS_LINE.match(octets):
        return ""
    rest, _, version = start_line.rpartition(" ")
    line = rest.rstrip(" ") if version.startswith("HTTP/") else start_line
    return line if _URL_LINE.match(octets) else line.partition(" ")[2].lstrip(" ")


def media_type(content_type: str) -> str:
    """Return type and subtype in lower case, sound or not: what comes before the parameters."""
    return content_type.partition(";")[0].strip(" \t").lower()
