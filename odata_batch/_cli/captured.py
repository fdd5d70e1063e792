"""What is wrong with a captured file, each finding with its place, and its batch in another format.

A file is a capture of one HTTP message or an archive of many; a request and its response are
checked as a pair. Where a file holds a message as it was sent, places count from the start
of the file. Bodies that a file holds encoded have places that count from the start of the body.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal, TypeAlias

from odata_batch._codec import Codec
from odata_batch._model.findings import Diagnostic, Report, Severity
from odata_batch._model.values import (
    BatchRequest,
    BatchResponse,
    ChangeSet,
    Format,
    Operation,
    Payload,
    RequestItem,
    Unreadable,
)
from odata_batch._wire import grammar
from odata_batch.capture import CapturedExchange, Message

Origin: TypeAlias = Literal["file", "member", "body"]
"""What a place counts in: the file, a member of an archive, or a body with its codings undone."""
Leaf: TypeAlias = Operation | Unreadable
IsTold: TypeAlias = Callable[[str], bool]
"""Tells whether the findings of a rule are kept; the others are left out, as if not made."""

# Octets: what a region marks at most, and what is kept of its line on both sides for excerpts.
_MARKED = 80
_REACH = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a finding is, as far as the end of its line or a little less."""

    origin: Origin
    offset: int
    """Octets from the start of the origin."""
    length: int
    """Octets that are marked: those that are wrong, else the rest of the line without its end; up
    to 80 of them."""
    line: int
    """The number of the line, from 1; a line ends in CRLF or LF."""
    column: int
    """The number of the character in its line, from 1; characters are those of UTF-8, and an octet
    that is not UTF-8 is one, too."""
    end_column: int
    """The number of the character after what is marked."""
    before: bytes
    """The end of what comes before the place in its line."""
    after: bytes
    """The beginning of what the line has from the place on, its end included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A diagnostic, and where in which message of the file it is."""

    diagnostic: Diagnostic
    source: str
    """The message in an archive, as in `entries[3].request`; empty if the file is one message."""
    place: Place | None = None
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
    totals: Counter[Severity] = field(default_factory=Counter)
    """How many findings of each severity there are; the omitted ones, too, where none is left
    out."""

    @property
    def worst(self) -> Severity | None:
        """The highest severity of all that is in `totals`."""
        return max(self.totals, default=None)


def check_exchanges(
    file: str, exchanges: Iterable[CapturedExchange], codec: Codec, is_told: IsTold
) -> Checked:
    """Return the findings about the messages of these exchanges, which a file contains."""
    parts = [
        each for exchange in exchanges for _, _, each in checked_messages(exchange, codec, is_told)
    ]
    return Checked(
        file=file,
        findings=tuple(found for each in parts for found in each.findings),
        batches=sum(each.batches for each in parts),
        others=sum(each.others for each in parts),
        omitted=sum(each.omitted for each in parts),
        explained=sum(each.explained for each in parts),
        totals=sum((each.totals for each in parts), Counter()),
    )


def is_message(exchanges: Sequence[CapturedExchange]) -> bool:
    """Tell whether a file looks like a message, its body or an archive, and not like a text."""
    found = exchanges[0].request if len(exchanges) == 1 and not exchanges[0].name else None
    return found is None or bool(found.start_line or found.headers or found.content_type)


def messages_of(exchange: CapturedExchange) -> Iterator[tuple[str, Message]]:
    """Yield the messages of an exchange after their names in the file."""
    for side, message in (("request", exchange.request), ("response", exchange.response)):
        if message is not None:
            yield f"{exchange.name}.{side}" if exchange.name else "", message


def located(items: Sequence[RequestItem], parent: str = "") -> Iterator[tuple[str, Leaf]]:
    """Yield the operations, and what could not be read, after their paths in the batch."""
    for index, item in enumerate(items):
        path = f"{parent}items[{index}]"
        if isinstance(item, ChangeSet):
            yield from located(item.items, f"{path}.")
        else:
            yield path, item


