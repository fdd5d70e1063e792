"""JSON texts (RFC 8259) as slices of their source: scanned by the standard library, not rewritten.

`JsonText` says what the values of a text are and where they begin and end; the C scanner of `json`
reads them. The octets are viewed as ISO-8859-1, so that an offset is one of bytes and a slice needs
no translation: what frames JSON is ASCII. What is not ASCII is decoded before it is read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final, NoReturn, TypeAlias

from odata_batch._model import jsonvalue
from odata_batch._model.findings import Diagnostic, Reporter, exceed, quote, stop
from odata_batch._model.limits import Limits
from odata_batch._model.rules import Rule
from odata_batch._wire import grammar

Span: TypeAlias = tuple[int, int]
"""Where a value begins and ends."""


class JsonObject:
    """An object of the text: its members, and where it begins and ends.

    The member `body` of an item is not kept, only its span. `spans` has those of all members, if
    the object was walked; `JsonText.spans` walks it where they are missing.
    """

    __slots__ = ("body", "duplicates", "end", "members", "spans", "start")

    def __init__(self, start: int, end: int, members: dict[str, Any], body: Span) -> None:
        self.start = start
        self.end = end
        self.members = members
        self.body = body
        self.spans: dict[str, Span] | None = None
        self.duplicates: list[tuple[str, int]] = []


_NOWHERE: Final = (0, 0)
_NOT_SCANNED: Final[Mapping[str, jsonvalue.Scan]] = {"body": jsonvalue.scan_extent}

_SPACE = grammar.JSON_SPACE.pattern

# array = "[" ws [ value *( ws "," ws value ) ] ws "]", up to the next value     RFC 8259, 5
_NEXT_ELEMENT = re.compile(rf"{_SPACE}(?:(,){_SPACE}|\])")

# object = "{" ws [ member *( ws "," ws member ) ] ws "}", its end               RFC 8259, 4
_END_OF_OBJECT = re.compile(rf"{_SPACE}\}}")

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


class JsonText:
    """A JSON text that is read; what breaks its syntax is reported and stops the reading.

    `depth` is how deep the text itself is within what may nest as deep as the limit says.
    """

    def __init__(
        self, data: bytes, limits: Limits, report: Reporter, position: int = 0, depth: int = 0
    ) -> None:
        self._limits = limits
        self._report = report
        self.origin = position
        self.data = self._checked(data)
        self.text = self.data.decode("latin-1")
        self._is_ascii = self.data.isascii()
        self._body = 0  # where the value after the next name of a body begins
        if jsonvalue.deeper_than(data, limits.json_depth - depth):
            exceed(report, limits, "json_depth", position)
        if grammar.SURROGATE_ESCAPE.search(self.text):
            self._refuse_lone_surrogate()

    def _checked(self, data: bytes) -> bytes:
        if data.startswith(b"\xef\xbb\xbf"):
            message = "the text begins with a byte order mark"
            self._report(Diagnostic(Rule.JSON_BYTE_ORDER_MARK, message, self.origin))
            data = data[3:]
            self.origin += 3
        if b"\0" in data[:4] or data[:2] in (b"\xff\xfe", b"\xfe\xff"):
            message = f"the text begins with {quote(data[:8])}, which is not UTF-8"
            stop(self._report, Diagnostic(Rule.JSON_ENCODING, message, self.origin))
        try:
            data.decode("utf-8")
        except UnicodeDecodeError as error:
            start = error.start
        else:
            return data
        message = f"found {quote(data[start : start + 8])}, which is not UTF-8"
        stop(self._report, Diagnostic(Rule.JSON_ENCODING, message, self.origin + start))

    def _refuse_lone_surrogate(self) -> None:
        # Spaces in place of escaped backslashes and quotes: all that is left means what it seems.
        text = self.data.decode("utf-8").replace(r"\\", "  ").replace(r"\"", "  ")
        match = _LONE_SURROGATE.search(text)
        if match is not None:
            before = text[: max(text.rfind('"', 0, match.start()), 0)]
            message = f"a string has the escape {match[0]}, which is half of a surrogate pair"
            position = self.origin + len(before.encode("utf-8"))
            stop(self._report, Diagnostic(Rule.JSON_ENCODING, message, position))

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
        # No character has more than four octets.
        found = self.characters(offset, offset + 120)[:30]
        message = f"found {quote(found) if found else 'the end'}, expected {expected}"
        stop(self._report, Diagnostic(Rule.JSON_SYNTAX, message, self.origin + offset))

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
        """jsonvalue.Scan an array of items; what is no object is one without members."""
        if not text.startswith("[", offset):
            return jsonvalue.scan_value(text, offset)
        elements: list[JsonObject] = []
        end = self.skip_space(offset + 1)
        if text.startswith("]", end):
            return elements, end + 1
        while True:
            if text.startswith("{", end):
                element = self._item(end)
            else:
                element = JsonObject(end, self.value(end)[1], {}, _NOWHERE)
            elements.append(element)
            if len(elements) > self._limits.operations:
                exceed(self._report, self._limits, "operations", self.origin + end)
            match = _NEXT_ELEMENT.match(text, element.end)
            if match is None:
                self.refuse(self.skip_space(element.end), "a comma or ']'")
            end = match.end()
            if match[1] is None:
                return elements, end

    def _item(self, start: int) -> JsonObject:
        """Return the object whose brace is at `start`.

        What comes before the member body is scanned at once, with a number in the place of the
        body. If that makes an object whose last member is the body, this is where it begins: its
        extent is scanned for itself. If the object ends before, it has no such member. Otherwise
        its members are walked.
        """
        text = self.text
        if self._body < start:
            found = text.find(_BODY_NAME, start)
            self._body = (len(text) + _LONGEST_HEAD if found < 0 else found) + len(_BODY_NAME)
        is_near = self._body - start <= _LONGEST_HEAD
        head = text[start : self._body if is_near else start + _LONGEST_HEAD] + "0}"
        if not head.isascii():
            head = head.encode("latin-1").decode("utf-8", "ignore")
        try:
            pairs, end = jsonvalue.scan_value(head, 0)
            members = dict(pairs)
            if len(members) == len(pairs):
                if end < len(head) and "body" not in members:
                    end = end if head.isascii() else len(head[:end].encode("utf-8"))
                    return JsonObject(start, start + end, members, _NOWHERE)
                if end == len(head) and is_near and pairs[-1][0] == "body":
                    value = self.skip_space(self._body)
                    _, end = jsonvalue.scan_extent(text, value)
                    match = _END_OF_OBJECT.match(text, end)
                    if match is not None:
                        return JsonObject(start, match.end(), members, (value, end))
        except jsonvalue.FAULTS:
            pass  # the walk finds out what is wrong, if anything is
        return self.walk(start, _NOT_SCANNED)

    def spans(self, source: JsonObject) -> dict[str, Span]:
        """Return the spans of the members of an item."""
        if source.spans is None:
            source.spans = self.walk(source.start, _NOT_SCANNED).spans
            assert source.spans is not None
        return source.spans

    def walk(self, offset: int, scans: Mapping[str, jsonvalue.Scan]) -> JsonObject:
        """Return the object whose brace is at `offset`, read member by member.

        The members that `scans` names are scanned as it says. Of members that appear more than once
        the last one counts.

        object = "{" ws [ member *( ws "," ws member ) ] ws "}"                (RFC 8259, 4)
        """
        text = self.text
        found = JsonObject(offset, offset, {}, _NOWHERE)
        spans = found.spans = {}
        while not text.startswith("}", found.end):
            start = self.skip_space(found.end + 1)
            if text.startswith("}", start) and not spans:
                found.end = start
                break
            if not text.startswith('"', start):
                self.refuse(start, "the name of a member")
            name, end = self.value(start)
            colon = self.skip_space(end)
            if not text.startswith(":", colon):
                self.refuse(colon, "a colon")
            start = self.skip_space(colon + 1)
            parsed, end = self.value(start, scans.get(name, jsonvalue.scan_value))
            if name in spans:
                found.duplicates.append((name, start))
            found.members[name] = parsed
            spans[name] = (start, end)
            found.end = self.skip_space(end)
            if not text.startswith((",", "}"), found.end):
                self.refuse(found.end, "a comma or '}'")
        found.end += 1
        found.body = spans.get("body", _NOWHERE)
        return found
