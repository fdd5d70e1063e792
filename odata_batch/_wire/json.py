"""The OData JSON batch format (OData JSON, 19): read.

Each object is read as it is scanned. The objects of an atomicity group come at the place of its
first, so that from there on the end of the array is waited for. What is wrong beside the objects is
reported after what is wrong with them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final, NoReturn, TypeVar

from odata_batch._model import findings, values
from odata_batch._model.dialect import Dialect
from odata_batch._model.findings import Diagnostic, Stop, fatal, note, quote, stop, warning
from odata_batch._model.jsonvalue import JSON_SYNTAX, scan_extent
from odata_batch._model.limits import Limits, exceed
from odata_batch._wire import jsonitem
from odata_batch._wire.grammar import nearest, spellings
from odata_batch._wire.jsonextent import SPACE, Extent, bounds_of, end_of
from odata_batch._wire.jsonitem import Element, Role, read_with_halves
from odata_batch._wire.jsontext import MOST_MEMBERS, NOWHERE, JsonText, Members, Span, marked
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


# How many arrays and objects are around the elements of the array
_DEPTH = 2
# In how many octets brackets are counted at once: there are fewer than may be nested.
_BLOCK = 2048
# How many octets after a fault its message may show, all of whose characters are whole
_SHOWN = 124
# So many octets tell a byte order mark and UTF-16, and are shown.
_MARK = 11


class _Array(Exception):
    """The array of the batch begins there, and what is before it is sound."""


def _until_array(text: str, offset: int) -> tuple[Any, int]:
    if text.startswith("[", offset):
        raise _Array
    return scan_extent(text, offset)


class JsonDecoder(jsonitem.Reader[_Item]):
    """Decodes a JSON batch that arrives in chunks.

    The text of what is complete is read at once. What is not begins with the last octet that was
    read; its extent is followed as its octets arrive. Where there is a fault, what its message
    shows is waited for, so that chunks make no difference.
    """

    format: values.Format = "json"
    truncated = False

    def __init__(
        self,
        role: Role[_Item],
        limits: Limits,
        report: findings.Reporter,
        position: int,
        dialect: Dialect,
    ) -> None:
        super().__init__(role, limits, dialect)
        self.annotations: values.Annotations = ()
        self.next_link: str | None = None
        self._report = report
        # Where the payload begins, its text without a byte order mark, and what has not been read
        self._start = self._origin = self._position = position
        # That, from where on the end of white space is looked for in it, and what is waited for: so
        # many octets, or the end of a value
        self._buffer = bytearray()
        self._at, self._needed = 0, _MARK
        self._extent: Extent | None = None
        # The text up to the array, `None` before that; whether the array has ended, or is none
        self._head: bytes | None = None
        self._is_last = False
        # What was read of the array and is not handed out; which is the first with a group, whose
        # members may be anywhere; how much was read; and the texts of what is not handed out, or
        # was last
        self._elements: list[_Item | Element[_Item]] = []
        self._held: int | None = None
        self._number = 0
        self._texts: list[JsonText] = []
        self._fault: Diagnostic | None = None
        self._run: Run[_Item] = Run(0)
        self._located: tuple[int, Mapping[str, Span]] = -1, {}
        self._bounds = bounds_of(limits)
        self._most = limits.annotations + MOST_MEMBERS
        # Five octets spell a member and its comma.
        self._shortest = min(5 * self._most, *(min(each[1:]) for each in self._bounds.values()))

    def locate(self, position: int | None, member: str) -> tuple[int | None, int]:
        """Return the place of a member of an item that was among the last."""
        name, _, inner = member.replace("=", ".").partition(".")
        if not member or position is None:
            return position, 0
        text = next(each for each in reversed(self._texts) if each.origin <= position)
        span = text.spans(position - text.origin).get(_NAMES.get(name, name))
        if span is not None and inner:
            span = self._inside(text, span[0]).get(inner)
            span = text.name_at(span[0]) if span and "headers." in member else span
        if span is None:
            return position, 0
        return text.origin + span[0], span[1] - span[0]

    def _inside(self, text: JsonText, start: int) -> Mapping[str, Span]:
        """Return where header fields are in an object, by lower case, or strings in an array."""
        if self._located[0] != text.origin + start:
            is_object = text.text.startswith("{", start)
            spans = text.spans(start) if is_object else text.strings(start)
            named = {name.lower() if is_object else name: span for name, span in spans.items()}
            self._located = text.origin + start, named
        return self._located[1]

    def receive_data(self, data: bytes) -> Run[_Item]:
        """Take the next octets; return the items that are complete."""
        return self._receive(data, False)

    def receive_eof(self) -> Run[_Item]:
        """Return the items that are left."""
        return self._receive(b"", True)

    def _receive(self, data: bytes, is_end: bool) -> Run[_Item]:
        run: Run[_Item] = Run(self._index)
        self._run = run
        if self._buffer:
            self._buffer += data
        if not (is_end or self._is_ready(self._buffer or data)):
            self._buffer = self._buffer or bytearray(data)
            return run
        if self._buffer:
            data, self._buffer = bytes(self._buffer), bytearray()
        try:
            self._read(data, is_end)
        except Stop as stopped:
            run.stopped = stopped
            if self._fault is not None:
                with suppress(Stop):  # at an item before the fault
                    self._hand_out(True)
                    self._tell_fault(self._fault, is_end)
        return run

    def _is_ready(self, data: bytes | bytearray) -> bool:
        """Tell whether more can be read than before."""
        if self._is_last or len(data) < self._needed:
            return False
        if self._extent is not None:
            return self._extent.find(data) >= 0 or self._extent.excess is not None
        self._at = end_of(SPACE, data, self._at)
        return self._at < len(data)

    def _read(self, data: bytes, is_end: bool) -> None:
        """Read on; what is left is kept."""
        if self._needed == _MARK:
            rest = marked(data, self._hold, self._position)
            self._origin = self._position = self._position + len(data) - len(rest)
            data, self._needed = rest, 0
        if self._is_last:
            self._buffer += data
        else:
            text = JsonText(data, self.limits, self._hold, self._position, is_end)
            if self._head is not None or self._begin(text):
                self._read_items(text)
        if is_end:
            self._finish()

    def _begin(self, text: JsonText) -> bool:
        """Look for the array, and tell whether it is there; what is before it is sound then."""
        data, extent, array = text.octets, self._extent, self.role.array
        if extent is None:
            start = end_of(SPACE, data, 0)
            extent = Extent(start, self.limits.json_depth, self._most, {}, array)
        end = extent.find(data)
        if extent.excess is not None:
            self._exceed(*extent.excess)
        if not extent.has_array:
            self._buffer, self._extent, self._is_last = bytearray(data), extent, end >= 0
            return False
        self._extent = None
        try:
            if 0 <= text.broken < end:
                text.refuse_encoding()
            text.walk(extent.start, {array: _until_array})
        except _Array:
            self._head = data[: end + 1]
            text.end = end
            return True
        except Stop:
            if self._is_shown(text):
                raise
        return False

    def _read_items(self, text: JsonText) -> None:
        self.text = text
        # Checking, which is told of all octets at once, looks at all items in the end.
        if not self._elements and not text.is_end:
            self._texts.clear()
        self._texts.append(text)
        self._needed, self._extent = 0, None
        try:
            self._read_elements(text)
            if not text.is_closed and text.broken >= 0:
                text.refuse_encoding()
        except Stop:
            if not self._is_incomplete(text):
                raise
        else:
            self._keep(text)
        self._is_last = text.is_closed
        self._hand_out(text.is_closed)

    def _read_elements(self, text: JsonText) -> None:
        """Read the elements of the array that are complete."""
        elements, shortest = self._elements, self._shortest
        before, first, block = len(elements), len(elements), text.end
        read = read_with_halves if text.has_halves else self.role.read
        try:
            for members, start, span in text.items(self.limits.operations - self._number):
                self.start = start
                if start - block > _BLOCK:
                    self._check_depth(text, first, block, start)
                    first, block = len(elements), start
                if text.end - start > shortest:
                    self._check_length(text, span or NOWHERE)
                try:
                    item = read(self, members, span)
                except Stop:  # it is among the findings
                    item = None
                if item is None or self.found or "atomicityGroup" in members:
                    group = members.get("atomicityGroup")
                    group = group if group and type(group) is str else None
                    if group is not None and self._held is None:
                        self._held = len(elements)
                    kept = self.unreadable(start) if item is None else item
                    elements.append(Element(text.place(start), group, kept, self.found))
                    self.found = []
                else:
                    elements.append(item)
        finally:  # whatever is wrong comes after what is too deep before it
            self._number += len(elements) - before
            self._check_depth(text, first, block, text.end + 1)

    def _check_depth(self, text: JsonText, first: int, start: int, end: int) -> None:
        """Look at the elements between two offsets, from the `first` on; stop at one too deep."""
        if text.is_deeper(self.limits.json_depth - _DEPTH, start, end):
            elements: list[Any] = self._elements[first:]
            del self._elements[first:]
            for each in elements:
                self._check_extent(text, each.position - text.origin)
                self._elements.append(each)

    def _check_length(self, text: JsonText, body: Span) -> None:
        """Look closer at an element of which a member may be too long."""
        size = body[1] - body[0]
        if size > self.limits.body or text.end + 1 - text.start - size > self._shortest:
            self._check_extent(text, text.start)

    def _check_extent(self, text: JsonText, start: int) -> Extent:
        """Look at an element as if it had arrived in pieces."""
        extent = Extent(start, self.limits.json_depth - _DEPTH, self._most, self._bounds)
        extent.find(text.octets)
        if extent.excess is not None:
            self._exceed(*extent.excess)
        return extent

    def _exceed(self, limit: str, offset: int) -> NoReturn:
        position = self._start if limit == "json_depth" else self._position + offset
        exceed(self._hold, self.limits, limit, position)

    def _is_incomplete(self, text: JsonText) -> bool:
        """Tell whether what seems to be a fault may be none, or cannot be shown yet."""
        data, fault = text.octets, self._fault
        assert fault is not None and fault.position is not None
        # What was too deep for the scanner may not be complete.
        if fault.limit and (fault.limit[0] != "json_depth" or fault.position == self._start):
            return False
        if text.text.startswith(("[", ","), text.end):
            extent = self._check_extent(text, text.start)
            end = extent.find(data)
            if end < 0 and not text.is_end:
                self._fault, self._extent = None, extent
                extent.move(text.end)
                self._keep(text)
                return True
            if text.broken >= 0 and (end < 0 or text.broken < end):
                with suppress(Stop):
                    text.refuse_encoding()
        return not self._is_shown(text)

    def _is_shown(self, text: JsonText) -> bool:
        """Tell whether there are all octets that the message shows; if not, keep what there is."""
        assert self._fault is not None and self._fault.position is not None
        needed = text.offset(self._fault.position) + _SHOWN
        if text.is_end or len(text.octets) >= needed:
            return True
        self._fault, self._needed = None, needed - text.end
        self._keep(text)
        return False

    def _keep(self, text: JsonText) -> None:
        """Keep what was not read, and the last octet before it."""
        self._buffer = bytearray(text.octets[text.end :])
        self._position += text.end
        self._at = 1 if self._head is not None else 0

    def _hold(self, finding: Diagnostic) -> None:
        """Report what is found in the text; what ends the reading, only after the items before."""
        if finding.rule.fatal:
            self._fault = finding
        else:
            self._report(finding)

    def _tell_fault(self, fault: Diagnostic, is_end: bool) -> None:
        if is_end and self._is_cut(fault):
            self.truncated, self._run.stopped = True, None
            message = f"the response is cut off after items[{self._number - 1}]"
            fault = Diagnostic(JSON_TRUNCATED, message, fault.position)
        is_member = fault.limit is not None and fault.limit[0] not in ("json_depth", "operations")
        is_member = is_member and self._head is not None and not self._is_last
        self._find(fault, (self._index,) if is_member else ())

    def _is_cut(self, fault: Diagnostic) -> bool:
        """Tell whether the text of a response is sound as far as it goes, and was cut off."""
        if fault.rule is not JSON_SYNTAX or not self._number or self.role.array == "requests":
            return False
        assert fault.position is not None
        text, at = self.text.text, self.text.offset(fault.position)
        # A string, a number or a word begins where a value or a name may be, or goes on.
        may_begin = text[:at].rstrip(" \t\n\r")[-1:] in "[{,:\\" or text[at - 1].isalnum()
        return bool(_CUT_OFF.match(text, at)) and (may_begin or at == len(text))

    @property
    def _index(self) -> int:
        return self._run.first + len(self._run.items)

    def _hand_out(self, is_all: bool) -> None:
        """Add the items that were read, unless those before may be members of one to come."""
        number = len(self._elements) if is_all or self._held is None else self._held
        if not number:
            return
        elements, self._elements = self._elements[:number], self._elements[number:]
        self._held = None if self._held is None else 0
        if Element not in {*map(type, elements)}:
            self._run.items += elements  # type: ignore[arg-type]  # none is an element
            return
        groups: dict[str, list[tuple[int, Element[_Item]]]] = {}
        for number, element in enumerate(elements):
            if isinstance(element, Element) and element.group is not None:
                groups.setdefault(element.group, []).append((number, element))
        items = self._run.items
        for number, element in enumerate(elements):
            if not isinstance(element, Element):
                items.append(element)
            elif element.group is None:
                items.append(self._tell(element, (self._index,)))
            elif groups[element.group][0][0] == number:
                items.append(self._group(element.group, groups[element.group], self._index))

    def _group(self, name: str, members: list[tuple[int, Element[_Item]]], index: int) -> _Item:
        items: list[_Item | values.Unreadable] = []
        expected = members[0][0]
        for inner, (number, element) in enumerate(members):
            if number != expected and self.role.array == "requests":
                message = "a member of an atomicity group is not adjacent to the others"
                found = Diagnostic(GROUP_NOT_ADJACENT, message, element.position)
                self._find(found, (index, inner))
            expected = number + 1
            items.append(self._tell(element, (index, inner)))
        position = members[0][1].position
        return values.change_set_of(self.role.change_set, tuple(items), position, name)

    def _tell(self, element: Element[_Item], path: tuple[int, ...]) -> _Item | values.Unreadable:
        """Return the item, and add what was found, now that its path is known."""
        for each in element.found:
            self._find(each, path)
            if each.rule.fatal:
                raise Stop(each.rule)
        return element.item

    def _find(self, found: Diagnostic, path: tuple[int, ...]) -> None:
        before = path[0] if path else self._index
        about = found.rule, found.message, found.position, path, found.limit, found.severity
        self._run.found.append(Found(before, *about, found.length))

    def _finish(self) -> None:
        """Read what is beside the array, to the end of the text."""
        array, head = self.role.array, self._head or b""
        gap = len(head), self._position - self._origin - len(head)
        data, self._buffer = head + self._buffer, bytearray()
        text = self.text = JsonText(data, self.limits, self._hold, self._origin, gap=gap)
        if text.broken >= 0:
            text.refuse_encoding()
        text.check_depth()
        start = text.skip_space(0)
        if start == len(text.text):
            text.refuse(start, "a JSON batch")
        batch = None
        if text.text.startswith("{", start):
            batch, end = text.walk(start, {})
        else:
            end = text.value(start, scan_extent)[1]
        end = text.skip_space(end)
        if end < len(text.text):
            text.refuse(end, "nothing after the JSON text")
        if batch is None:
            found = quote(text.characters(start, start + 120)[:30])
            twice = text.text.startswith(('"{', '"--'), start)
            hint = ", a batch that has been serialised once more" if twice else ""
            self._refuse((start, start), f"found {found}{hint}")
        self.start = start
        self._read_envelope(batch)
        if not self._number and array == "requests":
            self.say(JSON_NO_REQUESTS, "the array requests is empty", 0)
        for each in self.found:
            self._find(each, ())
        self.check_annotations(self.annotations, self._hold)

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
            position = self.text.place(self.start)
            stop(self._hold, Diagnostic(JSON_ERROR_RESPONSE, message, position))
        if array not in batch:
            meant = nearest(array, spellings(batch))
            place, found = (self.start, self.start), "no such member"
            if meant is not None:
                place, found = self.text.name_at(spans[meant][0]), f"the member {quote(meant)}"
            self._refuse(place, f"found {found}")
        if self._head is None:
            self._refuse(spans[array], f"found {quote(self.text.raw(spans[array]))}")
        self.check_duplicates((array,))
        next_links = NEXT_LINKS if array == "responses" else ()
        if self.text.has_halves and (bad := self.check_halves(next_links, array)) is not None:
            stop(self._hold, bad)
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
        position, length = self.text.place(span[0]), span[1] - span[0]
        stop(self._hold, Diagnostic(JSON_ENVELOPE, message, position, length=length))
