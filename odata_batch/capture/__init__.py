r"""Captured payloads: what a proxy, a log, a browser or an editor has kept of HTTP (RFC 9112, 2.1).

A capture is read as it comes. Of a raw message the lines may end in LF, the start line may be
missing, or both the start line and the header section; what had to be guessed is a diagnostic.
Nothing frames the body: it is everything after the empty line, with its codings undone. HAR and
SAZ files hold many messages, in pairs, most of which are no batches.

>>> message = parse_message(b'POST /$batch HTTP/1.1\n\n{"requests":[]}')
>>> message.kind, message.content_type, message.body_position
('request', 'application/json', 23)
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final, Literal, TypeAlias

from odata_batch._graph.urls import is_batch_resource
from odata_batch._model.findings import (
    BATCH_MEDIA_TYPE,
    Diagnostic,
    Rule,
    Severity,
    error,
    fatal,
    note,
    octets_of,
    quote,
    warning,
)
from odata_batch._model.headers import Headers
from odata_batch._model.limits import Findings, Limits
from odata_batch._wire.sections import REPEATED_HEADER
from odata_batch.capture import _archives, _bodies, _raw
from odata_batch.capture._raw import Budget, Raw

__all__ = [
    "CapturedExchange",
    "Kind",
    "Message",
    "parse_capture",
    "parse_har",
    "parse_message",
    "parse_saz",
]

Kind: TypeAlias = Literal["request", "response"]
"""Which of the two sides has sent a message."""

_LIMITS = Limits()

CAPTURE_CONTENT_LENGTH = note("""
    capture-content-length (lossy): The Content-Length of a captured message agrees with its body.
    [RFC 9112, 6.3]
    Write the length of the body if the capture is to be sent again.""")


CAPTURE_ACCEPTED = note("""
    capture-accepted: The response to a batch that is answered with 202 will be at the Location, not
    in here. [OData Protocol, 11.7.7.6]
    Capture the answer of the status monitor that Location names.""")


_NOTHING_TO_READ = (CAPTURE_ACCEPTED, _archives.CAPTURE_BODY_MISSING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A captured HTTP message; its body and Content-Type are what `odata_batch` decodes."""

    start_line: str
    """The request line, the status line, or a URL in its place; empty if missing."""
    headers: Headers
    """The header section as it was captured; of several different Content-Types the first, so that
    it can be decoded with `content_type`. What Transfer-Encoding and Content-Encoding say has been
    undone in `body`."""
    body: bytes
    """Everything after the empty line, whatever Content-Length says, with its codings undone."""
    content_type: str
    """The Content-Type, or without a header section the one that the body looks like having; empty
    if there is none, which is an error among the diagnostics."""
    kind: Kind
    """What the start line says, or without one what the body looks like; a request if unclear."""
    body_position: int | None
    """Offset in bytes of the body in `source`, where it is there octet by octet: decoders count
    from the start of the body, so add this to the positions of their diagnostics. `None` if it was
    chunked, compressed or a string of a HAR file: then positions count from the start of `body`."""
    diagnostics: tuple[Diagnostic, ...]
    """What is wrong with the capture itself; positions are offsets in `source`. Of the header
    section, no more than `Limits.diagnostics` findings are recorded."""
    omitted: int = 0
    """How many more findings there are about the header section than `diagnostics` has."""
    lossy: bool = False
    """Whether octets of the body were replaced by U+FFFD, so that lengths and binary bodies cannot
    be believed; what a decoder then finds by a rule with the tag `lossy` is the capture's fault.

    It is so if the body is UTF-8 and one of these holds: U+FFFD appears in a body of a multipart
    batch that is no text (it has a Content-Type, but not `text/*`, JSON, XML, JavaScript, a form);
    a body with U+FFFD is longer than its Content-Length says, by no more than two octets for each;
    the message is still compressed. A Content-Length that is right shows that nothing was lost.
    Text that holds U+FFFD may have been sent so, if no length says otherwise: that is not lossy,
    but a note, `capture-replacement-character`."""
    not_a_batch: str | None = None
    """What the message holds in place of a batch, as in `status 413 with an HTML page 'Request
    Entity Too Large'`; `None` if it may hold a batch. It is said of messages whose Content-Type is
    that of no batch, and of responses of the others that are empty or a JSON error."""
    source: bytes = field(default=b"", repr=False, compare=False)
    """The octets that positions count in: the file, or the message of which a text in it is a copy;
    of a SAZ file the file in the archive (`raw/12_c.txt` of the request, `raw/12_s.txt` of the
    response); empty for a HAR file."""

    @property
    def media_type(self) -> str:
        """Type and subtype of the Content-Type, in lower case."""
        return _raw.media_type(self.content_type)

    @property
    def is_readable(self) -> bool:
        r"""Whether there is a body to decode; if not, a diagnostic says why.

        >>> page = b"HTTP/1.1 413 Too Large\r\nContent-Type: text/html\r\n\r\n<title>Sorry</title>"
        >>> parse_message(page).is_readable, parse_message(page).not_a_batch
        (False, "status 413 with an HTML page 'Sorry'")
        """
        return _is_readable(self.diagnostics)


