"""What is wrong with a captured file: its findings, each with its place in lines and octets.

A file is a capture of one HTTP message or an archive of many; a request and its response are
checked as a pair. Where a message stands in its file as it was sent, places count from the start
of the file. Bodies that a file holds encoded have places that count from the start of the body.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Final, Literal, TypeAlias

from odata_batch import (
    BatchRequest,
    BatchResponse,
    Diagnostic,
    Dialect,
    Report,
    Rule,
    Severity,
    check_request,
    check_response,
)
from odata_batch._cli.terminal import line_around
from odata_batch._wire.sections import parse_media_type
from odata_batch.capture import LOSS_EXPLAINS, Exchange, Message

Format: TypeAlias = Literal["multipart", "json"]
Origin: TypeAlias = Literal["file", "member", "body"]
"""What a place counts in: the file, a member of an archive, or a body with its codings undone."""

# Octets: what a region marks at most, and what is kept of its line on both sides for excerpts.
_MARKED = 80
_REACH = 400
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

# Where a finding about the header section is to be seen; if not here, then in the Content-Type.
_FIELDS: Final[Mapping[Rule, tuple[str, ...]]] = {
    Rule.OUTER_PRECONDITION: ("if-match", "if-none-match"),
    Rule.OUTER_PREFERENCE: ("prefer",),
    Rule.OUTER_RESPONSE_HEADER: ("etag", "location", "odata-entityid"),
    Rule.METHOD_TUNNEL: ("x-http-method",),
    Rule.PREFERENCE_VALUE: ("prefer",),
    Rule.ASYNC_RESULT: ("asyncresult",),
    Rule.VERSION_HEADER: (
        "odata-version",
        "odata-maxversion",
        "dataserviceversion",
        "maxdataserviceversion",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a finding is, as far as the end of its line or a little less."""

    origin: Origin
    offset: int
    """Octets from the start of the origin."""
    length: int
    """Octets that are marked: the rest of the line without its end, up to 80 of them."""
    line: int
    """The number of the line, from 1; a line ends in CRLF or LF."""
    column: int
    """The number of the character in its line, from 1; characters are those of UTF-8, and an octet
    that is not UTF-8 is one, too."""
    end_column: int
    """The number of the character behind what is marked."""
    before: bytes
    """The end of what stands before the place in its line."""
    after: bytes
    """The beginning of what the line has from the place on, its end included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A diagnostic, and where in which message of the file it is."""

    diagnostic: Diagnostic
    source: str
    """The message in an archive, as in `entries[3].request`; empty if the file is one message."""
    place: Place | None
    """`None` if no octets can be pointed at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A file that has been checked or could not be read, or one message of it."""

    file: str = ""
    """The name of the file, `-` for standard input; octets that are no characters are surrogates,
    as `surrogateescape` makes them."""
    error: str = ""
    """Why the file could not be read; empty if it could."""
    batch: BatchRequest | BatchResponse | None = None
    """What could be read of a message; `None` for a file."""
    findings: tuple[Finding, ...] = ()
    """In the order of the messages and of their places."""
    batches: int = 0
    """How many messages of the file are batches, or should be."""
    others: int = 0
    """How many messages of the file are no batches, such as an error page."""
    omitted: int = 0
    """How many findings were made beyond `Limits.diagnostics`."""
    explained: int = 0
    """How many findings were left out because octets were lost in the capture."""
    worst: Severity | None = None
    """The highest severity, that of omitted findings included."""


def check_exchanges(file: str, exchanges: Iterable[Exchange], dialect: Dialect) -> Checked:
    """Return what is wrong with the messages of these exchanges, which a file holds."""
    messages: list[Checked] = []
    findings: list[Finding] = []
    batches = others = 0
    for exchange in exchanges:
        sides = [each for each in (exchange.request, exchange.response) if each is not None]
        if not exchange.is_batch:
            others += len(sides)
            continue
        findings += [
            Finding(diagnostic=found, source=exchange.name, place=None)
            for found in exchange.diagnostics
        ]
        others += sum(each.not_a_batch is not None for each in sides)
        batches += sum(each.not_a_batch is None for each in sides)
        for checked in _check_exchange(exchange, dialect):
            messages.append(checked)
            findings += checked.findings
    severities = [found.diagnostic.severity for found in findings]
    return Checked(
        file=file,
        findings=tuple(findings),
        batches=batches,
        others=others,
        omitted=sum(each.omitted for each in messages),
        explained=sum(each.explained for each in messages),
        worst=_worst(*severities, *(each.worst for each in messages)),
    )


def messages_of(exchanges: Iterable[Exchange]) -> Iterator[tuple[str, Message]]:
    """Yield the messages that are batches, or should be, after their names in the file."""
    for exchange in exchanges:
        for side, message in (("request", exchange.request), ("response", exchange.response)):
            if exchange.is_batch and message is not None:
                yield f"{exchange.name}.{side}" if exchange.name else "", message


def _check_exchange(exchange: Exchange, dialect: Dialect) -> Iterator[Checked]:
    request: BatchRequest | None = None
    format: Format = "multipart"
    for name, message in messages_of([exchange]):
        if message is exchange.response:
            yield check_message(message, dialect, name, request, format)
            continue
        checked = check_message(message, dialect, name)
        yield checked
        # What is read from a damaged request need not be what the service has read.
        if checked.worst is not Severity.ERROR and isinstance(checked.batch, BatchRequest):
            request, format = checked.batch, format_of(message)


