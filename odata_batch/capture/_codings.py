"""Codings of a captured body undone: chunked (RFC 9112, 7.1), gzip, deflate (RFC 9110, 8.4.1).

What a header section says is not always true of the body below it: browsers and proxies undo a
coding, write the body into a file and the field beside it. So a coding is undone where the body
looks like being in it, and otherwise said to be undone already. What cannot be undone stays as it
is, with the rule `capture-coding`, which is fatal.
"""

from __future__ import annotations

import re
import zlib
from typing import NamedTuple, TypeAlias

from odata_batch._model.findings import LIMIT_EXCEEDED, Diagnostic, fatal, note, warning
from odata_batch._model.headers import Headers
from odata_batch._model.limits import Limits

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


class Room:
    """How many octets the bodies of a file may still take, all together and one by one."""

    def __init__(self, limits: Limits) -> None:
        self.left = _ARCHIVE * limits.message
        self.limits = limits

    @property
    def for_body(self) -> int:
        """The octets that the next body may have."""
        return min(self.left, self.limits.message)

    def take(self, octets: int) -> None:
        """Take so many octets away."""
        self.left = max(0, self.left - octets)

    def exceeded(self, what: str) -> Diagnostic:
        """Return that something is larger than the limit allows."""
        limit = self.limits.message
        message = f"limit message is {limit}, {what} exceeds it"
        return Diagnostic(LIMIT_EXCEEDED, message, limit=("message", limit))

    def too_large(self, what: str) -> Diagnostic:
        """Return that something does not fit into the room that is left."""
        return self.exceeded(f"a file has room for {_ARCHIVE} of them, and {what}")


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


def undo_codings(headers: Headers, body: bytes, room: Room) -> Undone:
    r"""Return the body without the codings that Transfer-Encoding and Content-Encoding name.

    >>> headers = Headers({"Transfer-Encoding": "chunked"})
    >>> undo_codings(headers, b"3\r\nabc\r\n0\r\n\r\n", Room(Limits())).body
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
        undone, problem = _undo(coding, body, room)
        state = "was undone in the capture; the body is read as it is"
        if undone is not None:
            state = f"is undone: {len(body)} octets are {len(undone)}"
            body = undone
        message = f"the coding {coding[:60]!r} {state}"
        found.append(problem or Diagnostic(CAPTURE_DECODED, message))
        if found[-1].rule.fatal:
            break
        was_plain = was_plain or undone is None
    return Undone(body, found, was_plain)


def _undo(coding: str, body: bytes, room: Room) -> _Step:
    if coding == "chunked":
        return _dechunk(body)
    if coding in ("gzip", "x-gzip"):
        if body.startswith(_GZIP):
            return _inflate(coding, body, 16 + zlib.MAX_WBITS, room)
        if body.startswith(_GZIP_AS_TEXT):
            return _refuse("found the coding 'gzip' with octets replaced by U+FFFD")
        return None, None
    if _looks_like_text(body):
        return None, None
    if coding == "deflate":
        # Meant is zlib, RFC 1950; some send what is in it, RFC 1951, and browsers read both.
        is_zlib = body[0] & 15 == 8 and int.from_bytes(body[:2], "big") % 31 == 0
        return _inflate(coding, body, zlib.MAX_WBITS if is_zlib else -zlib.MAX_WBITS, room)
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
        size = int(size_line[1], 16)
        start = size_line.end()
        if size == 0:
            return b"".join(chunks), _behind("last chunk", body[start:])
        chunks.append(body[start : start + size])
        line_end = _LINE_END.match(body, start + size)
        size_line = None if line_end is None else _CHUNK_SIZE.match(body, line_end.end())
    return _cut_short(b"".join(chunks), "the coding 'chunked' has no last chunk")


def _behind(end: str, rest: bytes) -> Diagnostic | None:
    if not rest.strip(b"\r\n"):
        return None
    message = f"found {rest[:60].decode('latin-1')!r} behind the {end}, which is not read"
    return Diagnostic(CAPTURE_DECODED, message)


CAPTURE_TRUNCATED = warning("""
    capture-truncated: A captured body goes on to the end that its coding has. [RFC 9112, 8]
    Capture the body to its end, and raise the size limit of the tool if there is one.""")


def _cut_short(body: bytes, message: str) -> _Step:
    return body, Diagnostic(CAPTURE_TRUNCATED, f"{message}; {len(body)} octets are read")


def _inflate(coding: str, body: bytes, window: int, room: Room) -> _Step:
    decompressor = zlib.decompressobj(window)
    most = room.for_body
    try:
        inflated = decompressor.decompress(body, most + 1)
    except zlib.error:
        return _refuse(f"found the coding {coding!r}, and it is damaged")
    if len(inflated) > most:
        return None, room.exceeded(f"and what {coding!r} stands for")
    room.take(len(inflated))
    if not decompressor.eof:
        return _cut_short(inflated, f"the coding {coding!r} has no end")
    return inflated, _behind("stream", decompressor.unused_data)
