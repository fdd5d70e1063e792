"""The OData JSON batch format (OData JSON, 19): read.

Each object is read as it is scanned. What is wrong with it is reported when the whole text has been
read, after what breaks its syntax; the objects of an atomicity group come at the place of its
first.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final, NoReturn, TypeVar

from odata_batch._model import values
from odata_batch._model.dialect import Dialect, Format
from odata_batch._model.findings import (
    Diagnostic,
    Reporter,
    Stop,
    fatal,
    note,
    quote,
    stop,
    warning,
)
from odata_batch._model.jsonvalue import FAULTS, JSON_SYNTAX, scan_value
from odata_batch._model.limits import Limits
from odata_batch._wire import jsonitem
from odata_batch._wire.grammar import nearest, spellings
from odata_batch._wire.jsonitem import Element, Role
from odata_batch._wire.jsontext import JsonText, Members, Span
from odata_batch._wire.multipart import Found, Run

_Item = TypeVar("_Item")

# The members that have other names in the model
_NAMES: Final[Mapping[str, str]] = {
    "depends_on": "dependsOn",
    "condition": "if",
    "group": "atomicityGroup",
}

# What is left of a JSON text where it was cut off: a string, a number or a word without its end
_CUT_OFF = re.compile(r'(?s:"(?:[^"\\]|\\.)*\\?|\\u?[0-9A-Fa-f]*|[\-+.0-9A-Za-z]*)\Z')

NEXT_LINKS: Final = ("@nextLink", "@odata.nextLink")


JSON_ENVELOPE = fatal("""
    json-envelope (no-batch): A JSON batch is an object with the array requests, or the array
    responses. [OData JSON, 19.1]
    Write an object with an array named requests, or responses in an answer.""")
JSON_ERROR_RESPONSE = fatal("""
    json-error-response (no-batch): A batch response is not a single OData error response. [OData
    JSON, 19.5]
    Read the error: the service has refused the batch as a whole.""")
JSON_NO_REQUESTS = note("""
    json-no-requests: The array of requests is not empty. [OData JSON, 19.1]
    Leave the batch out if there is nothing to send.""")
JSON_NEXT_LINK = warning("""
    json-next-link: The next link of a batch response is one string. [OData JSON, 19.5]
    Write one @nextLink, as a string.""")
JSON_TRUNCATED = warning("""
    json-truncated: A response that ends inside its array has failed as a whole. [OData Protocol,
    9.4]
    Look for the reason in the log of the server, and do not count on operations without a
    response.""")
GROUP_NOT_ADJACENT = warning("""
    group-not-adjacent: The members of an atomicity group are adjacent. [OData JSON, 19.1]
    Write the members of the group one after the other.""")


class JsonDecoder(jsonitem.Reader[_Item]):
    """Decodes a JSON batch that arrives in chunks; it is read at the end of the input."""

    format: Format = "json"
    truncated = False

    def __init__(
        self, role: Role[_Item], limits: Limits, report: Reporter, position: int, dialect: Dialect
    ) -> None:
        super().__init__(role, limits, dialect)
        self.annotations: values.Annotations = ()
        self.next_link: str | None = None
        self._report = report
        self._position = position
        self._chunks: list[bytes] = []
        self._fault: Diagnostic | None = None
        self._counts_headers = False
        self._headers_total = 0
        self._run: Run[_Item] = Run(0)
        self._located: tuple[int, Mapping[str, Span]] = -1, {}

    def locate(self, position: int | None, member: str) -> tuple[int | None, int]:
        """Return the place of a member of the item at a position."""
        name, _, inner = member.replace("=", ".").partition(".")
        if not member or position is None:
            return position, 0
        span = self.text.spans(position - self.text.origin).get(_NAMES.get(name, name))
        if span is not None and inner:
            span = self._inside(span[0]).get(inner)
            span = self.text.name_at(span[0]) if span and "headers." in member else span
        if span is None:
            return position, 0
        return self.text.origin + span[0], span[1] - span[0]

    def _inside(self, start: int) -> Mapping[str, Span]:
        """Return where header fields are in an object, by lower case, or strings in an array."""
        if self._located[0] != start:
            is_object = self.text.text.startswith("{", start)
            spans = self.text.spans(start) if is_object else self.text.strings(start)
            named = {name.lower() if is_object else name: span for name, span in spans.items()}
            self._located = start, named
        return self._located[1]

    def receive_data(self, data: bytes) -> Run[_Item]:
        """Take the next octets; there are no items before the end."""
        self._chunks.append(data)
        return self._run

    def receive_eof(self) -> Run[_Item]:
        """Return the items."""
        data = b"".join(self._chunks)
        self._chunks.clear()
        try:
            self.text = JsonText(data, self.limits, self._hold, self._position)
            elements = self._read_batch()
        except Stop as stopped:
            if self._fault is None:
                raise
            elements = self.elements
            if not self._is_cut(self._fault):
                self._run.stopped = stopped
        if Element in {*map(type, elements)}:
            try:
                self._add(elements)
            except Stop as stopped:
                self._run.stopped = stopped
        else:
            self._run.items += elements
        if self._fault is not None:
            fault = self._fault
            found = fault.rule, fault.message, fault.position, (), fault.limit
            self._run.found.append(Found(len(self._run.items), *found, length=fault.length))
        return self._run

    def _hold(self, finding: Diagnostic) -> None:
        """Report what is found in the text; what ends the reading, only after the items before."""
        if finding.rule.fatal:
            self._fault = finding
        else:
            self._report(finding)

    def _is_cut(self, fault: Diagnostic) -> bool:
        """Tell whether the text of a response is sound as far as it goes, and was cut off."""
        if fault.rule is not JSON_SYNTAX or not self.elements or self.role.array == "requests":
            return False
        assert fault.position is not None
        text, at = self.text.text, fault.position - self.text.origin
        # A string, a number or a word begins where a value or a name may be, or goes on.
        may_begin = text[:at].rstrip(" \t\n\r")[-1:] in "[{,:\\" or text[at - 1].isalnum()
        if not _CUT_OFF.match(text, at) or not (may_begin or at == len(text)):
            return False
        self.truncated = True
        message = f"the response is cut off after items[{len(self.elements) - 1}]"
        self._fault = Diagnostic(JSON_TRUNCATED, message, fault.position)
        return True

    def _add(self, elements: list[Any]) -> None:
        """Add the items, those of a group at the place of its first, and what was found."""
        items = self._run.items
        groups: dict[str, list[tuple[int, Element[_Item]]]] = {}
        for number, element in enumerate(elements):
            if isinstance(element, Element) and element.group is not None:
                groups.setdefault(element.group, []).append((number, element))
        for number, element in enumerate(elements):
            if not isinstance(element, Element):
                items.append(element)
            elif element.group is None:
                items.append(self._tell(element, (len(items),)))
            elif groups[element.group][0][0] == number:
                items.append(self._group(element.group, groups[element.group], len(items)))

    def _group(self, name: str, members: list[tuple[int, Element[_Item]]], index: int) -> _Item:
        items: list[_Item | values.Unreadable] = []
        expected = members[0][0]
        for inner, (number, element) in enumerate(members):
            if number != expected and self.role.array == "requests":
                message = "a member of an atomicity group is not adjacent to the others"
                position = self.text.origin + element.start
                self._find(Diagnostic(GROUP_NOT_ADJACENT, message, position), (index, inner))
            expected = number + 1
            items.append(self._tell(element, (index, inner)))
        position = self.text.origin + members[0][1].start
        return values.change_set_of(self.role.change_set, tuple(items), position, name)

    def _tell(self, element: Element[_Item], path: tuple[int, ...]) -> _Item | values.Unreadable:
        """Return the item, and add what was found, now that its path is known."""
        start, body, _, item, found = element
        if self._counts_headers:
            members, _, _ = self.text.walk_item(start)
            if type(members.get("headers")) is tuple and members["headers"]:
                begin, end = self.text.spans(start)["headers"]
                self._headers_total += end - begin
            if self._headers_total > self.limits.headers_total:
                self.start, self.headers_exceed = start, True
                with suppress(Stop):
                    self.role.read(self, members, body)
                found = self.found
        for each in found:
            self._find(each, path)
            if each.rule.fatal:
                raise Stop(each.rule)
        return self._unreadable(element) if item is None else item

    def _unreadable(self, element: Element[_Item]) -> values.Unreadable:
        """Return what keeps the place of an element that could not be read."""
        id = None
        with suppress(*FAULTS):
            read, _ = scan_value(self.text.text, element.start)
            named = dict(read) if type(read) is tuple else {}
            id = named.get("id") if type(named.get("id")) is str else None
        position = self.text.origin + element.start
        return values.Unreadable(self.role.kind, id=id, position=position)

    def _find(self, found: Diagnostic, path: tuple[int, ...]) -> None:
        about = found.rule, found.message, found.position, path, found.limit
        self._run.found.append(Found(path[0], *about, length=found.length))

    def _read_batch(self) -> list[Any]:
        """Read the text to its end; return the elements of its array."""
        text, array = self.text, self.role.array
        start = text.skip_space(0)
        if start == len(text.text):
            text.refuse(start, "a JSON batch")
        batch = None
        if text.text.startswith("{", start):
            batch, end = text.walk(start, {array: self.read})
        else:
            end = text.value(start)[1]
        end = text.skip_space(end)
        if end < len(text.text):
            text.refuse(end, "nothing after the JSON text")
        text.check_depth()
        if batch is None:
            found = quote(text.characters(start, start + 120)[:30])
            self._refuse((start, start), f"found {found}")
        self.start = start
        self._read_envelope(batch)
        elements: list[Any] = batch[array]
        if len(text.text) > self.limits.headers_total:
            # What is not in bodies is more than the headers.
            bodies = [each.body[1] - each.body[0] for each in elements if each.body is not None]
            self._counts_headers = len(text.text) - sum(bodies) > self.limits.headers_total
        if not elements and array == "requests":
            self.say(JSON_NO_REQUESTS, "the array requests is empty", 0)
        for each in self.found:
            self._report(each)
        self.found = []
        return elements

    def _read_envelope(self, batch: Members) -> None:
        """Read what is beside the items, and refuse what is no batch of this role."""
        array, other = self.role.array, self.role.other
        spans = self.text.spans(self.start)
        if other in batch:
            found = "both requests and responses" if array in batch else f"the member {other}"
            self._refuse(self.text.name_at(spans[other][0]), f"found {found}")
        if array not in batch and array == "responses" and "error" in batch:
            error = quote(self.text.raw(spans["error"]))
            message = f"found the single error {error}, expected a batch response"
            position = self.text.origin + self.start
            stop(self._report, Diagnostic(JSON_ERROR_RESPONSE, message, position))
        if array not in batch:
            meant = nearest(array, spellings(batch))
            place = (
                (self.start, self.start) if meant is None else self.text.name_at(spans[meant][0])
            )
            found = "no such member" if meant is None else f"the member {quote(meant)}"
            self._refuse(place, f"found {found}")
        if not isinstance(batch[array], list):
            self._refuse(spans[array], f"found {quote(self.text.raw(spans[array]))}")
        self.check_duplicates((array,))
        next_links = NEXT_LINKS if array == "responses" else ()
        if self.text.has_halves and (bad := self.check_halves(next_links, array)) is not None:
            stop(self._report, bad)
        for name in next_links:
            link = batch.get(name)
            if type(link) is str and self.next_link in (None, link):
                self.next_link = link
            elif name in batch:
                found = quote(self.text.raw(spans[name]))
                message = f"{name} is {found}, expected one string"
                self.say(JSON_NEXT_LINK, message, *spans[name])
        self.annotations = self.others((array, *next_links))

    def _refuse(self, span: Span, found: str) -> NoReturn:
        message = f"{found}, expected an object with the array {self.role.array}"
        start, end = span
        position = self.text.origin + start
        stop(self._report, Diagnostic(JSON_ENVELOPE, message, position, length=end - start))
