"""A captured message before anything is made of it: its text, its head, the codings of its body.

Of a text that is a copy, the message is what `_texts` finds in it. Lines may end in LF, and nothing
needs to be there. A head that is longer than the limit is not read as one.

What a header section says is not always true of the body below it: browsers and proxies undo a
coding, write the body into a file and the field beside it. So a coding is undone where the body
looks as if it were in it, and otherwise reported as undone already. What cannot be undone stays as
it is, with the rule `capture-coding`, which is fatal.
"""

from __future__ import annotations

import re
import zlib
from itertools import pairwise
from typing import NamedTuple, TypeAlias

from odata_batch._model.findings import (
    LIMIT_EXCEEDED,
    Diagnostic,
    excess,
    fatal,
    note,
    of_type,
    quote,
    warning,
)
from odata_batch._model.headers import Headers
from odata_batch._model.limits import Limits
from odata_batch._wire import grammar, sections
from odata_batch.capture._texts import undone

# -- the head --------------------------------------------------------------------------------------

_TOKEN = grammar.TOKEN_BYTES.pattern
_FIELD_LINE = re.compile(_TOKEN + rb"[ \t]*:")
STATUS_LINE = re.compile(rb"HTTP/[0-9]")
# A method in lower case is believed only where the version follows; prose begins like that, too.
REQUEST_LINE = re.compile(rb"[A-Z]+ +[^ :]|(?![0-9])" + _TOKEN + rb" .*HTTP/[0-9]")
_URL_LINE = re.compile(rb"[A-Za-z][A-Za-z0-9+.\-]*://|/[^/ ]")
_EMPTY_LINE = re.compile(rb"\r?\n([ \t]*)\r?\n")
_BROKEN = (sections.HEADER_SYNTAX, sections.HEADER_WHITE_SPACE_BEFORE_COLON)
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
    empty_line = _EMPTY_LINE.search(data, start)
    stop, end = (len(data), len(data)) if empty_line is None else empty_line.span()
    if stop - start > limits.header_section:
        limit = ("header_section", limits.header_section)
        message = excess(*limit)
        bare.found.append(Diagnostic(LIMIT_EXCEEDED, message, start, limit=limit))
        return bare
    section, found = data[start:stop], bare.found
    if empty_line is not None and empty_line[1]:
        message = "found white space in place of the empty line after the header section"
        place, length = empty_line.start(1), len(empty_line[1])
        found.append(Diagnostic(sections.EMPTY_LINE_WHITE_SPACE, message, place, length=length))
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
    starts, lines = grammar.unfolded(section, b"\n")
    for start, stop in pairwise((*starts, len(section) + 1)):
        if b"\n" in section[start : stop - 1]:
            message = "a field line is folded; it is read unfolded"
            size = len(section[start : stop - 1].rstrip())
            found.append(Diagnostic(sections.HEADER_FOLDED, message, position + start, length=size))
    fields: list[Field] = []
    for start, line in zip(starts, lines, strict=True):
        pair, problem = sections.parse_field_line(line)
        if problem and problem[0] in _BROKEN:
            found.append(Diagnostic(*problem, position + start, length=len(line)))
        if pair is not None:
            fields.append((position + start, *pair))
    return fields


def target_of(start_line: str) -> str:
    """Return the URL of a start line, spaces in it included."""
    octets = start_line.encode("latin-1", "replace")
    if STATUS_LINE.match(octets):
        return ""
    rest, _, version = start_line.rpartition(" ")
    line = rest.rstrip(" ") if version.startswith("HTTP/") else start_line
    return line if _URL_LINE.match(octets) else line.partition(" ")[2].lstrip(" ")


def media_type(content_type: str) -> str:
    """Return type and subtype in lower case, sound or not: what comes before the parameters."""
    return content_type.partition(";")[0].strip(" \t").lower()


# -- the codings of a body (RFC 9112, 7.1, and RFC 9110, 8.4.1) -----------------------------------

# An archive holds many messages; this keeps a small file from becoming gigabytes in memory.
_ARCHIVE = 4
# More codings than anybody has seen; every one of them may blow the body up to the limit.
_MOST_CODINGS = 4

# chunk = chunk-size [ chunk-ext ] CRLF chunk-data CRLF                          RFC 9112, 7.1
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?\r?\n")
_LINE_END = re.compile(rb"\r?\n")

_GZIP = b"\x1f\x8b"
_GZIP_AS_TEXT = b"\x1f\xef\xbf\xbd"  # the second octet is no UTF-8 and was replaced by U+FFFD
_CONTROLS = bytes(octet for octet in range(32) if octet not in b"\t\n\f\r") + b"\x7f"


class Budget:
    """How many octets the bodies of a file may still take, all together and one by one."""

    def __init__(self, limits: Limits) -> None:
        self.left = _ARCHIVE * of_type(limits, Limits, "limits").message
        self.limits = limits

    @property
    def for_body(self) -> int:
        """The octets that the next body may have."""
        return min(self.left, self.limits.message)

    def take(self, octets: int) -> None:
        """Take so many octets away."""
        self.left = max(0, self.left - octets)

    def exceeded(self, what: str, bound: str = "is") -> Diagnostic:
        """Return the finding that something is larger than the limit allows."""
        limit = self.limits.message
        message = f"{what} is too large: the limit {bound} {limit} (Limits.message)"
        return Diagnostic(LIMIT_EXCEEDED, message, limit=("message", limit))

    def too_large(self, what: str) -> Diagnostic:
        """Return the finding that something does not fit into what is left."""
        return self.exceeded(what, f"of all bodies in a file is {_ARCHIVE} times")