def media_type_of(message: Message) -> str:
    """Return type and subtype of the Content-Type, in lower case."""
    return parse_media_type(message.content_type).name


def format_of(message: Message) -> Format:
    """Return the format that the Content-Type names; what is not JSON is multipart, or nothing."""
    return "json" if media_type_of(message) == "application/json" else "multipart"


def check_message(
    message: Message,
    dialect: Dialect,
    source: str = "",
    request: BatchRequest | None = None,
    request_format: Format | None = None,
) -> Checked:
    """Return what is wrong with one message, and with a response to this request."""
    report = _report(message, dialect, request, request_format)
    here: Origin = "member" if source else "file"
    spots: list[tuple[_Spot, Diagnostic]] = []
    for found in message.diagnostics:
        spots.append((_NOWHERE if found.position is None else (here, found.position), found))
    for found in report.diagnostics:
        spots.append((_spot(found, message, here), found))
    kept: list[tuple[_Spot, Diagnostic]] = []
    for spot, found in spots:
        if not message.lossy or found.rule not in LOSS_EXPLAINS:
            kept.append((spot, found))
        elif found.rule.fatal:
            # What ends the reading is told all the same.
            kept.append((spot, replace(found, severity=Severity.NOTE)))
    explained = len(spots) - len(kept)
    return Checked(
        batch=report.value,
        findings=tuple(_findings(kept, message, source)),
        omitted=report.omitted + message.omitted,
        explained=explained,
        worst=_worst(*(each.severity for _, each in kept), None if explained else report.worst),
    )


def _worst(*severities: Severity | None) -> Severity | None:
    return max(filter(None, severities), default=None)


def _report(
    message: Message,
    dialect: Dialect,
    request: BatchRequest | None,
    request_format: Format | None,
) -> Report[BatchRequest] | Report[BatchResponse]:
    if not message.is_readable:
        return Report(None, ())
    body, content_type, headers = message.body, message.content_type, message.headers
    if message.kind == "request":
        return check_request(body, content_type, headers=headers, dialect=dialect)
    return check_response(
        body,
        content_type,
        headers=headers,
        dialect=dialect,
        request=request,
        request_format=request_format,
    )


# -- places --------------------------------------------------------------------------------------

_Spot: TypeAlias = tuple[Origin | None, int]
_NOWHERE: Final[_Spot] = (None, 0)
_ORDER: Final = (None, "file", "member", "body")


def _spot(found: Diagnostic, message: Message, here: Origin) -> _Spot:
    """Return where a finding of the decoder is."""
    start, position = message.body_position, found.position or 0
    is_outer = found.path == "headers" and position == 0
    if start is None:
        return _NOWHERE if is_outer else ("body", position)
    if found.path == "headers":
        # A head that is not at the start is that of a message in the message.
        top = 0 if is_outer else start
        section = b"\n" + message.source[top : start + position].lower()
        names = _FIELDS.get(found.rule, ("content-type",))
        for name in sorted(names, key=lambda name: name not in found.message.lower()):
            place = section.find(f"\n{name}:".encode())
            if place >= 0:
                return here, top + place
    return here, start + position


def _findings(
    spots: list[tuple[_Spot, Diagnostic]], message: Message, source: str
) -> Iterator[Finding]:
    """Yield the findings in order: those without place, in the head, and in the body."""
    spots.sort(key=lambda each: (_ORDER.index(each[0][0]), each[0][1]))
    for origin, group in groupby(spots, key=lambda each: each[0][0]):
        found = [(offset, diagnostic) for (_, offset), diagnostic in group]
        places: Iterable[Place | None] = (None for _ in found)
        if origin is not None:
            data = message.body if origin == "body" else message.source
            places = _places(data, (offset for offset, _ in found), origin)
        for place, (_, diagnostic) in zip(places, found, strict=True):
            yield Finding(diagnostic=diagnostic, source=source, place=place)


def _places(data: bytes, offsets: Iterable[int], origin: Origin) -> Iterator[Place]:
    """Yield the places of offsets that ascend; the octets are gone through once."""
    last = len(_BYTE_ORDER_MARK) if data.startswith(_BYTE_ORDER_MARK) else 0
    line, column = 1, 1
    for offset in offsets:
        passed = data[last:offset]
        line += passed.count(b"\n")
        newline = passed.rfind(b"\n")
        column = (column if newline < 0 else 1) + _characters(passed[newline + 1 :])
        last = max(last, offset)
        before, after = line_around(data, offset, _REACH)
        marked = after.removesuffix(b"\n").removesuffix(b"\r")
        stop = _MARKED
        # A character is marked with all of its octets, four at most.
        while stop > _MARKED - 3 and marked[stop : stop + 1] and 0x80 <= marked[stop] < 0xC0:
            stop -= 1
        marked = marked[:stop]
        yield Place(
            origin=origin,
            offset=offset,
            length=len(marked),
            line=line,
            column=column,
            end_column=column + _characters(marked),
            before=before,
            after=after,
        )


def _characters(data: bytes) -> int:
    return len(data.decode("utf-8", "surrogateescape"))
