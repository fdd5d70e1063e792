"""The objects `headers` of a JSON batch (OData JSON, 19.1): header fields as members."""

from __future__ import annotations

from operator import itemgetter
from typing import Any, Final, TypeAlias

from odata_batch._model.findings import Rule, error, note, quote, warning
from odata_batch._model.headers import Headers, Pair, Shape, headers_of
from odata_batch._model.limits import Limits
from odata_batch._wire import grammar, jsonbody
from odata_batch._wire.sections import REFERRING, TELLING

_Pairs: TypeAlias = tuple[tuple[str, Any], ...]


# Of fields with the same names, rules and readers look into the values of these.
_DECISIVE: Final = TELLING | {"content-type"}


class Layout:
    """What the objects `headers` whose members have these names have in common."""

    def __init__(self, names: tuple[str, ...], limits: Limits) -> None:
        lower = tuple([name.lower() for name in names])
        self.is_sound = lower == names and len({*names}) == len(names) > 0
        """Whether the names are different and in lower case."""
        self.shape = Shape(lower)
        self.size = len("".join(names)) + 5 * len(names) + 2
        """How many octets are in such an object beside the values, joined by bars."""
        self.content_type = names.index("content-type") if "content-type" in names else None
        decisive = [index for index, name in enumerate(names) if name in _DECISIVE]
        # Twice, so that there is a tuple of one, too
        self.pick = itemgetter(*decisive, *decisive) if decisive else _nothing_of
        self.known: dict[object, tuple[Shape, jsonbody.Content | None]] = {}
        """By the values that decide: what rules can tell of such fields, and what the body is."""
        room = min(limits.field_line, limits.header_section) - len("".join(names)) - 4 * len(names)
        self.room = room if grammar.TOKEN.fullmatch("".join(names)) and "" not in names else -1
        self._may_refer = not REFERRING.isdisjoint(names)

    def is_plain(self, text: str) -> bool:
        """Tell whether rules can tell no more of these values, joined by bars."""
        if not text.isascii() or not text.isprintable() or len(text) > self.room:
            return False
        if " " in text and (" " in text[0] + text[-1] or "| " in text or " |" in text):
            return False
        return "$" not in text or not self._may_refer


def _nothing_of(values: object) -> None:
    """Return that no value decides."""


JSON_TYPE = error("""
    json-type: Every member has the JSON type that the standard gives it. [OData JSON, 19.1]
    Give the member the type that the message names.""")
JSON_NULL_MEMBER = warning("""
    json-null-member: Only a body may be null; other members are left out. [OData JSON, 19.1]
    Leave the member out.""")
JSON_HEADER_VALUE = warning("""
    json-header-value: Header values are strings. [OData JSON, 19.1]
    Put the value between double quotes.""")
JSON_HEADER_CASE = note("""
    json-header-case: Header names of a JSON batch are written in lower case. [OData JSON, 19.1]
    Write the name of the header in lower case.""")
JSON_HEADER_COLLISION = error("""
    json-header-collision: Header names differ by more than their case. [OData JSON, 19.1]
    Keep the one header that is right.""")
JSON_HEADER_COLLISION_EQUAL = warning("""
    json-header-collision-equal: Header names differ by more than their case, even if their values
    are equal. [OData JSON, 19.1]
    Write the header once, in lower case.""")


def read_headers(members: _Pairs) -> tuple[Headers, list[tuple[Rule, str, str]]]:
    """Return the fields of an object `headers`, and what is wrong with them, with their names."""
    problems: list[tuple[Rule, str, str]] = []
    fields: dict[str, Pair] = {}
    cased = None
    for name, value in members:
        text = value
        if value is None:
            message = f"header {quote(name)} is null, expected that it is left out"
            problems.append((JSON_NULL_MEMBER, message, name))
            continue
        if type(value) is not str:
            if not isinstance(value, bytes | bool):
                message = f"header {quote(name)} is neither a string, a number nor a boolean"
                problems.append((JSON_TYPE, message, name))
                continue
            text = value.decode() if isinstance(value, bytes) else str(value).lower()
            message = f"header {quote(name)} is {text:.60}, expected a string"
            problems.append((JSON_HEADER_VALUE, message, name))
        key = name.lower()
        if key in fields and text == fields[key][1]:
            message = f"header {quote(name)} appears twice with the same value"
            problems.append((JSON_HEADER_COLLISION_EQUAL, message, name))
        elif key in fields:
            message = f"header {quote(name)} is both {quote(fields[key][1])} and {quote(text)}"
            problems.append((JSON_HEADER_COLLISION, message, name))
        fields[key] = (name, text)
        cased = cased or (name if key != name else None)
    if cased is not None:
        problems.append((JSON_HEADER_CASE, f"header {quote(cased)} is not in lower case", cased))
    return headers_of(tuple(fields.values())), problems