class Undone(NamedTuple):
    """A body without its codings."""

    body: bytes
    found: list[Diagnostic]
    """What is to be said about it, without a place."""
    was_plain: bool
    """Whether the body was captured without a coding that its header section names."""


_Step: TypeAlias = tuple[bytes | None, Diagnostic | None]
"""What is left when one coding is undone; without a body, the body was not in this coding."""


CAPTURE_DECODED = note("""
    capture-decoded: A captured body is read with its transfer coding and its content coding undone.
    [RFC 9110, 8.4]
    Read places as those in the decoded body, which the file does not hold as it is.""")
CAPTURE_CODING = fatal("""
    capture-coding (lossy): The codings of a captured body are chunked, gzip and deflate, and can be
    undone. [RFC 9110, 8.4.1]
    Capture without compression, or check that the whole body was captured.""")


def undo_codings(headers: Headers, body: bytes, budget: Budget) -> Undone:
    r"""Return the body without the codings that Transfer-Encoding and Content-Encoding name.

    >>> headers = Headers({"Transfer-Encoding": "chunked"})
    >>> undo_codings(headers, b"3\r\nabc\r\n0\r\n\r\n", Budget(Limits())).body
    b'abc'
    """
    values = (*headers.get_all("content-encoding"), *headers.get_all("transfer-encoding"))
    names = (each.partition(";")[0].strip(" \t") for value in values for each in value.split(","))
    codings = [name for name in map(str.lower, names) if name not in ("", "identity")]
    if not body or not codings:
        return Undone(body, [], bool(codings))
    if len(codings) > _MOST_CODINGS:
        message = f"found {len(codings)} codings, expected at most {_MOST_CODINGS}"
        return Undone(body, [Diagnostic(CAPTURE_CODING, message)], False)
    found: list[Diagnostic] = []
    was_plain = False
    # The one that was applied last is named last.
    for coding in reversed(codings):
        undone, problem = _undo(coding, body, budget)
        state = "was undone in the capture; the body is read as it is"
        if undone is not None:
            state = f"is undone: {len(body)} octets are {len(undone)}"
            body = undone
        found.append(problem or Diagnostic(CAPTURE_DECODED, f"the coding {coding[:60]!r} {state}"))
        if found[-1].rule.fatal:
            break
        was_plain = was_plain or undone is None
    return Undone(body, found, was_plain)


def _undo(coding: str, body: bytes, budget: Budget) -> _Step:
    if coding == "chunked":
        return _dechunk(body)
    if coding in ("gzip", "x-gzip"):
        if body.startswith(_GZIP):
            return _inflate(coding, body, 16 + zlib.MAX_WBITS, budget)
        if body.startswith(_GZIP_AS_TEXT):
            return _refuse("found the coding 'gzip' with octets replaced by U+FFFD")
        return None, None
    if _looks_like_text(body):
        return None, None
    if coding == "deflate":
        # Meant is zlib, RFC 1950; some send what is in it, RFC 1951, and browsers read both.
        is_zlib = body[0] & 15 == 8 and int.from_bytes(body[:2], "big") % 31 == 0
        return _inflate(coding, body, zlib.MAX_WBITS if is_zlib else -zlib.MAX_WBITS, budget)
    return _refuse(f"found the coding {coding[:60]!r}, expected chunked, gzip or deflate")


def _refuse(message: str) -> _Step:
    return None, Diagnostic(CAPTURE_CODING, message)


def _looks_like_text(body: bytes) -> bool:
    """Tell whether a body begins like UTF-8 text, and so is not compressed."""
    start = body[:256]
    if len(start.translate(None, _CONTROLS)) < len(start):
        return False
    try:
        start.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start > 252  # the last character is cut
    return True


def _dechunk(body: bytes) -> _Step:
    size_line = _CHUNK_SIZE.match(body)
    if size_line is None:
        return None, None
    chunks: list[bytes] = []
    while size_line is not None:
        # A pattern takes no position that does not fit into a pointer, which may have 32 bits.
        size = min(int(size_line[1], 16), len(body))
        start = size_line.end()
        if size == 0:
            return b"".join(chunks), _after("last chunk", body[start:])
        chunks.append(body[start : start + size])
        line_end = _LINE_END.match(body, start + size)
        size_line = None if line_end is None else _CHUNK_SIZE.match(body, line_end.end())
    return _cut_short(b"".join(chunks), "the coding 'chunked' has no last chunk")


def _after(end: str, rest: bytes) -> Diagnostic | None:
    if not rest.strip(b"\r\n"):
        return None
    message = f"found {rest[:60].decode('latin-1')!r} after the {end}, which is not read"
    return Diagnostic(CAPTURE_DECODED, message)


CAPTURE_TRUNCATED = warning("""
    capture-truncated: A captured body is complete, up to the end of its coding. [RFC 9112, 8]
    Capture the body to its end, and raise the size limit of the tool if there is one.""")


def _cut_short(body: bytes, message: str) -> _Step:
    return body, Diagnostic(CAPTURE_TRUNCATED, f"{message}; {len(body)} octets are read")


def _inflate(coding: str, body: bytes, window: int, budget: Budget) -> _Step:
    decompressor = zlib.decompressobj(window)
    most = budget.for_body
    try:
        inflated = decompressor.decompress(body, most + 1)
    except zlib.error:
        return _refuse(f"found the coding {coding!r}, and it is damaged")
    if len(inflated) > most:
        return None, budget.exceeded(f"the content of {coding!r}")
    budget.take(len(inflated))
    if not decompressor.eof:
        return _cut_short(inflated, f"the coding {coding!r} has no end")
    return inflated, _after("stream", decompressor.unused_data)