@dataclass(frozen=True, slots=True, kw_only=True)
class CapturedExchange:
    """A request and its response as a capture holds them; a plain message is one of the two.

    A file that cannot be read makes one exchange without either, and a diagnostic says why.
    """

    name: str
    """Where in the file it is: `entries[3]` in a HAR file, `raw/12` in a SAZ file; empty if the
    file is one message, and for what concerns the file as a whole."""
    request: Message | None
    """`None` if it was not captured."""
    response: Message | None
    """`None` if it was not captured, or if the request was not answered."""
    url: str
    """The URL of the request as it was captured; empty if unknown, as for a response alone."""
    diagnostics: tuple[Diagnostic, ...]
    """What is wrong with the entry itself, without positions; the messages have their own."""
    is_batch: bool
    """Whether this is a batch, or should be; most of what a browser does is not.

    It is one if a body is multipart/mixed or a JSON batch, or if it is a POST to a URL whose last
    segment is `$batch`. A plain message always counts as one, because it was chosen, and so does a
    request that cannot be read, so that it is not overlooked."""


def parse_message(data: bytes, *, limits: Limits = _LIMITS) -> Message:
    r"""Return the message that a capture holds; any bytes are a message, perhaps a damaged one.

    - `data`: the octets of the capture.
    - `limits`: bounds on the header section and on the body with its codings undone.

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

    The transfer coding chunked and the content codings gzip and deflate are undone, up to
    `limits.message`.
    """
    budget = Budget(limits)
    message = _message(_raw.split(octets_of(data), limits), budget)
    # Archives leave fields out; Azure Tables has x-ms-version alone (captured from azurite).
    versions = ("odata-version", "dataserviceversion", "x-ms-version")
    no_version = message.headers.keys().isdisjoint(versions)
    is_told = message.start_line and message.is_readable and message.kind == "response"
    if is_told and no_version and message.media_type.startswith("multipart/"):
        return _of_batch(
            message, (BATCH_VERSION_MISSING, "the response has no OData-Version", None)
        )
    return _of_batch(message)


