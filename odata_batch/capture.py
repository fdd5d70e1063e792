r"""Captured payloads: what a proxy, a log or an editor has kept of an HTTP message (RFC 9112, 2.1).

A capture is read as it comes. Its lines may end in LF, its start line may be missing, or both the
start line and the header section; what had to be guessed is a diagnostic. Nothing frames the body:
it is everything behind the empty line.

>>> message = parse_message(b'POST /$batch HTTP/1.1\n\n{"requests":[]}')
>>> message.kind, message.content_type, message.body_position
('request', 'application/json', 23)
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from odata_batch import Diagnostic, Headers, Limits, Rule

Kind: TypeAlias = Literal["request", "response"]
"""Which of the two sides has sent a message."""

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_FIELD_NAME = re.compile(_TOKEN)
_FIELD_LINE = re.compile(_TOKEN + rb"[ \t]*:")
_STATUS_LINE = re.compile(rb"HTTP/[0-9]")
# A method in lower case is believed only where the version follows; prose begins like that, too.
_REQUEST_LINE = re.compile(rb"[A-Z]+ +[^ :]|" + _TOKEN + rb" .*HTTP/[0-9]")
_URL_LINE = re.compile(rb"[A-Za-z][A-Za-z0-9+.\-]*://|/[^/ ]")
_EMPTY_LINE_AFTER = re.compile(rb"\r?\n\r?\n")
_DELIMITER = re.compile(rb"^--", re.MULTILINE)
# The first start line in a multipart body: nothing else in a head is a word and a blank.
_START_LINE_IN_PART = re.compile(rb"^(?:(HTTP/[0-9])|[A-Za-z]+ +[^ :])", re.MULTILINE)
_JSON_MEMBER = re.compile(rb'"(requests|responses|error)"[ \t\r\n]*:')
_LIMIT = Limits().header_section
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A captured HTTP message; its body and Content-Type are what `odata_batch` decodes."""

    start_line: str
    """The request line, the status line, or a URL that stands in its place; empty if missing."""
    headers: Headers
    """The header section; of several different Content-Types the first, so that it can be decoded
    with `content_type`."""
    body: bytes
    """Everything behind the empty line, whatever Content-Length says."""
    content_type: str
    """The Content-Type, or without a header section the one that the body looks like having; empty
    if there is none, which is an error among the diagnostics."""
    kind: Kind
    """What the start line says, or without one what the body looks like; a request if unclear."""
    body_position: int
    """Offset in bytes of the body in the capture. Decoders count from the start of the body: add
    this to the position of their diagnostics."""
    diagnostics: tuple[Diagnostic, ...]
    """What is wrong with the capture itself; positions are offsets in the capture."""


def parse_message(data: bytes) -> Message:
    r"""Return the message that a capture holds; any bytes are a message, maybe a poor one.

    >>> from odata_batch import check_response
    >>> message = parse_message(
    ...     b"HTTP/1.1 200 OK\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b--\r\n"
    ... )
    >>> report = check_response(message.body, message.content_type, headers=message.headers)
    >>> [message.body_position + found.position for found in report.diagnostics]
    [62]

    Of a bare body, the boundary or the JSON is recognised:

    >>> message = parse_message(b"--batch_1\r\nContent-Type: application/http\r\n\r\nGET People")
    >>> message.content_type
    'multipart/mixed; boundary="batch_1"'
    >>> print(message.diagnostics[0].rule.slug)
    capture-bare-body
    """
    found: list[Diagnostic] = []
    head = _split_head(data, found)
    fields = list(_parse_fields(head.lines, found))
    body = data[head.end :]
    if _URL_LINE.match(head.start_line):
        message = f"found the URL {_quote(head.start_line)}, expected a request line"
        found.append(Diagnostic(Rule.CAPTURE_URL_LINE, message, head.position))
    fields = _with_one_content_type(fields, found)
    _check_content_length(fields, body, found)
    headers = Headers((field.name, field.value) for field in fields)
    return Message(
        start_line=head.start_line.decode("latin-1"),
        headers=headers,
        body=body,
        content_type=_content_type(headers, body, head.end, found),
        kind=_kind_of(head.start_line, body),
        body_position=head.end,
        diagnostics=tuple(found),
    )


# -- the head ------------------------------------------------------------------------------------


class _Line(NamedTuple):
    """A line of the head without its end."""

    position: int
    text: bytes


class _Head(NamedTuple):
    """Start line and field lines; all are empty for a bare body."""

    start_line: bytes
    position: int
    lines: list[_Line]
    end: int


class _Field(NamedTuple):
    """One field of the header section."""

    position: int
    name: str
    value: str


def _split_head(data: bytes, found: list[Diagnostic]) -> _Head:
    start, first = _first_line(data)
    is_start_line = _is_start_line(first)
    if first.startswith(b"--") or not (is_start_line or _FIELD_LINE.match(first)):
        return _Head(b"", 0, [], 0)
    empty_line = _EMPTY_LINE_AFTER.search(data, start)
    stop, end = (len(data), len(data)) if empty_line is None else empty_line.span()
    if stop - start > _LIMIT:
        message = f"limit header_section is {_LIMIT}, and the capture exceeds it"
        limit = ("header_section", _LIMIT)
        found.append(Diagnostic(Rule.LIMIT_EXCEEDED, message, start, limit=limit))
        return _Head(b"", 0, [], 0)
    lines = list(_lines(data[start:stop], start))
    if is_start_line:
        return _Head(first, start, lines[1:], end)
    return _Head(b"", start, lines, end)


