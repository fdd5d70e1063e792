"""JSON texts (RFC 8259) as slices of their source: scanned by the standard library, not rewritten.

`JsonText` says what the values of a text are and where they begin and end; the C scanner of `json`
reads them. The octets are viewed as ISO-8859-1, so that an offset is one of bytes and a slice needs
no translation: what frames JSON is ASCII. What is not ASCII is decoded before it is read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, NoReturn, TypeAlias

from odata_batch._model import jsonvalue
from odata_batch._model.findings import (
    Diagnostic,
    Reporter,
    exceed,
    fatal,
    quote,
    stop,
    warning,
)
from odata_batch._model.jsonvalue import JSON_SYNTAX
from odata_batch._model.limits import Limits
from odata_batch._wire import grammar

Span: TypeAlias = tuple[int, int]
"""Where a value begins and ends."""


class JsonObject(dict[str, Any]):
    """The members of an object of the text, and where it begins and ends.

    The member `body` of an item is not kept, only its span.
    """

    __slots__ = ("body", "end", "start")
    start: int
    end: int
    body: Span


_NOWHERE: Final = (0, 0)
_NOT_SCANNED: Final[Mapping[str, jsonvalue.Scan]] = {"body": jsonvalue.scan_extent}

_SPACE = grammar.JSON_SPACE.pattern

# array = "[" ws [ value *( ws "," ws value ) ] ws "]", up to the next value     RFC 8259, 5
_NEXT_ELEMENT = re.compile(rf"{_SPACE}(?:(,){_SPACE}|\])")

# A comma with nothing after it. Python 3.13 says where it is, older ones where the bracket is.
_TRAILING_COMMA = re.compile(rf",{_SPACE}(?=[\]}}])")

# An escape for half of a surrogate pair: a first one with no second one after it, or a second one
# with no first one before it                                                    RFC 8259, 8.2
_LONE_SURROGATE = re.compile(
    r"\\u[Dd](?:[89ABab]..(?!\\u[Dd][C-Fc-f])|(?<!\\u[Dd][89ABab]..\\u[Dd])[C-Fc-f]..)"
)

_BODY_NAME = '"body":'
# How far before its body an item may begin to be scanned without it. Each item is copied up to
# there, be the body that of a later one, so this must be bounded.
_LONGEST_HEAD = 4096


JSON_ENCODING = fatal("""
    json-encoding: A JSON batch is valid UTF-8 and holds no unpaired surrogate. [RFC 8259, 8.1]
    Encode the batch in UTF-8, and write characters above U+FFFF as one character or as a whole
    pair.""")
JSON_BYTE_ORDER_MARK = warning("""
    json-byte-order-mark: A JSON text does not begin with a byte order mark. [RFC 8259, 8.1]
    Remove the three octets EF BB BF at the beginning.""")


class JsonText:
    """A JSON text that is read; what breaks its syntax is reported and stops the reading.

    `depth` is how deep the text itself is within what may nest as deep as the limit says.
    """

    def __init__(
        self, data: bytes, limits: Limits, report: Reporter, position: int = 0, depth: int = 0
    ) -> None:
        self._limits = limits
        self._report = report
        self._position = position
        self._depth = depth
        self.origin = position
        self.data = self._checked(data)
        self.text = self.data.decode("latin-1")
        self._is_ascii = self.data.isascii()
        self._body = 0  # where the value after the next name of a body begins
        self._brackets = 0  # how many the item has that has the most
        self._spans: dict[int, dict[str, Span]] = {}
        self.duplicates: dict[int, list[tuple[str, int]]] = {}
        """The names of members that appear once more, and where their values are.

        They are those of the objects that begin there; an object without any is not among them.
        """
        if grammar.SURROGATE_ESCAPE.search(self.text):
            self._refuse_lone_surrogate()

    def _checked(self, data: bytes) -> bytes:
        if data.startswith(b"\xef\xbb\xbf"):
            message = "the text begins with a byte order mark"
            self._report(Diagnostic(JSON_BYTE_ORDER_MARK, message, self.origin))
            data = data[3:]
            self.origin += 3
        if b"\0" in data[:4] or data[:2] in (b"\xff\xfe", b"\xfe\xff"):
            message = f"the text begins with {quote(data[:8])}, which is not UTF-8"
            stop(self._report, Diagnostic(JSON_ENCODING, message, self.origin))
        try:
            data.decode("utf-8")
        except UnicodeDecodeError as error:
            start = error.start
        else:
            return data
        message = f"found {quote(data[start : start + 8])}, which is not UTF-8"
        stop(self._report, Diagnostic(JSON_ENCODING, message, self.origin + start))

    def _refuse_lone_surrogate(self) -> None:
        # Spaces in place of escaped backslashes and quotes: all that is left means what it seems.
        text = self.data.decode("utf-8").replace(r"\\", "  ").replace(r"\"", "  ")
        match = _LONE_SURROGATE.search(text)
        if match is not None:
            self.check_depth()
            before = text[: max(text.rfind('"', 0, match.start()), 0)]
            message = f"a string has the escape {match[0]}, which is half of a surrogate pair"
            position = self.origin + len(before.encode("utf-8"))
            stop(self._report, Diagnostic(JSON_ENCODING, message, position))

    def check_depth(self, items: Sequence[JsonObject] = ()) -> None:
        """Stop if something nests too deep; no other fault is reported before this one.

        If `items` are all that `items` has read, their brackets have been counted.
        """
        limit = self._limits.json_depth - self._depth
        outside = (
            (self.data[: items[0].start], self.data[items[-1].end :]) if items else (self.data,)
        )
        brackets = sum([octets.count(b"{") + octets.count(b"[") for octets in outside])
        if brackets + self._brackets > limit and jsonvalue.deeper_than(self.data, limit):
            exceed(self._report, self._limits, "json_depth", self._position)

    def raw(self, span: Span) -> bytes:
        """Return the octets that spell a value."""
        return self.data[span[0] : span[1]]

    def characters(self, start: int, end: int) -> str:
        """Return what is found there; a character that is cut off at the end is left out."""
        return self.data[start:end].decode("utf-8", "ignore")

    def skip_space(self, offset: int) -> int:
        """Return the offset of the first character that is not white space."""
        match = grammar.JSON_SPACE.match(self.text, offset)
        return match.end() if match else offset

    def refuse(self, offset: int, expected: str) -> NoReturn:
        """Stop at a place where the text is not what it should be."""
        self.check_depth()
        # No character has more than four octets.
        found = self.characters(offset, offset + 120)[:30]
        message = f"found {quote(found) if found else 'the end'}, expected {expected}"
        stop(self._report, Diagnostic(JSON_SYNTAX, message, self.origin + offset))

    def value(self, offset: int, scan: jsonvalue.Scan = jsonvalue.scan_value) -> tuple[Any, int]:
        """Return the value at `offset`, and the offset after it.

        Strings are `str`, numbers `Number`, arrays lists and objects tuples of pairs.
        """
        try:
            parsed, end = scan(self.text, offset)
            if scan is jsonvalue.scan_value and not self._is_ascii:
                parsed, _ = scan(self.data[offset:end].decode("utf-8"), 0)
            return parsed, end
        except RecursionError:
            self.check_depth()
            exceed(self._report, self._limits, "json_depth", self.origin + offset)
        except StopIteration as error:
            offset = error.value
        except json.JSONDecodeError as error:
            match = _TRAILING_COMMA.match(self.text, error.pos)
            offset = match.end() if match else error.pos
        except ValueError:
            self.refuse(offset, "JSON without NaN and Infinity")
        self.refuse(offset, "JSON")

    def items(self, text: str, offset: int) -> tuple[Any, int]:
        """Scan an array of items; what is no object is one without members."""
        if not text.startswith("[", offset):
            return jsonvalue.scan_value(text, offset)
        elements: list[JsonObject] = []
        end = self.skip_space(offset + 1)
        if text.startswith("]", end):
            return elements, end + 1
        while True:
            element = self._item(end)
            elements.append(element)
            after = element.end
            brackets = text.count("{", end, after) + text.count("[", end, after)
            if brackets > self._brackets:
                self._brackets = brackets
            if len(elements) > self._limits.operations:
                self.check_depth()
                exceed(self._report, self._limits, "operations", self.origin + end)
            if text.startswith(",{", after):
                end = after + 1
                continue
            match = _NEXT_ELEMENT.match(text, after)
            if match is None:
                self.refuse(self.skip_space(after), "a comma or ']'")
            end = match.end()
            if match[1] is None:
                return elements, end

    def _item(self, start: int) -> JsonObject:
        """Return the element of an array of items that begins at `start`.

        What comes before the member body is scanned at once, with a number in the place of the
        body. If that makes an object whose last member is the body, this is where it begins: its
        extent is scanned for itself. If the object ends before, it has no such member. Otherwise
        its members are walked.
        """
        text = self.text
        if not text.startswith("{", start):
            return _object((), start, self.value(start)[1], _NOWHERE)
        value = self._body
        if value < start:
            name = text.find(_BODY_NAME, start)
            value = (len(text) + _LONGEST_HEAD if name < 0 else name) + len(_BODY_NAME)
            self._body = value
        is_near = value - start <= _LONGEST_HEAD
        head = text[start : value if is_near else start + _LONGEST_HEAD] + "0}"
        if not head.isascii():
            head = head.encode("latin-1").decode("utf-8", "ignore")
        try:
            pairs, end = jsonvalue.scan_value(head, 0)
            found = JsonObject(pairs)
            found.start = start
            if len(found) == len(pairs):
                if end < len(head) and "body" not in found:
                    end = end if head.isascii() else len(head[:end].encode("utf-8"))
                    found.end, found.body = start + end, _NOWHERE
                    return found
                if end == len(head) and is_near and pairs[-1][0] == "body":
                    if text.startswith((" ", "\t", "\r", "\n"), value):
                        value = self.skip_space(value)
                    _, end = jsonvalue.scan_extent(text, value)
                    after = end if text.startswith("}", end) else self.skip_space(end)
                    if text.startswith("}", after):
                        found.end, found.body = after + 1, (value, end)
                        return found
        except jsonvalue.FAULTS:
            pass  # the walk finds out what is wrong, if anything is
        return self.walk(start, _NOT_SCANNED)

    def spans(self, source: JsonObject) -> dict[str, Span]:
        """Return the spans of the members of an item."""
        if source.start not in self._spans:
            self.walk(source.start, _NOT_SCANNED)
        return self._spans[source.start]

    def walk(self, offset: int, scans: Mapping[str, jsonvalue.Scan]) -> JsonObject:
        """Return the object whose brace is at `offset`, read member by member.

        The members that `scans` names are scanned as it says. Of members that appear more than once
        the last one counts.

        object = "{" ws [ member *( ws "," ws member ) ] ws "}"                (RFC 8259, 4)
        """
        text = self.text
        members: dict[str, Any] = {}
        spans: dict[str, Span] = {}
        end = offset
        while not text.startswith("}", end):
            start = self.skip_space(end + 1)
            if text.startswith("}", start) and not spans:
                end = start
                break
            if not text.startswith('"', start):
                self.refuse(start, "the name of a member")
            name, end = self.value(start)
            colon = self.skip_space(end)
            if not text.startswith(":", colon):
                self.refuse(colon, "a colon")
            start = self.skip_space(colon + 1)
            members[name], after = self.value(start, scans.get(name, jsonvalue.scan_value))
            if name in spans:
                self.duplicates.setdefault(offset, []).append((name, start))
            spans[name] = (start, after)
            end = self.skip_space(after)
            if not text.startswith((",", "}"), end):
                self.refuse(end, "a comma or '}'")
        self._spans[offset] = spans
        return _object(members, offset, end + 1, spans.get("body", _NOWHERE))


def _object(members: Any, start: int, end: int, body: Span) -> JsonObject:
    found = JsonObject(members)
    found.start, found.end, found.body = start, end, body
    return found
