"""The OData JSON batch format (OData JSON, 19): read.

The text is first read to its end, so that broken syntax is found before anything is made of it;
then the objects are read in order, those of an atomicity group at the place of its first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, Generic, NamedTuple, NoReturn, TypeVar

from odata_batch._model import values
from odata_batch._model.dialect import Dialect, Format
from odata_batch._model.findings import (
    Diagnostic,
    Reporter,
    error,
    fatal,
    note,
    quote,
    stop,
    warning,
)
from odata_batch._model.limits import Limits
from odata_batch._model.values import ChangeSet, ChangeSetResponse
from odata_batch._wire import jsonitem
from odata_batch._wire.jsontext import JsonObject, JsonText

_Item = TypeVar("_Item")

NEXT_LINKS: Final = ("@nextLink", "@odata.nextLink")


class Role(NamedTuple, Generic[_Item]):
    """What decoding a request and decoding a response do differently."""

    array: str
    other: str
    read: Callable[[jsonitem.Reader, JsonObject], _Item | None]
    change_set: Callable[..., _Item]


REQUEST: Role[values.RequestItem] = Role("requests", "responses", jsonitem.read_request, ChangeSet)
RESPONSE: Role[values.ResponseItem] = Role(
    "responses", "requests", jsonitem.read_response, ChangeSetResponse
)


JSON_ENVELOPE = fatal("""
    json-envelope: A JSON batch is an object with the array requests, or the array responses. [OData
    JSON, 19.1]
    Write an object with an array named requests, or responses in an answer.""")
JSON_ERROR_RESPONSE = fatal("""
    json-error-response: A batch response is not a single OData error response. [OData JSON, 19.5]
    Read the error: the service has refused the batch as a whole.""")
JSON_NO_REQUESTS = note("""
    json-no-requests: The array of requests is not empty. [OData JSON, 19.1]
    Leave the batch out if there is nothing to send.""")
JSON_ITEM = error("""
    json-item: Every element of the array is an object. [OData JSON, 19.1]
    Write every element of the array as an object.""")
JSON_NEXT_LINK = warning("""
    json-next-link: The next link of a batch response is one string. [OData JSON, 19.5]
    Write one @nextLink, as a string.""")
GROUP_SPLIT = warning("""
    group-split: The members of an atomicity group are adjacent. [OData JSON, 19.1]
    Write the members of the group one behind the other.""")


class JsonDecoder(jsonitem.Reader, Generic[_Item]):
    """Decodes a JSON batch that arrives in chunks; it is read at the end of the input."""

    format: Format = "json"
    truncated = False

    def __init__(
        self, role: Role[_Item], limits: Limits, report: Reporter, position: int, dialect: Dialect
    ) -> None:
        super().__init__(limits, report, dialect)
        self.annotations: values.Annotations = ()
        self.next_link: str | None = None
        self._role = role
        self._position = position
        self._chunks: list[bytes] = []

    def receive_data(self, data: bytes) -> Iterator[tuple[int, _Item]]:
        """Take the next octets; there are no items before the end."""
        self._chunks.append(data)
        return iter(())

    def receive_eof(self) -> Iterator[tuple[int, _Item]]:
        """Yield the items, each with its index."""
        self.text = JsonText(b"".join(self._chunks), self.limits, self.report, self._position)
        self._chunks.clear()
        # The members of each group are collected at the place of the first.
        units: list[JsonObject | str] = []
        groups: dict[str, list[tuple[int, JsonObject]]] = {}
        for number, source in enumerate(self._read_batch()):
            name = source.get("atomicityGroup")
            if not name or type(name) is not str:
                units.append(source)
            elif name in groups:
                groups[name].append((number, source))
            else:
                groups[name] = [(number, source)]
                units.append(name)
        units.reverse()
        for index in range(len(units)):  # what has been read is given up, so that memory stays hot
            unit = units.pop()
            self.path = (index,)
            if isinstance(unit, str):
                item = self._group(unit, groups[unit])
            else:
                item = self._item(unit)
            self.path = ()
            if item is not None:
                yield index, item

    def _read_batch(self) -> list[JsonObject]:
        """Read the text to its end; return the elements of its array."""
        text, array = self.text, self._role.array
        start = text.skip_space(0)
        if start == len(text.text):
            text.refuse(start, "a JSON batch")
        batch = None
        if text.text.startswith("{", start):
            batch = text.walk(start, {array: text.items})
        end = text.skip_space(text.value(start)[1] if batch is None else batch.end)
        if end < len(text.text):
            text.refuse(end, "nothing behind the JSON text")
        elements: Any = None if batch is None else batch.get(array)
        text.check_depth(elements if isinstance(elements, list) else ())
        if batch is None:
            found = quote(text.characters(start, start + 120)[:30])
            self._refuse(start, f"found {found}")
        self._read_envelope(batch)
        if len(text.text) > self.limits.headers_total:
            # What is not in bodies is more than the headers.
            bodies = sum([end - start for start, end in [each.body for each in elements]])
            rest = len(text.text) - bodies
            self.counts_headers = rest > self.limits.headers_total
        if not elements and array == "requests":
            self.say(JSON_NO_REQUESTS, "the array requests is empty", 0)
        return elements  # type: ignore[no-any-return]  # `_read_envelope` has seen that it is one

    def _read_envelope(self, batch: JsonObject) -> None:
        """Read what is beside the items, and refuse what is no batch of this role."""
        array, other = self._role.array, self._role.other
        spans = self.text.spans(batch)
        if other in batch:
            found = "both requests and responses" if array in batch else f"the member {other}"
            self._refuse(batch.start, f"found {found}")
        if array not in batch and array == "responses" and "error" in batch:
            error = quote(self.text.raw(spans["error"]))
            message = f"found the single error {error}, expected a batch response"
            position = self.text.origin + batch.start
            stop(self.report, Diagnostic(JSON_ERROR_RESPONSE, message, position))
        if not isinstance(batch.get(array), list):
            found = quote(self.text.raw(spans[array])) if array in batch else "no such member"
            self._refuse(batch.start, f"found {found}")
        self.check_duplicates(batch, (array,))
        next_links = NEXT_LINKS if array == "responses" else ()
        for name in next_links:
            link = batch.get(name)
            if type(link) is str and self.next_link in (None, link):
                self.next_link = link
            elif name in batch:
                found = quote(self.text.raw(spans[name]))
                message = f"{name} is {found}, expected one string"
                self.say(JSON_NEXT_LINK, message, spans[name][0])
        self.annotations = self.annotations_in(batch, (array, *next_links))

    def _refuse(self, offset: int, found: str) -> NoReturn:
        message = f"{found}, expected an object with the array {self._role.array}"
        position = self.text.origin + offset
        stop(self.report, Diagnostic(JSON_ENVELOPE, message, position))

    def _group(self, name: str, members: list[tuple[int, JsonObject]]) -> _Item | None:
        items = []
        index = self.path[0]
        expected = members[0][0]
        for inner, (number, source) in enumerate(members):
            self.path = (index, inner)
            if number != expected and self._role.array == "requests":
                message = "a member of an atomicity group is parted from the others"
                self.say(GROUP_SPLIT, message, source.start)
            expected = number + 1
            item = self._item(source)
            if item is not None:
                items.append(item)
        if not items:
            return None
        change_set = self._role.change_set(items, id=name)
        values.place(change_set, self.text.origin + members[0][1].start, False)
        return change_set

    def _item(self, source: JsonObject) -> _Item | None:
        if self.text.text.startswith("{", source.start):
            return self._role.read(self, source)
        found = quote(self.text.raw((source.start, source.end)))
        self.say(JSON_ITEM, f"found {found}, expected an object", source.start)
        return None