def _first_line(data: bytes) -> _Line:
    """Return the first line that is not empty (RFC 9112, 2.2: empty lines in front are ignored)."""
    start = len(data) - len(data.lstrip(b"\r\n"))
    stop = data.find(b"\n", start)
    return _Line(start, (data[start:] if stop < 0 else data[start:stop]).removesuffix(b"\r"))


def _is_start_line(line: bytes) -> bool:
    return any(form.match(line) for form in (_URL_LINE, _STATUS_LINE, _REQUEST_LINE))


def _lines(section: bytes, position: int) -> Iterator[_Line]:
    for line in section.removesuffix(b"\n").split(b"\n"):
        yield _Line(position, line.removesuffix(b"\r"))
        position += len(line) + 1


def _parse_fields(lines: list[_Line], found: list[Diagnostic]) -> Iterator[_Field]:
    """field-line = field-name ":" OWS field-value OWS      (RFC 9112, 5)"""
    for position, line in _unfold(lines, found):
        name, colon, value = line.partition(b":")
        token = name.rstrip(b" \t")
        if not colon or not _FIELD_NAME.fullmatch(token):
            message = f"found {_quote(line)}, expected a name, a colon and a value"
            found.append(Diagnostic(Rule.HEADER_SYNTAX, message, position))
            continue
        if token != name:
            message = f"field line {_quote(line)} has a blank before its colon"
            found.append(Diagnostic(Rule.HEADER_BLANK_BEFORE_COLON, message, position))
        yield _Field(position, token.decode("ascii"), value.strip(b" \t").decode("latin-1"))


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


def _with_one_content_type(fields: list[_Field], found: list[Diagnostic]) -> list[_Field]:
    """Return the fields without the Content-Types that contradict the first one."""
    types = [field for field in fields if field.name.lower() == "content-type"]
    others = [field for field in types if field.value != types[0].value]
    for field in others:
        message = f"Content-Type is {_quote(types[0].value)}, and here {_quote(field.value)}"
        found.append(Diagnostic(Rule.REPEATED_HEADER, message, field.position))
    dropped = {field.position for field in others}
    return [field for field in fields if field.position not in dropped]


def _check_content_length(fields: list[_Field], body: bytes, found: list[Diagnostic]) -> None:
    for field in fields:
        if field.name.lower() == "content-length" and field.value != str(len(body)):
            message = f"Content-Length is {_quote(field.value)}, the body has {len(body)} octets"
            found.append(Diagnostic(Rule.CAPTURE_CONTENT_LENGTH, message, field.position))


# -- what the body looks like --------------------------------------------------------------------


def _content_type(headers: Headers, body: bytes, position: int, found: list[Diagnostic]) -> str:
    """Return the Content-Type; it is guessed only where all fields are missing."""
    if "content-type" in headers:
        return headers.get_all("content-type")[0]
    looks = "" if headers else _content_type_of(body)
    if looks:
        message = f"there is no header section; the body is read as {looks:.100}"
        found.append(Diagnostic(Rule.CAPTURE_BARE_BODY, message, position))
    elif headers:
        message = "there is no Content-Type, expected multipart/mixed or application/json"
        found.append(Diagnostic(Rule.BATCH_MEDIA_TYPE, message, position))
    elif not any(diagnostic.rule.fatal for diagnostic in found):
        start = _first_line(body).text
        beginning = _quote(start) if start else "nothing"
        message = f"found {beginning}, expected an HTTP message, a delimiter line or a JSON object"
        found.append(Diagnostic(Rule.BATCH_MEDIA_TYPE, message, position))
    return looks


def _content_type_of(body: bytes) -> str:
    """Return `application/json` or `multipart/mixed` with its boundary, or nothing."""
    if _is_json(body):
        return "application/json"
    line = _first_line(body).text.rstrip(b" \t")
    if not line.startswith(b"--") or line == b"--":
        return ""
    # A close delimiter that stands alone is an empty batch.
    is_closed = line.endswith(b"--") and body.count(line) == 1
    boundary = (line[2:-2] if is_closed else line[2:]).decode("latin-1")
    quoted = boundary.replace("\\", "\\\\").replace('"', '\\"')
    return f'multipart/mixed; boundary="{quoted}"'


def _kind_of(start_line: bytes, body: bytes) -> Kind:
    if _STATUS_LINE.match(start_line):
        return "response"
    if _REQUEST_LINE.match(start_line):
        return "request"
    if _is_json(body):
        member = _JSON_MEMBER.search(body)
        return "response" if member is not None and member[1] != b"requests" else "request"
    delimiter = _DELIMITER.search(body)
    line = _START_LINE_IN_PART.search(body, 0 if delimiter is None else delimiter.start())
    return "response" if line is not None and line[1] else "request"


def _is_json(body: bytes) -> bool:
    return body.removeprefix(_BYTE_ORDER_MARK).lstrip(b" \t\r\n")[:1] == b"{"


def _quote(found: bytes | str) -> str:
    """Return `found` as `repr` shows it, cut at 60 characters."""
    text = found.decode("latin-1") if isinstance(found, bytes) else found
    return repr(text) if len(text) <= 60 else f"{text[:60]!r}..."