def parse_capture(data: bytes, *, limits: Limits = _LIMITS) -> tuple[CapturedExchange, ...]:
    r"""Return what a file holds: a HAR file, a SAZ file, an HTTP message or the body of one.

    - `data`: the octets of the file.
    - `limits`: bounds on each message, and on all bodies of an archive together.

    Any bytes are a capture, perhaps a damaged one. Of a HAR or SAZ file every exchange is returned,
    the batches among them are marked; all of its bodies together may have four times the octets of
    `limits.message`.

    >>> (exchange,) = parse_capture(b"POST /service/$batch HTTP/1.1\r\n\r\n--b--\r\n")
    >>> exchange.url, exchange.response is None
    ('/service/$batch', True)
    """
    data = octets_of(data)
    if _archives.is_zip(data):
        return parse_saz(data, limits=limits)
    if _archives.is_har(data):
        return parse_har(data, limits=limits)
    message = parse_message(data, limits=limits)
    pair = (message, None) if message.kind == "request" else (None, message)
    url = _raw.target_of(message.start_line)
    return (
        CapturedExchange(
            name="", request=pair[0], response=pair[1], url=url, diagnostics=(), is_batch=True
        ),
    )


def parse_har(data: bytes, *, limits: Limits = _LIMITS) -> tuple[CapturedExchange, ...]:
    """Return the exchanges of a HAR file (HTTP Archive 1.2), in its order.

    - `data`: the octets of the file.
    - `limits`: bounds as for `parse_capture`.

    Bodies that are there as text are UTF-8 again, or what the charset of their type says.

    >>> entry = b'{"request":{"method":"POST","url":"https://example.org/$batch"}}'
    >>> (exchange,) = parse_har(b'{"log":{"entries":[' + entry + b"]}}")
    >>> exchange.name, exchange.is_batch, exchange.request.diagnostics[0].rule.slug
    ('entries[0]', True, 'capture-body-missing')
    """
    budget = Budget(limits)
    return tuple(_exchange(entry, budget) for entry in _archives.read_har(octets_of(data), budget))


def parse_saz(data: bytes, *, limits: Limits = _LIMITS) -> tuple[CapturedExchange, ...]:
    """Return the exchanges of a SAZ file (Fiddler), in the order of their numbers.

    - `data`: the octets of the file.
    - `limits`: bounds as for `parse_capture`.

    >>> parse_saz(b"PK")[0].diagnostics[0].message
    'not a ZIP archive, or damaged'
    """
    budget = Budget(limits)
    return tuple(_exchange(entry, budget) for entry in _archives.read_saz(octets_of(data), budget))


# -- exchanges -----------------------------------------------------------------------------------


def _exchange(entry: _raw.Entry, budget: Budget) -> CapturedExchange:
    request = entry.request and _message(entry.request, budget, "request")
    response = entry.response and _message(entry.response, budget, "response")
    method = request.start_line.partition(" ")[0] if request else ""
    # $batch in capitals is one, too: what a service makes of it is seen in its answer.
    is_batch = (
        (request is None and any(each.rule.fatal for each in entry.found))
        or (method.upper() == "POST" and is_batch_resource(entry.url.lower()))
        or any(_holds_batch(message) for message in (request, response) if message)
    )
    return CapturedExchange(
        name=entry.name,
        request=_of_batch(request) if request and is_batch else request,
        response=_of_batch(response) if response and is_batch else response,
        url=entry.url,
        diagnostics=tuple(entry.found),
        is_batch=is_batch,
    )


def _holds_batch(message: Message) -> bool:
    # An asynchronous result is wrapped once (OData Protocol, 11.7.7.6).
    if message.media_type == "application/http":
        message = parse_message(message.body)
    return message.media_type == "multipart/mixed" or _bodies.is_json_batch(message.body)


BATCH_METHOD = error("""
    batch-method: A batch request is sent with POST. [OData Protocol, 11.7.1]
    Send the batch with POST.""")
BATCH_URL = warning("""
    batch-url: A batch request is sent to the resource $batch below the service root. [OData
    Protocol, 11.7.1]
    Send the batch to the URL of the service with /$batch after it.""")
BATCH_STATUS = note("""
    batch-status: A batch is answered with 200, or with 202 where it is executed later. [OData
    Protocol, 11.7.7.5]
    Answer with 200, whatever the status of the individual responses.""")
