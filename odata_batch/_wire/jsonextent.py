"""Where a JSON value ends whose octets arrive in pieces; what of it is too long, as it arrives."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Final, NamedTuple, TypeAlias

from odata_batch._model.jsonvalue import FAULTS, scan_value
from odata_batch._model.limits import Limits

# Strings without escapes, and what is between them, in pieces so that little has to be remembered
_STRINGS = re.compile(rb'(?:[^"{}\[\]]*"[^"\\]*"){0,1000}[^"{}\[\]]*')
_WORD = re.compile(rb'[^"{}\[\],: \t\n\r]*')
SPACE: Final = re.compile(rb"[ \t\n\r]*")

# What may be next in an object: a name, or a value after a colon
_NAME: Final = -1
_VALUE: Final = -2

# How many octets spell a character at most: \u0041
_LONGEST = 6


class Bound(NamedTuple):
    """The limit on a member, and how many octets spell what it allows at most."""

    limit: str
    string: int
    other: int


Bounds: TypeAlias = Mapping[bytes, Bound]


def bounds_of(limits: Limits) -> Bounds:
    """Return the bounds on the members of an item, by their names between quotes."""
    sizes = {"id": "id", "atomicityGroup": "id", "url": "url", "headers": "headers_total"}
    bounds = {}
    for name, limit in {**sizes, "body": "body"}.items():
        most: int = getattr(limits, limit)
        string = _LONGEST * most + 2
        bounds[f'"{name}"'.encode()] = Bound(limit, string, most if name == "body" else string)
    return bounds


class Extent:
    """The extent of a value that begins at `start`, as far as its octets have arrived.

    Nothing but strings and brackets is looked at, and the members of an object: there may be
    so many of them, and the octets of those in `bounds` are counted. An object may end before its
    end, at the `array` that it has.
    """

    def __init__(
        self, start: int, depth: int, members: int, bounds: Bounds, array: str = ""
    ) -> None:
        self.start = self._at = start
        self.excess: tuple[str, int] | None = None
        """The limit that is exceeded, and where what exceeds it begins."""
        self.has_array = False
        """Whether the end is the bracket that begins the array."""
        self._room = depth
        self._members = members
        self._bounds = bounds
        self._array = array
        self._depth = 0
        self._end = -1
        self._string = -1
        self._name = b""
        # Where the value of a member begins, or what is next
        self._value: int = _NAME
        self._bound: Bound | None = None
        self._most = 0

    def find(self, data: bytes | bytearray) -> int:
        """Return where the value ends, given all octets so far; -1 if it does not, or exceeds."""
        if self._end < 0:
            self._end = self._find(data)
        return self._end

    def _find(self, data: bytes | bytearray) -> int:
        at, size = self._at, len(data)
        while at < size and self.excess is None:
            if self._string >= 0:
                at, is_closed = _string_end(data, at)
                self._measure(at)
                if not is_closed:
                    break
                if self._depth == 1 and self._value == _NAME:
                    self._name = bytes(data[self._string : at])
                self._string = -1
                if self._depth == 0:
                    return at
                continue
            if self._depth > 1:
                at = end_of(_STRINGS, data, at)
                self._measure(at)
            elif self._depth == 0 and at > self.start:  # of a number or a word
                return at
            else:
                at = end_of(SPACE, data, at)
                if at == size or (self._value == _VALUE and self._begin(data, at)):
                    break
                word = end_of(_WORD, data, at)
                if word > at:
                    at = word
                    self._measure(at)
                    continue
            if at == size:
                break
            octet = data[at : at + 1]
            if self._depth == 0 and octet not in b'{["':
                return at
            at += 1
            if octet == b'"':
                self._string = at - 1
            elif octet in b"{[":
                self._deepen()
            elif octet in b"}]":
                self._depth -= 1
                if self._depth == 0:
                    return at
                self._measure(at)
            elif octet == b",":
                self._separate(data)
            elif self._value == _NAME:
                self._value = _VALUE
        self._at = at
        return at if self.has_array else -1

    def move(self, by: int) -> None:
        """Begin to count so many octets later."""
        self._at -= by
        self.start -= by
        self._string -= by if self._string >= 0 else 0
        self._value -= by if self._value >= 0 else 0

    def _deepen(self) -> None:
        self._depth += 1
        if self._depth > self._room:
            self.excess = "json_depth", self.start

    def _begin(self, data: bytes | bytearray, at: int) -> bool:
        """Begin the value of a member; tell whether it is the array."""
        self._value = at
        self._bound = bound = self._bounds.get(self._name)
        if bound is not None:
            self._most = bound.string if data.startswith(b'"', at) else bound.other
        if data.startswith(b"[", at) and self._array and _text(self._name) == self._array:
            self._deepen()
            self.has_array = self.excess is None
        return self.has_array

    def _separate(self, data: bytes | bytearray) -> None:
        """Expect one more member, or element."""
        self._value, self._bound = _NAME, None
        self._members -= data.startswith(b"{", self.start)
        if self._members < 0:
            self.excess = "annotations", self.start

    def _measure(self, end: int) -> None:
        """Compare what there is of the value of a member with what is allowed."""
        if self._bound is not None and end - self._value > self._most and self.excess is None:
            self.excess = self._bound.limit, self._value


def end_of(pattern: re.Pattern[bytes], data: bytes | bytearray, at: int) -> int:
    """Return where that ends which a pattern finds there, and be it empty."""
    match = pattern.match(data, at)
    assert match is not None
    return match.end()


def _string_end(data: bytes | bytearray, at: int) -> tuple[int, bool]:
    """Return where a string ends, and whether it does; what is there is not escaped."""
    while (quote := data.find(b'"', at)) >= 0:
        run = data[at:quote]
        at = quote + 1
        if (len(run) - len(run.rstrip(b"\\"))) % 2 == 0:
            return at, True
    run = data[at:]
    return len(data) - (len(run) - len(run.rstrip(b"\\"))) % 2, False


def _text(name: bytes) -> str:
    """Return what a name between quotes means, if it does."""
    with suppress(*FAULTS):
        text: str = scan_value(name.decode("utf-8"), 0)[0]
        return text
    return ""
