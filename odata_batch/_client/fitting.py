"""Messages of a batch, adapted to the other format, and what they lose."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Generic, NamedTuple, TypeVar

from odata_batch._checks.fields import CONTENT_TYPE_MISSING, HEADER_WHITE_SPACE
from odata_batch._graph.prepare import Preparation
from odata_batch._model import values
from odata_batch._model.dialect import Dialect
from odata_batch._model.findings import Diagnostic, EncodeError, Rule, Severity, quote
from odata_batch._model.headers import Headers, Pair, without
from odata_batch._model.limits import DEFAULT_LIMITS
from odata_batch._model.values import NOT_EXPRESSIBLE, Format
from odata_batch._wire import jsonbody, sections
from odata_batch._wire.http import TRANSFER_ENCODING
from odata_batch._wire.multipart import CONTENT_ID_CONFLICT, EMPTY_CHANGE_SET

_Message = TypeVar("_Message", values.Operation, values.OperationResponse)
_Batch = TypeVar("_Batch", values.BatchRequest, values.BatchResponse)
_OCTETS = "application/octet-stream"


class Place(NamedTuple):
    """Where something was in the batch that is converted."""

    path: str
    position: int | None


WHOLE = Place("", None)


@dataclass(slots=True, eq=False)
class Entry(Generic[_Message]):
    """A message, and where it was."""

    message: _Message
    place: Place


@dataclass(slots=True)
class Unit(Generic[_Message]):
    """An item of the batch: one message, or those of a change set that is not empty."""

    entries: list[Entry[_Message]]
    is_set: bool = False
    name: str | None = None

    @property
    def messages(self) -> list[_Message]:
        """The messages in order."""
        return [entry.message for entry in self.entries]


class Fitting(ABC, Generic[_Message, _Batch]):
    """The items of a batch, and what is lost while they are adapted to the other format."""

    batch: type[_Batch]
    change_set: type

    def __init__(self, items: Iterable[values.Item], dialect: Dialect) -> None:
        """Take the items, change sets flattened and without the empty ones."""
        self.dialect = dialect
        self.losses: list[Diagnostic] = []
        self.units: list[Unit[_Message]] = []
        self._severities = dict(dialect.severities)
        for index, item in enumerate(items):
            place = Place(f"items[{index}]", item.position)
            unit: Unit[_Message] = Unit([])
            inside: list[tuple[Place, values.Item]] = [(place, item)]
            if isinstance(item, values.CHANGE_SETS):
                unit = Unit([], True, item.id)
                inside = [
                    (Place(f"{place.path}.items[{number}]", inner.position), inner)
                    for number, inner in enumerate(item.items)
                ]
            for its_place, inner in inside:
                if isinstance(inner, values.Unreadable):
                    # Without it, what comes after would move up.
                    message = "what could not be read cannot be converted"
                    found = Diagnostic(NOT_EXPRESSIBLE, message, its_place.position, its_place.path)
                    raise EncodeError((found,))
                if unit.is_set and isinstance(inner, values.CHANGE_SETS):
                    message = "the change set is merged into the one that contains it"
                    self.lose(values.NESTED_CHANGE_SET, message, its_place)
                unit.entries += [Entry(each, its_place) for each in values.leaves((inner,))]
            if unit.entries:
                self.units.append(unit)
            else:
                self.lose(EMPTY_CHANGE_SET, "the empty change set is left out", place)

    def entries(self) -> Iterator[Entry[_Message]]:
        """Yield all messages in order."""
        for unit in self.units:
            yield from unit.entries

    def pack(self) -> tuple[Any, ...]:
        """Return the units as the items of a batch."""
        return tuple(
            self.change_set(unit.messages, id=unit.name) if unit.is_set else unit.messages[0]
            for unit in self.units
        )

    def prepare(self, format: Format) -> None:
        """Give identifiers and dependencies as encoding does."""
        items = self.pack()
        prepared = Preparation(format, self.dialect, items).items(items)
        for unit, item in zip(self.units, prepared, strict=True):
            if unit.is_set:
                unit.name = item.id
            for entry, message in zip(unit.entries, values.leaves((item,)), strict=True):
                # A copy has no place: what is converted is nowhere yet.
                entry.message = replace(message)

    @abstractmethod
    def to_json(self, batch: _Batch) -> _Batch:
        """Return the batch as a JSON batch."""

    @abstractmethod
    def to_multipart(self, batch: _Batch) -> _Batch:
        """Return the batch as a multipart batch."""

    # -- what is lost --

    def lose(self, rule: Rule, message: str, place: Place) -> None:
        """List a loss."""
        severity = self._severities.get(rule, rule.severity)
        self.losses.append(Diagnostic(rule, message, place.position, place.path, severity))

    def refuses(self, rule: Rule) -> bool:
        """Tell whether encoding refuses what breaks the rule."""
        return self._severities.get(rule, rule.severity) > Severity.NOTE

    def lose_annotations(self, annotations: values.Annotations, place: Place) -> None:
        """Drop members that only JSON has."""
        for name, _ in annotations:
            self.lose(NOT_EXPRESSIBLE, f"the annotation {quote(name)} is dropped", place)

    def fit_json(self, entry: Entry[_Message]) -> None:
        """Adapt the fields and the body of a message to what JSON can carry."""
        headers = entry.message.headers
        if len(headers) < len(headers.pairs):
            # The values of repeated fields are joined, which would spoil some.
            kept: list[Pair] = []
            seen: set[str] = set()
            for name, value in headers.pairs:
                folded = name.lower()
                if folded in seen and folded == "set-cookie":
                    message = f"Set-Cookie {quote(value)} is dropped, JSON carries one"
                    self.lose(NOT_EXPRESSIBLE, message, entry.place)
                elif folded in seen & sections.SINGLE_FIELDS and value == headers.get_all(name)[0]:
                    message = f"one of the equal fields {quote(name)} is dropped"
                    self.lose(sections.REPEATED_HEADER_EQUAL, message, entry.place)
                else:
                    kept.append((name, value))
                seen.add(folded)
            entry.message = replace(entry.message, headers=Headers(kept))
        for name, value in headers.pairs:
            if not value.isascii():
                message = f"header {quote(name)} is not US-ASCII: JSON has characters for octets"
                self.lose(sections.HEADER_NOT_ASCII, message, entry.place)
        if entry.message.body:
            self._fit_json_body(entry)

    def _fit_json_body(self, entry: Entry[_Message]) -> None:
        """Adapt a body to JSON, by the check that encoding applies."""
        headers: Headers = entry.message.headers
        body: bytes = entry.message.body
        content_type = ", ".join(headers.get_all("content-type"))
        content = jsonbody.Contents(self.dialect).of(headers)
        octets = body.strip(jsonbody.SPACE) or body
        found = jsonbody.check_body(octets, content, DEFAULT_LIMITS)
        if found and found[0].rule is NOT_EXPRESSIBLE:
            message = "the body null is dropped, it would be read as no body"
            self.lose(NOT_EXPRESSIBLE, message, entry.place)
            entry.message = replace(entry.message, body=b"")
        elif found:
            # JSON can only carry the octets under another type.
            becomes = f"Content-Type {quote(content_type)} becomes" if content_type else "it gets"
            message = f"{becomes} {_OCTETS}, so that the octets are kept: {found[0].message}"
            self.lose(found[0].rule, message, entry.place)
            pairs = (*without(headers, "content-type").pairs, ("Content-Type", _OCTETS))
            entry.message = replace(entry.message, headers=Headers(pairs))

    def fit_multipart(self, entry: Entry[_Message]) -> None:
        """Make the fields of a message what multipart can carry, and leave out the annotations."""
        item, place = entry.message, entry.place
        self.lose_annotations(item.annotations, place)
        fields: list[Pair] = []
        for name, value in item.headers.pairs:
            plain = value.strip(" \t")
            if plain != value:
                message = f"header {quote(name)} loses the white space around {quote(value)}"
                self.lose(HEADER_WHITE_SPACE, message, place)
            if name.lower() == "content-id" and plain != item.id:
                message = f"header {quote(name)} is dropped, {quote(value)} is not the id"
                self.lose(CONTENT_ID_CONFLICT, message, place)
            elif name.lower() == "transfer-encoding":
                message = f"Transfer-Encoding {quote(value)} is dropped, the octets stay in it"
                self.lose(TRANSFER_ENCODING, message, place)
            else:
                fields.append((name, plain))
        if item.body and "content-type" not in item.headers:
            message = "the body gets application/json, which is what JSON takes it for"
            self.lose(CONTENT_TYPE_MISSING, message, place)
            fields.append(("Content-Type", "application/json"))
        entry.message = replace(item, headers=Headers(fields), annotations=())
