"""JSON values (RFC 8259), scanned strictly by the C scanner of the standard library.

Numbers stay what they are spelt, NaN and Infinity are refused, and members that appear more than
once are seen.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from itertools import accumulate
from typing import Any, NoReturn, TypeAlias

from odata_batch._model.findings import fatal, quote

JSON_SYNTAX = fatal("""
    json-syntax: A JSON batch is one JSON text and nothing else. [RFC 8259, 2]
    Write the batch with a JSON serialiser, not by hand, and send it to its end.""")


Scan: TypeAlias = Callable[[str, int], tuple[Any, int]]
"""Returns the value at an offset of a text, and the offset after it."""

FAULTS = (StopIteration, ValueError, RecursionError)
"""What a scan raises: where there is no value, for broken syntax, and for what nests too deep."""


def _refuse_constant(name: str) -> NoReturn:
    """Refuse what JSON lacks and Python reads."""
    raise ValueError(f"JSON has no {name}")


def _unique_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the members of an object; refuse one that appears twice."""
    members = dict(pairs)
    if len(members) < len(pairs):
        counts = Counter(name for name, _ in pairs)
        raise ValueError(f"the member {quote(counts.most_common()[0][0])} appears more than once")
    return members


def value_of(octets: bytes, strict: bool, of_number: Callable[[str], Any] | None = None) -> Any:
    """Return the Python value of a JSON text in UTF-8; one of `FAULTS` is raised if it is none.

    A member that appears twice is refused; unless `strict`, the last one counts.
    """
    text, of_object = octets.decode("utf-8"), _unique_members if strict else None
    more: dict[str, Any] = {"parse_int": of_number, "parse_float": of_number}
    return json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=of_object, **more)


def _scanner(of_object: Callable[[Any], Any], of_number: Callable[[str], Any]) -> Scan:
    """Return the C scanner of a decoder that makes this of objects and of numbers."""
    decoder = json.JSONDecoder(
        object_pairs_hook=of_object,
        parse_int=of_number,
        parse_float=of_number,
        parse_constant=_refuse_constant,
    )
    scan: Scan = decoder.scan_once  # type: ignore[attr-defined]  # typeshed leaves it out
    return scan


scan_value: Scan = _scanner(tuple, str.encode)
"""Scans strings as `str`, arrays as lists and objects as tuples of pairs.

Numbers are the `bytes` that spell them, never numbers: 1e400 is as good as any.
"""

_scan_size = _scanner(len, len)

_SPACE = re.compile(r"[ \t\n\r]*")

LARGE = 4096
"""How many octets of a JSON text may be made into values only to find out where a value ends.

For a moment each may take thirty octets of memory, or more.
"""
_DEEPEST = 1000


@cache
def _runs() -> Mapping[str, re.Pattern[str]]:
    """Return what matches the members of an object, or the values of an array, up to a bracket.

    What nests no deeper than once is passed over; of what comes next, `name` and `value` are
    matched if they are there. As all repeats are possessive, time is linear and no memory is taken.
    """
    space, digits = r"[ \t\n\r]*+", "[0-9]++"
    string = r'"(?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4}))*+"'
    number = rf"-?+(?:0|[1-9][0-9]*+)(?:\.{digits})?+(?:[Ee][+\-]?+{digits})?+"
    name, scalar = f"{string}{space}:{space}", f"(?:{string}|{number}|true|false|null){space}"
    array = rf"\[{space}(?:{scalar}(?:,{space}{scalar})*+)?+\]"
    object = rf"\{{{space}(?:{name}{scalar}(?:,{space}{name}{scalar})*+)?+\}}"
    value = f"(?:{scalar}|(?:{array}|{object}){space})"
    next_value = f"(?P<value>{value})?"
    return {
        "{": re.compile(f"{space}((?:{name}{value},{space})*+)(?:(?P<name>{name}){next_value})?"),
        "[": re.compile(f"{space}((?:{value},{space})*+)(?P<name>){next_value}"),
    }


def scan_extent(text: str, start: int) -> tuple[Any, int]:
    """Scan strings as they are; of the rest, return any number, for only the extent counts.

    What is large is read from bracket to bracket, and not made into values.
    """
    if len(text) - start <= LARGE or text[start] not in "[{":
        return _scan_size(text, start)
    with suppress(*FAULTS):
        size, end = _scan_size(text[start : start + LARGE], 0)
        return size, start + end
    # A bracket begins after a name, or in an array; it ends after a value, or if nothing is in it.
    brackets, at = text[start], start + 1
    while brackets:
        match = _runs()[brackets[-1]].match(text, at)
        assert match is not None  # for it may match nothing
        is_new, at = text[at - 1] != ",", match.end()
        if match["name"] is not None and match.end("value") < 0 and text[at : at + 1] in ("[", "{"):
            brackets, at = brackets + text[at], at + 1
            if len(brackets) > _DEEPEST:
                raise RecursionError
            continue
        end = at
        if match.end("value") >= 0 or (is_new and at == match.start(1)):
            while brackets and text.startswith("}" if brackets[-1] == "{" else "]", end):
                brackets, at = brackets[:-1], end + 1
                space = _SPACE.match(text, at)
                assert space is not None  # for it may match nothing
                end = space.end()
        if brackets and (end == match.end() or not text.startswith(",", end)):
            if not text.startswith(("[", "{"), end):
                _scan_size(text, end)  # which tells what is wrong in a string or a number
            raise StopIteration(end)
        at = end + 1 if brackets else at
    return at - start, at


# A string of a text without escaped quotes
_QUOTED = re.compile(rb'"[^"]*"')

# What is left of a text to find out how deep it nests: quotes, and brackets as steps up and down
_STEPS = bytes.maketrans(b"{[]}", b"\1\1\xff\xff")
_NO_STEP = bytes(octet for octet in range(256) if octet not in b'"{[]}')


def deeper_than(data: bytes, limit: int) -> bool:
    """Tell whether arrays and objects nest deeper than `limit`, before anything is scanned.

    Brackets in strings do not count, nor does what follows a string without an end.
    """
    if b"\\" in data:
        # Of a run of backslashes, all but a last odd one go; what is left escapes what follows.
        data = data.replace(rb"\\", b"").replace(rb"\"", b"")
    steps = data.translate(_STEPS, _NO_STEP)
    # Quotes that meet go in pairs; then few strings are left, those that hold brackets.
    steps = _QUOTED.sub(b"", steps.replace(b'""', b"")).partition(b'"')[0]
    return max(accumulate(memoryview(steps).cast("b")), default=0) > limit


def is_surely_json(octets: bytes, depth: int) -> bool:
    """Tell whether octets are surely a JSON text no deeper than that; `False` proves nothing.

    Nothing but a scan is done, so that it costs little.
    """
    if octets.count(b"{") + octets.count(b"[") > depth or rb"\u" in octets:
        return False
    try:
        text = octets.decode("utf-8")
        return scan_extent(text, 0)[1] == len(text)
    except FAULTS:
        return False