BATCH_VERSION_MISSING = note("""
    batch-version-missing: A response has OData-Version. [OData Protocol, 8.3.4]
    Answer with the OData-Version of the batch; without it, clients may refuse the response.""")
# 400 is what Dataverse answers with if a change set fails.
_USUAL_STATUSES: Final = (200, 202, 400)
_WITHOUT_BODY: Final = ("HEAD", "OPTIONS")


def _of_batch(message: Message, *found: tuple[Rule, str, Severity | None]) -> Message:
    """Return a message that holds a batch, or should, with what is wrong with its start line."""
    line = message.start_line
    status = _bodies.status_of(line)
    if message.kind == "request" and line:
        method, url = line.partition(" ")[0], _raw.target_of(line)
        is_preflight = method.upper() in _WITHOUT_BODY and not message.body
        if url != line and method != "POST" and not is_preflight:
            found += ((BATCH_METHOD, f"found {quote(method)}, expected POST", None),)
        elif not is_batch_resource(url) and not is_preflight:
            found += ((BATCH_URL, f"URL {quote(url)} does not end in $batch", None),)
    elif status is not None and status not in _USUAL_STATUSES and message.is_readable:
        is_odd = 300 <= status < 400 or status >= 500
        severity = Severity.WARNING if is_odd else None
        found += ((BATCH_STATUS, f"a batch is answered with {status}", severity),)
    at = message.source.find(line.encode("latin-1")) if message.source else -1
    place, length = (None, 0) if at < 0 else (at, len(line))
    told = (
        Diagnostic(rule, text, place, severity=severity or rule.severity, length=length)
        for rule, text, severity in found
    )
    return replace(message, diagnostics=(*told, *message.diagnostics)) if found else message


def _is_readable(found: Iterable[Diagnostic]) -> bool:
    return not any(each.rule.fatal or each.rule in _NOTHING_TO_READ for each in found)


# -- messages ------------------------------------------------------------------------------------


CAPTURE_NOT_A_BATCH = fatal("""
    capture-not-a-batch: A batch is answered with a batch, not with an error page or a single error.
    [OData Protocol, 11.7.7.5]
    Read the answer: the server, or something in front of it, has refused the batch as a whole.""")


def _message(raw: Raw, budget: Budget, side: Kind | None = None) -> Message:
    """Return what a raw message is; `side` is who has sent it, where the archive says so."""
    found = raw.found
    headers = _headers(raw, found)
    undone = _raw.undo_codings(headers, raw.body, budget)
    body = undone.body
    length = _check_length(raw, headers, undone, found)
    # As many as are recorded, errors before notes, and those that keep the body from being read.
    recorded = Findings(budget.limits, (), None)
    for each in found:
        recorded(each)
    kept = recorded.diagnostics
    kept += [each for each in found if each.rule in _NOTHING_TO_READ and each not in kept]
    omitted = len(found) - len(kept)
    found = kept + [replace(each, position=raw.position) for each in undone.found]
    position = raw.position if body is raw.body else None
    content_type, problem = _content_type(headers, raw.media_type, body)
    kind = side or _bodies.kind_of(raw.start_line, body)
    instead = None
    if _is_readable(found):
        if _bodies.status_of(raw.start_line) == 202 and not body.strip():
            problem = _accepted(headers)
        elif instead := _bodies.what_instead(raw.start_line, headers, content_type, body):
            # What is guessed from a body that is no batch says nothing.
            sender = f" {kind}" if side or raw.start_line else ""
            problem = Diagnostic(CAPTURE_NOT_A_BATCH, f"{instead}, not a batch{sender}")
        if problem is not None:
            found.append(replace(problem, position=raw.position))
    # What is still compressed is no text, whatever it will be.
    is_coded = any(each.rule is _raw.CAPTURE_CODING for each in found)
    type_of_octets = "application/octet-stream" if is_coded else content_type
    loss = _bodies.find_replacement(kind, type_of_octets, body, length)
    if loss is not None:
        first = None if position is None else position + body.index(_bodies.REPLACEMENT)
        found.append(replace(loss, position=first))
    return Message(
        start_line=raw.start_line,
        headers=headers,
        body=body,
        content_type=content_type,
        kind=kind,
        body_position=position,
        diagnostics=tuple(found),
        omitted=omitted,
        lossy=loss is not None and loss.rule is _bodies.CAPTURE_LOSSY,
        not_a_batch=instead,
        source=raw.source,
    )


