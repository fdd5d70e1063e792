"""JSON texts (RFC 8259) as slices of their source: scanned by the standard library, not rewritten.

`JsonText` walks objects and arrays member by member and says where each value begins and ends. The
values themselves are scanned by the C scanner of `json`. Offsets count characters; `byte_offset`
turns them into bytes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from itertools import accumulate
from typing import Any, NoReturn, TypeAlias

from odata_batch._model.findings import Diagnostic, Reporter, exceed, quote, stop
from odata_batch._model.limits import Limits
from odata_batch._model.rules import Rule
from odata_batch._wire import grammar

Span: TypeAlias = tuple[int, int]
"""Where a value begins and ends, in characters."""

Scan: TypeAlias = Callable[[str, int], tuple[Any, int]]
"""Returns the value at an offset of the text, and the offset behind it."""


class Number(str):
    """The spelling of a JSON number. It is never turned into a number: 1e400 is as good as any."""

    __slots__ = ()


class JsonObject:
    """An object of the text: its members as they were scanned, and where their values stand."""

    __slots__ = ("duplicates", "members", "spans", "start")

    def __init__(self, start: int) -> None:
        self.start = start
        self.members: dict[str, Any] = {}
        self.spans: dict[str, Span] = {}
        self.duplicates: list[tuple[str, int]] = []


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _scanner(of_object: Callable[[Any], Any], of_number: Callable[[str], Any]) -> Scan:
    """Return the C scanner of a decoder that makes this of objects and of numbers."""
    decoder = json.JSONDecoder(
        object_pairs_hook=of_object,
        parse_int=of_number,
        parse_float=of_number,
        parse_constant=_refuse_constant,
    )
    scan: Scan = decoder.scan_once  # type: ignore[attr-defined]  # the type stubs do not know it
    return scan


scan_value: Scan = _scanner(tuple, Number)
# Only strings are given as they were parsed; of the rest, nothing is kept but an idea of its size.
scan_extent: Scan = _scanner(len, len)

# How far apart the places are whose offsets in bytes are remembered. An offset is looked up in the
# same time wherever it is, so that work is linear in whatever order findings are made.
_STRIDE = 256

# object = "{" ws [ member *( ws "," ws member ) ] ws "}"                        RFC 8259, 4
# Here up to the value of the next member, or to the end; names with escapes do not match.
_BLANKS = grammar.JSON_SPACE.pattern
_NAME = rf'"([^"\\\x00-\x1f]*)"{_BLANKS}:{_BLANKS}'
_FIRST_NAME = re.compile(rf"\{{{_BLANKS}(?:{_NAME}|\}})")
_NEXT_NAME = re.compile(rf"{_BLANKS}(?:,{_BLANKS}{_NAME}|\}})")

# array = "[" ws [ value *( ws "," ws value ) ] ws "]", up to the next value     RFC 8259, 5
_NEXT_ELEMENT = re.compile(rf"{_BLANKS}(?:(,){_BLANKS}|\])")

# A comma with nothing behind it. Python 3.13 says where it is, older ones where the bracket is.
_TRAILING_COMMA = re.compile(rf",{_BLANKS}(?=[\]}}])")

# An escape for half of a surrogate pair: a first one with no second one behind it, or a second one
# with no first one before it                                                    RFC 8259, 8.2
_LONE_SURROGATE = re.compile(
    r"\\u[Dd](?:[89ABab]..(?!\\u[Dd][C-Fc-f])|(?<!\\u[Dd][89ABab]..\\u[Dd])[C-Fc-f]..)"
)


class JsonText:
    """A JSON text that is read; what breaks its syntax is reported and stops the reading.

    `depth` is how deep the text itself stands in what may nest as deep as the limit says.
    """

    def __init__(
        self, data: bytes, limits: Limits, report: Reporter, position: int = 0, depth: int = 0
    ) -> None:
        self._limits = limits
        self._report = report
        self._origin = position
        self._marks: list[int] = []
        self.text = self._decoded(data)
        if deeper_than(data, limits.json_depth - depth):
            exceed(report, limits, "json_depth", position)
        if grammar.SURROGATE_ESCAPE.search(self.text):
            self._refuse_lone_surrogate()

    def _decoded(self, data: bytes) -> str:
        if data.startswith(b"\xef\xbb\xbf"):
            message = "the text begins with a byte order mark"
            self._report(Diagnostic(Rule.JSON_BYTE_ORDER_MARK, message, self._origin))
            data = data[3:]
            self._origin += 3
        if b"\0" in data[:4] or data[:2] in (b"\xff\xfe", b"\xfe\xff"):
            message = f"the text begins with {quote(data[:8])}, which is not UTF-8"
            stop(self._report, Diagnostic(Rule.JSON_ENCODING, message, self._origin))
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError as error:
            message = f"found {quote(data[error.start : error.start + 8])}, which is not UTF-8"
            position = self._origin + error.start
        stop(self._report, Diagnostic(Rule.JSON_ENCODING, message, position))

    def _refuse_lone_surrogate(self) -> None:
        # Blanks in place of escaped backslashes and quotes: all that is left means what it seems.
        text = self.text.replace(r"\\", "  ").replace(r"\"", "  ")
        match = _LONE_SURROGATE.search(text)
        if match is not None:
            start = text.rfind('"', 0, match.start())
            message = f"a string has the escape {match[0]}, which is half of a surrogate pair"
            position = self.byte_offset(max(start, 0))
            stop(self._report, Diagnostic(Rule.JSON_ENCODING, message, position))

    def byte_offset(self, offset: int) -> int:
        """Return the offset in bytes of an offset in characters."""
        if self.text.isascii():
            return self._origin + offset
        if not self._marks:
            self._marks = self._measured()
        mark = offset // _STRIDE
        rest = self.text[mark * _STRIDE : offset]
        return self._marks[mark] + len(rest.encode("utf-8"))

    def _measured(self) -> list[int]:
        starts = range(0, len(self.text), _STRIDE)
        lengths = (len(self.text[start : start + _STRIDE].encode("utf-8")) for start in starts)
        return list(accumulate(lengths, initial=self._origin))

    def raw(self, span: Span) -> bytes:
        """Return the octets that spell a value."""
        return self.text[span[0] : span[1]].encode("utf-8")

    def skip_space(self, offset: int) -> int:
        """Return the offset of the first character that is not white space."""
        match = grammar.JSON_SPACE.match(self.text, offset)
        return match.end() if match else offset

    def refuse(self, offset: int, expected: str) -> NoReturn:
        """Stop at a place where the text is not what it should be."""
        found = quote(self.text[offset : offset + 30]) if offset < len(self.text) else "the end"
        message = f"found {found}, expected {expected}"
        stop(self._report, Diagnostic(Rule.JSON_SYNTAX, message, self.byte_offset(offset)))

    def value(self, offset: int, scan: Scan = scan_value) -> tuple[Any, int]:
        """Return the value at `offset`, and the offset behind it.

        Strings are `str`, numbers `Number`, arrays lists and objects tuples of pairs.
        """
        try:
            return scan(self.text, offset)
        except (StopIteration, ValueError, RecursionError) as error:
            self._refuse_value(offset, error)

    def _refuse_value(self, offset: int, error: Exception) -> NoReturn:
        if isinstance(error, RecursionError):
            exceed(self._report, self._limits, "json_depth", self.byte_offset(offset))
        if isinstance(error, StopIteration):
            offset = error.value
        elif isinstance(error, json.JSONDecodeError):
            match = _TRAILING_COMMA.match(self.text, error.pos)
            offset = match.end() if match else error.pos
        else:
            self.refuse(offset, "JSON without NaN and Infinity")
        self.refuse(offset, "JSON")

    def read_object(self, offset: int, scans: Mapping[str, Scan]) -> tuple[JsonObject, int]:
        """Return the object whose brace is at `offset`, and the offset behind it.

        The members that `scans` names are scanned as it says. Of members that stand more than once
        the last one counts.
        """
        text = self.text
        found = JsonObject(offset)
        members, spans = found.members, found.spans
        match = _FIRST_NAME.match(text, offset)
        name, start = (match[1], match.end()) if match else self._name(offset + 1)
        while name is not None:
            try:
                parsed, end = scans.get(name, scan_value)(text, start)
            except (StopIteration, ValueError, RecursionError) as error:
                self._refuse_value(start, error)
            if name in members:
                found.duplicates.append((name, start))
            members[name] = parsed
            spans[name] = (start, end)
            match = _NEXT_NAME.match(text, end)
            name, start = (match[1], match.end()) if match else self._next_name(end)
        return found, start

    def _next_name(self, offset: int) -> tuple[str, int]:
        offset = self.skip_space(offset)
        if not self.text.startswith(",", offset):
            self.refuse(offset, "a comma or '}'")
        return self._name(offset + 1)

    def _name(self, offset: int) -> tuple[str, int]:
        offset = self.skip_space(offset)
        if not self.text.startswith('"', offset):
            self.refuse(offset, "the name of a member")
        name, end = self.value(offset)
        end = self.skip_space(end)
        if not self.text.startswith(":", end):
            self.refuse(end, "a colon")
        return name, self.skip_space(end + 1)

    def read_array(self, offset: int, read: Callable[[int], int]) -> int:
        """Call `read` with the offset of each element, and go on at the offset that it returns.

        `offset` is that of the bracket; the offset behind the closing one is returned.
        """
        end = self.skip_space(offset + 1)
        if self.text.startswith("]", end):
            return end + 1
        while True:
            end = read(end)
            match = _NEXT_ELEMENT.match(self.text, end)
            if match is None:
                self.refuse(self.skip_space(end), "a comma or ']'")
            end = match.end()
            if match[1] is None:
                return end


# A backslash and what it escapes                                                RFC 8259, 7
_ESCAPE = re.compile(rb"\\.", re.DOTALL)

# What is left of a text to find out how deep it nests: quotes, and brackets as steps up and down
_STEPS = bytes.maketrans(b"{[]}", b"\1\1\xff\xff")
_NO_STEP = bytes(octet for octet in range(256) if octet not in b'"{[]}')


def deeper_than(data: bytes, limit: int) -> bool:
    """Tell whether arrays and objects nest deeper than `limit`, before anything is scanned.

    Brackets in strings do not count, nor does what follows a string without an end.
    """
    if b"\\" in data:
        data = _ESCAPE.sub(b"", data)
    steps = data.translate(_STEPS, _NO_STEP)
    if steps.count(1) <= limit:
        return False
    # Quotes that meet go in pairs; then few strings are left, those that hold brackets.
    steps = grammar.QUOTED.sub(b"", steps.replace(b'""', b"")).partition(b'"')[0]
    return max(accumulate(memoryview(steps).cast("b")), default=0) > limit