def _totals(found: Iterable[Diagnostic]) -> Counter[Severity]:
    return Counter(each.severity for each in found)


def told(checked: Checked, is_told: IsTold) -> Checked:
    """Return what has been checked with the findings that are told only."""
    kept = tuple(each for each in checked.findings if is_told(each.diagnostic.rule))
    if len(kept) == len(checked.findings):
        return checked
    return replace(checked, findings=kept, totals=_totals(each.diagnostic for each in kept))


def checked_messages(
    exchange: CapturedExchange, codec: Codec, is_told: IsTold
) -> Iterator[tuple[str, Message | None, Checked]]:
    """Yield the name of each message of an exchange, the message, and what is wrong with it.

    What is wrong with the exchange itself comes first, without a message.
    """
    if exchange.diagnostics and exchange.is_batch:
        own = tuple(Finding(diagnostic=each, source=exchange.name) for each in exchange.diagnostics)
        checked = Checked(findings=own, totals=_totals(exchange.diagnostics))
        yield exchange.name, None, told(checked, is_told)
    request: BatchRequest | None = None
    for name, message in messages_of(exchange):
        if not exchange.is_batch:
            yield name, message, Checked(others=1)
            continue
        # Without a request, none is asked for the identifiers that a multipart request lacks.
        format: Format = (request and request.format) or "multipart"
        checked = check_message(message, codec, name, request, format, exchange.url)
        yield name, message, told(checked, is_told)
        # What is read from a damaged request need not be what the service has read.
        if checked.worst is not Severity.ERROR and isinstance(checked.batch, BatchRequest):
            request = checked.batch


def check_message(
    message: Message,
    codec: Codec,
    source: str = "",
    request: BatchRequest | None = None,
    request_format: Format | None = None,
    url: str | None = None,
) -> Checked:
    """Return what is wrong with one message, a request to `url` or a response to this request."""
    report: Report[BatchRequest] | Report[BatchResponse] = Report(None, ())
    body, content_type, headers = message.body, message.content_type, message.headers
    if message.is_readable and message.kind == "request":
        report = codec.check_request(body, content_type, headers=headers, url=url)
    elif message.is_readable:
        report = codec.check_response(
            body, content_type, headers=headers, request=request, request_format=request_format
        )
    here: Origin = "member" if source else "file"
    spots = [(_spot_of_capture(found, here), found) for found in message.diagnostics]
    spots += [(_spot(found, message, here), found) for found in report.diagnostics]
    kept = _unexplained(spots) if message.lossy else spots
    explained = len(spots) - len(kept)
    # Those without place come first, then those in the head, then those in the body.
    kept.sort(key=lambda each: (each[0][0] is not None, each[0][0] == "body", each[0][1]))
    lines = {here: _Lines(message.source, here), "body": _Lines(message.body, "body")}
    totals = _totals(found for _, found in kept)
    if not message.lossy:
        own = Counter(dict(zip(Severity, report.totals, strict=True)))
        totals = own + _totals(message.diagnostics)
    return Checked(
        batch=report.value,
        findings=tuple(
            Finding(
                diagnostic=found,
                source=source,
                place=lines[origin].place(offset, found.length) if origin else None,
            )
            for (origin, offset), found in kept
        ),
        batches=int(message.not_a_batch is None),
        others=int(message.not_a_batch is not None),
        omitted=report.omitted + message.omitted,
        explained=explained,
        totals=totals,
    )


def _unexplained(spots: _Spots) -> _Spots:
    """Return what octets that were lost do not explain, and what ends the reading, as a note."""
    return [
        (spot, replace(found, severity=Severity.NOTE) if "lossy" in found.rule.tags else found)
        for spot, found in spots
        if found.rule.fatal or "lossy" not in found.rule.tags
    ]


# -- places --------------------------------------------------------------------------------------

_Spot: TypeAlias = tuple[Origin | None, int]
_Spots: TypeAlias = list[tuple[_Spot, Diagnostic]]
_NOWHERE: Final[_Spot] = (None, 0)


