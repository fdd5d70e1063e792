"""RFC 9112: HTTP messages of the media type application/http, read and written, both roles.

Each message stands alone in its part, so its body is whatever follows the header section: neither
Content-Length nor Transfer-Encoding frames it. Request targets are the three forms of OData, two of
which an HTTP server would refuse.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias, TypeVar

from odata_batch._model.findings import Diagnostic, exceed, quote
from odata_batch._model.rules import Rule
from odata_batch._wire import grammar
from odata_batch._wire.sections import Section, SectionReader

# Methods that are read as upper case. RFC 9110, 9.3 and RFC 5789; MERGE is OData's own
KNOWN_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "MERGE", "DELETE", "OPTIONS"))

# The reason phrases of RFC 9110, 15 that a batch is likely to hold
REASONS: Final[Mapping[int, str]] = {
    int(line[:3]): line[4:]
    for line in (
        *("200 OK", "201 Created", "202 Accepted", "204 No Content", "302 Found"),
        *("304 Not Modified", "400 Bad Request", "401 Unauthorized", "403 Forbidden"),
        *("404 Not Found", "405 Method Not Allowed", "406 Not Acceptable", "409 Conflict"),
        *("410 Gone", "412 Precondition Failed", "413 Content Too Large"),
        *("415 Unsupported Media Type", "424 Failed Dependency", "428 Precondition Required"),
        *("429 Too Many Requests", "500 Internal Server Error", "501 Not Implemented"),
        *("502 Bad Gateway", "503 Service Unavailable", "504 Gateway Timeout"),
    )
}
_USUAL_STATUS_LINES: Final[Mapping[bytes, tuple[int, str]]] = {
    f"HTTP/1.1 {status} {reason}".encode("ascii"): (status, reason)
    for status, reason in REASONS.items()
}

_Start = TypeVar("_Start")


Message: TypeAlias = tuple[_Start, Section, bytes, int]
"""What the start line says, method and URL or status and reason phrase; then the header section,
the body, and the offset of the body."""


# -- a message and its parts ---------------------------------------------------------------------


def split_head(data: bytes, line_end: bytes) -> tuple[bytes, bytes] | None:
    """Return the header section that `data` begins with, and what follows its empty line.

    `None` means that there is no empty line.
    """
    if line_end == b"\n":
        # An inner CRLF ends a line, too (RFC 9112, 2.2).
        first = grammar.EMPTY_LINE.match(data)
        if first is not None:
            return b"", data[first.end() :]
        match = grammar.EMPTY_LINE_AFTER.search(data)
        return None if match is None else (data[: match.start()], data[match.end() :])
    if data.startswith(b"\r\n"):
        return b"", data[2:]
    head, empty, rest = data.partition(b"\r\n\r\n")
    return (head, rest) if empty else None


def parse_message(
    data: bytes,
    position: int,
    line_end: bytes,
    reader: SectionReader,
    parse_line: Callable[[bytes, int, SectionReader], _Start | None],
) -> Message[_Start] | None:
    """Return the message that `data` is, or `None` if its start line cannot be read.

    `position` is the offset of `data` in the payload, `line_end` what ends the lines of its head,
    `parse_line` one of the functions below.
    """
    head, empty, body = data.partition(b"\r\n\r\n")
    line, _, section = head.partition(b"\r\n")
    end = position + len(data)
    start = position
    if line_end == b"\n" or not empty or not line:
        found = _split_odd(data, position, line_end, reader)
        if found is None:
            return None
        start, head, line, section, body = found
    fields = reader.read(section, start + len(head) - len(section), line_end, Rule.HEADER_FOLDED)
    if len(body) > reader.limits.body:
        exceed(reader.report, reader.limits, "body", end - len(body))
    parsed = parse_line(line, start, reader)
    return None if parsed is None else (parsed, fields, body, end - len(body))


def _split_odd(
    data: bytes, position: int, line_end: bytes, reader: SectionReader
) -> tuple[int, bytes, bytes, bytes, bytes] | None:
    """Return where a message begins whose lines may end in LF, or that lacks an empty line.

    Then follow its head, the start line and the header section of that, and its body.
    """
    whole, end = data, position + len(data)
    if data.startswith((b"\r\n", line_end)) and data not in (b"\r\n", line_end):
        # RFC 9112, 2.2: one empty line at the start is passed over.
        message = "an empty line stands before the start line"
        reader.report(Diagnostic(Rule.LEADING_EMPTY_LINE, message, position))
        data = data[2 if data.startswith(b"\r\n") else 1 :]
    found = split_head(data, line_end)
    head, body = found or (data.removesuffix(line_end), b"")
    line, _, section = head.partition(line_end)
    if line_end == b"\n":
        line = line.removesuffix(b"\r")
    if not line:
        message = f"found {quote(whole)}, expected an HTTP message"
        reader.report(Diagnostic(Rule.EMPTY_MESSAGE, message, position))
        return None
    if found is None:
        message = "the header section ends without an empty line"
        reader.report(Diagnostic(Rule.EMPTY_LINE_MISSING, message, end))
    return end - len(data), head, line, section, body


def parse_request_line(line: bytes, position: int, reader: SectionReader) -> tuple[str, str] | None:
    """Return method and URL.

    request-line = method SP request-target SP HTTP-version   (RFC 9112, 3)

    The URL is what stands between the first blank and the version, so that one with raw blanks,
    which the standard itself prints, is read whole.
    """
    plain = grammar.PLAIN_REQUEST_LINE.fullmatch(line)
    if plain is not None and len(line) <= reader.limits.url:
        return plain[1].decode("ascii"), plain[2].decode("ascii")
    if not _is_line_of(line, b"request", position, reader):
        return None
    method, _, rest = line.partition(b" ")
    target, _, version = rest.rstrip(b" ").rpartition(b" ")
    if version[:5].upper() != b"HTTP/":
        target, version = rest, b""
    url = target.strip(b" ")
    if not url:
        _refuse(Rule.REQUEST_LINE_SYNTAX, "a method and a URL", line, position, reader)
        return None
    if not grammar.TOKEN_BYTES.fullmatch(method):
        _refuse(Rule.METHOD_SYNTAX, "a token as the method", line, position, reader)
        return None
    if len(url) > reader.limits.url:
        exceed(reader.report, reader.limits, "url", position)
    _check_version(version, line, position, reader)
    if line != b" ".join(filter(None, (method, url, version))):
        message = f"found superfluous blanks in {quote(line)}"
        reader.report(Diagnostic(Rule.REQUEST_LINE_BLANKS, message, position))
    name = method.decode("ascii")
    if name != name.upper() and name.upper() in KNOWN_METHODS:
        message = f"found the method {quote(name)}; read as {name.upper()}"
        reader.report(Diagnostic(Rule.METHOD_LOWER_CASE, message, position))
        name = name.upper()
    # What is not UTF-8 becomes surrogates, so that nothing is lost.
    return name, url.decode("utf-8", "surrogateescape")


def _check_version(version: bytes, line: bytes, position: int, reader: SectionReader) -> None:
    if version == b"HTTP/1.1":
        return
    if not version:
        rule = Rule.HTTP_VERSION_MISSING
        message = f"request line {quote(line)} has no HTTP version; read as HTTP/1.1"
    elif version == b"HTTP/1.0":
        rule, message = Rule.HTTP_VERSION_OLD, f"found HTTP/1.0 in {quote(line)}; read as HTTP/1.1"
    else:
        rule = Rule.HTTP_VERSION
        message = f"found the version {quote(version)}, expected 'HTTP/1.1'"
    reader.report(Diagnostic(rule, message, position))


def parse_status_line(line: bytes, position: int, reader: SectionReader) -> tuple[int, str] | None:
    """Return status code and reason phrase.

    status-line = HTTP-version SP status-code SP [ reason-phrase ]   (RFC 9112, 4)
    """
    usual = _USUAL_STATUS_LINES.get(line)
    if usual is not None:
        return usual
    if not _is_line_of(line, b"response", position, reader):
        return None
    match = grammar.STATUS_LINE.fullmatch(line)
    if match is None:
        expected = "HTTP/1.1, a status code of three digits and a reason phrase"
        _refuse(Rule.STATUS_LINE_SYNTAX, expected, line, position, reader)
        return None
    version, status, blank, reason = match.groups()
    _check_version(version, line, position, reader)
    if blank is None:
        message = f"no blank follows the status code in {quote(line)}"
        reader.report(Diagnostic(Rule.REASON_MISSING, message, position))
    return int(status), (reason or b"").decode("latin-1")


def _is_line_of(line: bytes, kind: bytes, position: int, reader: SectionReader) -> bool:
    """Report what neither a request line nor a status line may be."""
    text = line.decode("latin-1")
    if not text.isprintable() and grammar.CONTROL_OR_TAB.search(text):
        message = f"start line {quote(line)} has a control character"
        reader.report(Diagnostic(Rule.CONTROL_CHARACTER, message, position))
        return False
    if line.startswith(b"HTTP/") is (kind == b"response"):
        return True
    first = line.partition(b" ")[0].decode("latin-1").upper()
    if kind == b"response" and first not in KNOWN_METHODS:
        _refuse(Rule.STATUS_LINE_SYNTAX, "a status line", line, position, reader)
    else:
        message = f"found {quote(line)}, expected a {kind.decode()}"
        reader.report(Diagnostic(Rule.MESSAGE_KIND, message, position))
    return False


def _refuse(rule: Rule, expected: str, line: bytes, position: int, reader: SectionReader) -> None:
    reader.report(Diagnostic(rule, f"found {quote(line)}, expected {expected}", position))


# -- Content-Length ------------------------------------------------------------------------------


def judge_length(claim: str, content: bytes, delimiter_length: int | None) -> Rule | None:
    """Return the rule that a Content-Length breaks, given what it claims to measure.

    It never frames anything (RFC 9112, 6.3), but a claim that reaches across the delimiter line
    after the content, which is so long, would let a length-framed reader see other parts.
    """
    if len({value.strip(" \t") for value in claim.split(",")}) > 1:
        return Rule.REPEATED_HEADER
    # RFC 9110, 8.6: some readers take "9, 9", "+9" or "9 octets" for 9. No content is 10**20
    # octets long, and `int` refuses 5000 digits.
    numbers = [int(digits[:21]) for digits in grammar.DIGITS.findall(claim)]
    if delimiter_length is not None and numbers:
        if max(numbers) >= len(content) + delimiter_length:
            return Rule.CONTENT_LENGTH_CROSSES_DELIMITER
    if not grammar.CONTENT_LENGTH.fullmatch(claim):
        return Rule.CONTENT_LENGTH_SYNTAX
    length = int(claim)
    if length == len(content):
        return None
    if length == len(content) - 2 and content.endswith(b"\r\n"):
        return Rule.CONTENT_LENGTH_TRAILING_CRLF
    return Rule.CONTENT_LENGTH_MISMATCH
