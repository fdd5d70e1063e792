"""RFC 9112: HTTP messages of the media type application/http, read and written, both roles.

Each message is alone in its part, so its body is whatever follows the header section: neither
Content-Length nor Transfer-Encoding frames it. Request targets are the three forms of OData, two of
which an HTTP server would refuse.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple, TypeAlias, TypeVar

from odata_batch._model.findings import Diagnostic, Rule, Severity, error, note, quote, warning
from odata_batch._model.limits import exceed
from odata_batch._wire import grammar
from odata_batch._wire.sections import (
    CONTROL_CHARACTER,
    HEADER_FOLDED,
    REPEATED_HEADER,
    Section,
    SectionReader,
)

TRANSFER_ENCODING = error("""
    transfer-encoding: Messages in a batch have no transfer coding. [OData Protocol, 11.7.7.1]
    Remove Transfer-Encoding, and write the body as it is, without chunks.""")


_METHODS: Final[Mapping[bytes, str]] = {
    name.encode("ascii"): name for name in grammar.KNOWN_METHODS
}

# The reason phrases that are registered
_PHRASES = """\
    100 Continue|101 Switching Protocols|102 Processing|103 Early Hints|200 OK|201 Created|
    202 Accepted|203 Non-Authoritative Information|204 No Content|205 Reset Content|
    206 Partial Content|207 Multi-Status|208 Already Reported|226 IM Used|300 Multiple Choices|
    301 Moved Permanently|302 Found|303 See Other|304 Not Modified|305 Use Proxy|
    307 Temporary Redirect|308 Permanent Redirect|400 Bad Request|401 Unauthorized|
    402 Payment Required|403 Forbidden|404 Not Found|405 Method Not Allowed|406 Not Acceptable|
    407 Proxy Authentication Required|408 Request Timeout|409 Conflict|410 Gone|411 Length Required|
    412 Precondition Failed|413 Content Too Large|414 URI Too Long|415 Unsupported Media Type|
    416 Range Not Satisfiable|417 Expectation Failed|421 Misdirected Request|
    422 Unprocessable Content|423 Locked|424 Failed Dependency|425 Too Early|426 Upgrade Required|
    428 Precondition Required|429 Too Many Requests|431 Request Header Fields Too Large|
    451 Unavailable For Legal Reasons|500 Internal Server Error|501 Not Implemented|502 Bad Gateway|
    503 Service Unavailable|504 Gateway Timeout|505 HTTP Version Not Supported|
    506 Variant Also Negotiates|507 Insufficient Storage|508 Loop Detected|
    511 Network Authentication Required"""
REASONS: Final[Mapping[int, str]] = {
    int(each[:3]): each[4:] for each in _PHRASES.replace("\n", "").replace("    ", "").split("|")
}
# OData.Core and Olingo lose the whole answer where a status line ends in a space.
NO_REASON: Final = "Unassigned"
_USUAL_STATUS_LINES: Final[Mapping[bytes, tuple[int, str]]] = {
    f"HTTP/1.1 {status} {reason}".encode("ascii"): (status, reason)
    for status, reason in REASONS.items()
}

# Octets of a method; registered ones have at most 17.
LONGEST_METHOD: Final = 1000

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
    fields = reader.read(section, start + len(head) - len(section), line_end, HEADER_FOLDED)
    if len(body) > reader.limits.body:
        exceed(reader.report, reader.limits, "body", end - len(body))
    parsed = parse_line(line, start, reader)
    return None if parsed is None else (parsed, fields, body, end - len(body))


EMPTY_MESSAGE = error("""
    empty-message: A part holds one HTTP message. [OData Protocol, 11.7.7.1]
    Put an HTTP message into the part, or remove the part.""")
LEADING_EMPTY_LINE = note("""
    leading-empty-line: Empty lines before the start line are skipped; one may be there. [RFC 9112,
    2.2]
    Write one empty line between the header section of the part and the start line.""")
EMPTY_LINE_MISSING = warning("""
    empty-line-missing: An empty line ends the header section of a message even without a body.
    [OData Protocol, 11.7.7.1]
    Write two CRLF after the last header, and then the CRLF of the delimiter.""")
EMPTY_LINE_SHARED = warning("""
    empty-line-shared: The empty line that ends a header section is not the line end of the
    delimiter. [OData Protocol, 11.7.7.1]
    Write two CRLF after the last header, and then the CRLF of the delimiter.""")


def _split_odd(
    data: bytes, position: int, line_end: bytes, reader: SectionReader
) -> tuple[int, bytes, bytes, bytes, bytes] | None:
    """Return where a message begins whose lines may end in LF, or that lacks an empty line.

    Then follow its head, the start line and the header section of that, and its body.
    """
    whole, end = data, position + len(data)
    lines = grammar.EMPTY_LINES if line_end == b"\n" else grammar.EMPTY_CRLF_LINES
    empty = lines.match(data)
    if empty is not None and empty.end() < len(data):
        # RFC 9112, 2.2: at least one empty line at the start is passed over.
        message = "found an empty line before the start line"
        is_run = empty[0].count(b"\n") > 1
        severity = Severity.WARNING if is_run else LEADING_EMPTY_LINE.severity
        reader.report(Diagnostic(LEADING_EMPTY_LINE, message, position, severity=severity))
        data = data[empty.end() :]
    found = split_head(data, line_end)
    head, body = found or (data.removesuffix(line_end), b"")
    line, _, section = head.partition(line_end)
    if line_end == b"\n":
        line = line.removesuffix(b"\r")
    if not line:
        message = f"found {quote(whole)}, expected an HTTP message"
        reader.report(Diagnostic(EMPTY_MESSAGE, message, position))
        return None
    if found is None and not grammar.NO_FIELD.search(section):
        message, rule = "the header section ends without an empty line", EMPTY_LINE_MISSING
        if data.endswith(line_end):
            message, rule = "the line end of the delimiter is the empty line", EMPTY_LINE_SHARED
        reader.report(Diagnostic(rule, message, end))
    return end - len(data), head, line, section, body


def recall_request_line(line: bytes, longest: int) -> tuple[str, str] | None:
    """Return what a request line means about which nothing can be said, and that is so short."""
    try:
        method, target, version = line.split(b" ")
    except ValueError:
        return None
    known = _METHODS.get(method)
    if known is None or version != b"HTTP/1.1" or len(line) > longest or not target.isascii():
        return None
    url = target.decode()
    return (known, url) if url and url.isprintable() else None


REQUEST_LINE_SYNTAX = error("""
    request-line-syntax (unwritten): A request line is a method, a space, a URL, a space and the
    HTTP version. [RFC 9112, 3]
    Write the request line as in GET People HTTP/1.1.""")
REQUEST_LINE_SPACES = note("""
    request-line-spaces: One space separates the elements of a request line. [RFC 9112, 3]
    Write one space between the elements, and none at the end of the line.""")
METHOD_SYNTAX = error("""
    method-syntax (unwritten): A method is a token. [RFC 9110, 9.1]
    Write a method of letters only, for example GET.""")
METHOD_LOWER_CASE = note("""
    method-lower-case: The methods of HTTP are written in upper case. [RFC 9110, 9.1]
    Write the method in upper case.""")


def parse_request_line(line: bytes, position: int, reader: SectionReader) -> tuple[str, str] | None:
    """Return method and URL.

    request-line = method SP request-target SP HTTP-version   (RFC 9112, 3)

    The URL is what is between the first space and the version, so that one with raw spaces,
    which the standard itself prints, is read whole.
    """
    plain = recall_request_line(line, reader.limits.url)
    if plain is not None:
        return plain
    if not _is_line_of(line, b"request", position, reader):
        return None
    method, _, rest = line.partition(b" ")
    target, _, version = rest.rstrip(b" ").rpartition(b" ")
    if version[:5].upper() != b"HTTP/":
        target, version = rest, b""
    url = target.strip(b" ")
    if not url:
        _refuse(REQUEST_LINE_SYNTAX, "a method and a URL", line, position, reader)
        return None
    if not grammar.TOKEN_BYTES.fullmatch(method):
        _refuse(METHOD_SYNTAX, "a token as the method", line, position, reader)
        return None
    if len(url) > reader.limits.url:
        exceed(reader.report, reader.limits, "url", position)
    if b" " in url and not version:  # what comes last may be a version to others
        _refuse(REQUEST_LINE_SYNTAX, "HTTP/1.1 after a URL with spaces", line, position, reader)
    else:
        _check_version(version, line, position, reader)
    if line != b" ".join(filter(None, (method, url, version))):
        message = f"found superfluous spaces in {quote(line)}"
        reader.report(Diagnostic(REQUEST_LINE_SPACES, message, position))
    name = method.decode("ascii")
    if name != name.upper() and name.upper() in grammar.KNOWN_METHODS:
        message = f"found the method {quote(name)}; read as {name.upper()}"
        reader.report(Diagnostic(METHOD_LOWER_CASE, message, position, length=len(name)))
        name = name.upper()
    # What is not UTF-8 becomes surrogates, so that nothing is lost.
    return name, url.decode("utf-8", "surrogateescape")


HTTP_VERSION = error("""
    http-version: The version of an HTTP message in a part is HTTP/1.1. [RFC 9112, 2.3]
    Write HTTP/1.1 in the start line.""")
HTTP_VERSION_OLD = note("""
    http-version-old: HTTP/1.0 is read as HTTP/1.1. [RFC 9112, 2.3]
    Write HTTP/1.1 in the start line.""")
HTTP_VERSION_MISSING = note("""
    http-version-missing: A request line without version is read as HTTP/1.1. [RFC 9112, 3]
    Add HTTP/1.1 to the request line.""")


def _check_version(version: bytes, line: bytes, position: int, reader: SectionReader) -> None:
    if version == b"HTTP/1.1":
        return
    if not version:
        rule = HTTP_VERSION_MISSING
        message = f"request line {quote(line)} has no HTTP version; read as HTTP/1.1"
    elif version == b"HTTP/1.0":
        rule, message = HTTP_VERSION_OLD, f"found HTTP/1.0 in {quote(line)}; read as HTTP/1.1"
    else:
        rule = HTTP_VERSION
        message = f"found the version {quote(version)}, expected 'HTTP/1.1'"
    at = position + (line.rfind(version) if version else 0)
    reader.report(Diagnostic(rule, message, at, length=len(version)))


def recall_status_line(line: bytes, longest: int) -> tuple[int, str] | None:
    """Return what a usual status line means."""
    return _USUAL_STATUS_LINES.get(line)


STATUS_LINE_SYNTAX = error("""
    status-line-syntax: A status line is the HTTP version, a status code of three digits and a
    reason phrase. [RFC 9112, 4]
    Write the status line as in HTTP/1.1 200 OK.""")
REASON_EMPTY = note("""
    reason-empty: A status line has a reason phrase, without which some clients refuse the batch.
    [ASP.NET, OData.Core 7.22]
    Write the registered reason phrase of the status code.""")
REASON_MISSING = note("""
    reason-missing: A space follows the status code even where there is no reason phrase. [RFC 9112,
    4]
    Write a space after the status code.""")


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
        _refuse(STATUS_LINE_SYNTAX, expected, line, position, reader)
        return None
    version, status, space, reason = match.groups()
    _check_version(version, line, position, reader)
    if space is None:
        message = f"no space follows the status code in {quote(line)}"
        reader.report(Diagnostic(REASON_MISSING, message, position, length=len(line)))
    elif not reason:
        message = f"the reason phrase is empty in {quote(line)}"
        reader.report(Diagnostic(REASON_EMPTY, message, position, length=len(line)))
    return int(status), (reason or b"").decode("latin-1")


MESSAGE_KIND = error("""
    message-kind: A batch request holds requests, a batch response holds responses. [RFC 9112, 2.1]
    Send requests to the service, and responses to the client.""")


def _is_line_of(line: bytes, kind: bytes, position: int, reader: SectionReader) -> bool:
    """Report what neither a request line nor a status line may be."""
    text = line.decode("latin-1")
    if not text.isprintable() and grammar.CONTROL_OR_TAB.search(text):
        message = f"start line {quote(line)} has a control character"
        reader.report(Diagnostic(CONTROL_CHARACTER, message, position, length=len(line)))
        return False
    if line.startswith(b"HTTP/") is (kind == b"response"):
        return True
    first = line.partition(b" ")[0].decode("latin-1").upper()
    if kind == b"response" and first not in grammar.KNOWN_METHODS:
        _refuse(STATUS_LINE_SYNTAX, "a status line", line, position, reader)
    else:
        message = f"found {quote(line)}, expected a {kind.decode()}"
        reader.report(Diagnostic(MESSAGE_KIND, message, position, length=len(line)))
    return False


def _refuse(rule: Rule, expected: str, line: bytes, position: int, reader: SectionReader) -> None:
    message = f"found {quote(line)}, expected {expected}"
    reader.report(Diagnostic(rule, message, position, length=len(line)))


# -- Content-Length ------------------------------------------------------------------------------


CONTENT_LENGTH_SYNTAX = warning("""
    content-length-syntax: Content-Length is a decimal number. [RFC 9112, 6.3]
    Write the number of octets in decimal digits, or remove the Content-Length.""")
CONTENT_LENGTH_MISMATCH = warning("""
    content-length-mismatch (lossy seam): Content-Length is the number of octets of the body. [RFC
    9112, 6.3]
    Count octets, not characters, and not the CRLF of the delimiter; or remove the
    Content-Length.""")
CONTENT_LENGTH_TRAILING_CRLF = note("""
    content-length-trailing-crlf: One CRLF after the octets that Content-Length names belongs to the
    delimiter. [RFC 9112, 6.3]
    Write one CRLF between the body and the delimiter, or count the one that belongs to the
    body.""")
CONTENT_LENGTH_CROSSES_DELIMITER = error("""
    content-length-crosses-delimiter (lossy): Content-Length does not reach across a delimiter line.
    [RFC 9112, 6.3]
    Make Content-Length the number of octets of this body alone, or remove it.""")


def most_claimed(claim: str) -> int:
    """Return the greatest number that readers may find in a Content-Length.

    RFC 9110, 8.6: some take "9, 9", "+9" or "9 octets" for 9. No content is 10**20 octets long, and
    `int` refuses 5000 digits.
    """
    return max([int(digits[:21]) for digits in grammar.DIGITS.findall(claim)], default=0)


class Measure(NamedTuple):
    """What a Content-Length is compared with."""

    size: int
    ends_line: bool
    """Whether the last octets are CRLF."""
    lone_feeds: int
    """How many LF there are that no CR precedes, where the lines around the content end so."""


def measure(content: bytes, line_end: bytes) -> Measure:
    """Return the measure of a content."""
    lost = content.count(b"\n") - content.count(b"\r\n") if line_end == b"\n" else 0
    return Measure(len(content), content.endswith(b"\r\n"), lost)


def judge_length(claim: str, content: Measure) -> Rule | None:
    """Return the rule that a Content-Length breaks, given what it claims to measure.

    It never frames anything (RFC 9112, 6.3). Where lines end in LF, they may have ended in CRLF
    when the octets were counted.
    """
    if len({value.strip(" \t") for value in claim.split(",")}) > 1:
        return REPEATED_HEADER
    if not grammar.CONTENT_LENGTH.fullmatch(claim):
        return CONTENT_LENGTH_SYNTAX
    length = int(claim)
    size = content.size
    if length == size - 2 and content.ends_line:
        return CONTENT_LENGTH_TRAILING_CRLF
    return None if length in (size, size + content.lone_feeds) else CONTENT_LENGTH_MISMATCH