def _spot_of_capture(found: Diagnostic, here: Origin) -> _Spot:
    return _NOWHERE if found.position is None else (here, found.position)


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
        names = (*found.rule.tags, "content-type")
        for name in sorted(names, key=lambda name: name not in found.message.lower()):
            place = section.find(f"\n{name}:".encode())
            if place >= 0:
                return here, top + place
    return here, start + position


class _Lines:
    """The lines of octets, which are read once."""

    def __init__(self, data: bytes, origin: Origin) -> None:
        self._data = data
        self._origin: Origin = origin
        self._last = len(BOM_UTF8) if data.startswith(BOM_UTF8) else 0
        self._line = self._column = 1

    def place(self, offset: int, length: int) -> Place:
        """Return the place of an offset, which is not before the one asked for last.

        `length` octets are marked, or all to the end of the line if it is 0.
        """
        data = self._data
        passed = data[self._last : offset]
        newline = passed.rfind(b"\n")
        self._line += passed.count(b"\n")
        self._column = (self._column if newline < 0 else 1) + _characters(passed[newline + 1 :])
        self._last = max(self._last, offset)
        nearest = max(0, offset - _REACH)
        start = data.rfind(b"\n", nearest, offset) + 1 or nearest
        stop = data.find(b"\n", offset, offset + _REACH) + 1 or offset + _REACH
        after = data[offset:stop]
        marked = after.removesuffix(b"\n").removesuffix(b"\r")
        end = min(length or _MARKED, _MARKED)
        # A character is marked with all of its octets, four at most.
        while end > _MARKED - 3 and marked[end : end + 1] and 0x80 <= marked[end] < 0xC0:
            end -= 1
        marked = marked[:end]
        return Place(
            origin=self._origin,
            offset=offset,
            length=len(marked),
            line=self._line,
            column=self._column,
            end_column=self._column + _characters(marked),
            before=data[start:offset],
            after=after,
        )


def _characters(data: bytes) -> int:
    return len(data.decode("utf-8", "surrogateescape"))


# -- the batch in another format -----------------------------------------------------------------

# Fields about the octets of the old body, or about its format; those of the new one are written.
_REPLACED = frozenset(
    """
    accept content-encoding content-length content-type transfer-encoding
    odata-version dataserviceversion
    """.split()
)
# Whether to continue on error is a property of the batch, and written with it.
_OF_THE_BATCH = ("continue-on-error", "odata.continue-on-error")


def rewritten(
    message: Message,
    batch: BatchRequest | BatchResponse,
    target: Format,
    codec: Codec,
    boundary: str | None,
) -> tuple[bytes, tuple[Diagnostic, ...]]:
    """Return the message with its batch in the format `target`, and what is lost of it.

    A message without a header section becomes a body. `EncodeError` if the target cannot hold it.
    """
    writer = codec.replace(format=target)
    if isinstance(batch, BatchRequest):
        request, losses = codec.convert_request(batch, source=batch.format, target=target)
        payload = writer.encode_request(request, boundary=boundary)
    else:
        response, losses = codec.convert_response(batch, source=batch.format, target=target)
        payload = writer.encode_response(response, boundary=boundary)
    if not message.start_line and not message.headers:
        return payload.body, losses
    head = f"{message.start_line}\r\n" if message.start_line else ""
    head += "".join(f"{name}: {value}\r\n" for name, value in _fields(message, payload))
    return head.encode("latin-1") + b"\r\n" + payload.body, losses


def _fields(message: Message, payload: Payload) -> Iterator[tuple[str, str]]:
    """Yield the header section: as it was, except for what is different of the new body."""
    for name, value in message.headers.pairs:
        lower = name.lower()
        if lower == "prefer":
            found = list(grammar.PREFERENCE.finditer(value))
            kept = [each[0].rstrip(" \t") for each in found if each[1].lower() not in _OF_THE_BATCH]
            if len(kept) < len(found):
                value = ", ".join(kept)
            if value:
                yield name, value
        elif lower not in _REPLACED:
            yield name, value
    yield from payload.headers.pairs
    yield "Content-Length", str(len(payload.body))