def _accepted(headers: Headers) -> Diagnostic:
    """Return that the batch will be answered elsewhere (OData Protocol, 11.7.7.6)."""
    location = headers.get("location")
    place = "no Location" if location is None else f"the Location {quote(location)}"
    # OData Protocol, 11.6; until OData 3 it may mean that nothing is left to be done.
    is_lost = location is None and "odata-version" in headers
    message = f"status 202 with an empty body and {place}"
    severity = Severity.WARNING if is_lost else CAPTURE_ACCEPTED.severity
    return Diagnostic(CAPTURE_ACCEPTED, message, severity=severity)


def _headers(raw: Raw, found: list[Diagnostic]) -> Headers:
    """Return the fields without the Content-Types that contradict the first one."""
    types = [value for _, name, value in raw.fields if name.lower() == "content-type"]
    kept: list[tuple[str, str]] = []
    for position, name, value in raw.fields:
        if name.lower() == "content-type" and value != types[0]:
            message = f"Content-Type is {quote(types[0])}, and here {quote(value)}"
            found.append(Diagnostic(REPEATED_HEADER, message, position, length=len(name)))
        else:
            kept.append((name, value))
    return Headers(kept)


def _check_length(
    raw: Raw, headers: Headers, undone: _raw.Undone, found: list[Diagnostic]
) -> int | None:
    """Compare the lengths, and return how many octets the body had when it was sent, if known."""
    if not _is_readable(found):
        return None
    if not undone.was_plain:
        for start, name, value in raw.fields:
            if name.lower() == "content-length" and value != str(len(raw.body)):
                message = f"Content-Length is {quote(value)}, the body has {len(raw.body)} octets"
                found.append(Diagnostic(CAPTURE_CONTENT_LENGTH, message, start, length=len(name)))
        length = _bodies.length_of(headers)
        if length is not None and undone.body is raw.body:
            return length
    if raw.size is not None and raw.size != len(undone.body):
        message = f"content.size is {raw.size}, the body has {len(undone.body)} octets"
        found.append(Diagnostic(CAPTURE_CONTENT_LENGTH, message))
    return raw.size


# -- what the body looks like --------------------------------------------------------------------


CAPTURE_BARE_BODY = note("""
    capture-bare-body: A capture without a header section is read as the body that it looks like.
    [RFC 2046, 5.1.1]
    Capture the header section, too, so that nothing has to be guessed.""")


def _content_type(headers: Headers, media_type: str, body: bytes) -> tuple[str, Diagnostic | None]:
    """Return the Content-Type; it is guessed only where all fields are missing."""
    if "content-type" in headers or media_type:
        return (*headers.get_all("content-type"), media_type)[0], None
    looks = "" if headers else _bodies.content_type_of(body)
    if looks:
        message = f"there is no header section; the body is read as {looks:.100}"
        return looks, Diagnostic(CAPTURE_BARE_BODY, message)
    if headers:
        message = "there is no Content-Type, expected multipart/mixed or application/json"
    else:
        _, start = _raw.first_line(body)
        beginning = quote(start) if start else "nothing"
        message = f"found {beginning}, expected an HTTP message, a delimiter line or a JSON object"
        if start:
            begins = 'the request line, the first --boundary or {"requests"'
            message += f"; if it is a log, a mail or a command, give it from {begins} on"
    return "", Diagnostic(BATCH_MEDIA_TYPE, message)
