"""What references mean in expressions: values of responses, literals, and the member `if`.

OData Protocol, 11.7.6, OData JSON, 19.1, and OData URL Conventions, 5.1.1. Conditions come from
anywhere: they are read once, from left to right, on stacks of their own.
"""

import json
import operator
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any, Final, TypeAlias

from odata_batch._model.findings import quote
from odata_batch._model.jsonvalue import FAULTS, value_of
from odata_batch._model.values import OperationResponse
from odata_batch._server.steps import Refused
from odata_batch._wire.mediatype import parse_media_type

Lookup: TypeAlias = Callable[[str, str], object]
"""Returns what an identifier and a path after it mean; `Refused` if they mean nothing."""

# OData JSON, 7.1: what is a string in JSON and needs no quotes in a URL
_UNQUOTED = re.compile(
    r"(?P<guid>[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})"
    r"|(?P<instant>[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(?::[0-9]{2})?)"
    r"(?:\.(?P<part>[0-9]{1,12}))?(?P<zone>Z|[+-][0-9]{2}:[0-9]{2})"
    r"|(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"|(?P<time>[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.(?P<fraction>[0-9]{1,12}))?"
)
_TYPES: Final = ("guid", "instant", "date", "time")
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[Ee][+-]?[0-9]+)?")
_CONSTANTS: Final[Mapping[str, object]] = {"null": None, "true": True, "false": False}

# What is percent-encoded in the value of a query option; ";" and "=" divide options of $expand.
_ENCODED = re.compile(rb"[^0-9A-Za-z\-._~!$'()*,/:@]")
_OCTETS = re.compile(r"(?:%[0-9A-Fa-f]{2})+")

# A parenthesis, a string, maybe after the name of its type, a word, or a quote that is not closed
_TOKEN = re.compile(r"[()]|[\w.]*'(?:[^']|'')*'|[^\s()']+|'")

# OData URL Conventions, 5.1.1.17: what is done first has a higher number.
_RANKS: Final[Mapping[str, int]] = dict(
    zip("( or and eq ne lt le gt ge".split(), (0, 1, 2, 3, 3, 4, 4, 4, 4), strict=True)
)


class _Unquoted(str):
    """A literal that is neither a string nor a number."""


def values_in(response: OperationResponse, name: str) -> tuple[Any, Any]:
    """Return the JSON in the response to `name`, and what it is without a path.

    That is the value of a single property, or all of it (OData JSON, 11).
    """
    content_type = response.headers.get("content-type")
    if response.body and (content_type is None or parse_media_type(content_type).is_json):
        try:
            found = value_of(response.body, strict=True, of_number=_number)
            is_one = isinstance(found, dict) and all("@" in each for each in {*found} - {"value"})
            return found, found.get("value", found) if is_one else found
        except FAULTS:
            pass
    raise Refused(424, f"the response to {quote(name)} has no body that can be read as JSON")


def member(values: tuple[Any, Any], path: str, name: str) -> object:
    """Return what is at the path within what the response to `name` holds.

    Nothing but members of objects has a path; those of null are null.
    """
    value, single = values
    if not path:
        return single
    for each in path.split("/"):
        if value is not None:
            if not isinstance(value, dict) or each not in value:
                raise Refused(424, f"the response to {quote(name)} has no {quote(path)}")
            value = value[each]
    return value


def literal(value: Any, text: str) -> str:
    """Return a value as it is written in an expression, not encoded."""
    if isinstance(value, dict | list):
        raise Refused(424, f"{quote(text)} is no single value")
    if isinstance(value, str):
        is_unquoted = _UNQUOTED.fullmatch(value) is not None
        return value if is_unquoted else "'" + value.replace("'", "''") + "'"
    return json.dumps(value) if value is None or isinstance(value, bool) else value.spelling


def encoded(text: str) -> str:
    """Return the text as it is written in the value of a query option."""
    octets = text.encode("utf-8", "surrogatepass")
    return _ENCODED.sub(lambda match: b"%%%02X" % ord(match[0]), octets).decode("ascii")


def decoded(text: str) -> str:
    """Undo percent-encodings."""
    return _OCTETS.sub(
        lambda match: bytes.fromhex(match[0].replace("%", "")).decode("utf-8", "replace"), text
    )


def _number(text: str) -> object:
    from odata_batch._server.numbers import Number

    try:
        if len(text) <= 4300:  # as Python's own limit for whole numbers
            return Number.spelt(text)
    except ArithmeticError:  # the exponent has 19 digits
        pass
    raise ValueError("the number is too long")


# -- conditions ------------------------------------------------------------------------------------


def is_met(condition: str, lookup: Lookup, longest: int) -> bool:
    """Tell whether a condition is true; `Refused` if that cannot be said.

    It has literals, references, `eq`, `ne`, `lt`, `le`, `gt`, `ge`, `and`, `or`, `not` and
    parentheses. What a reference means need not be known where the rest decides.
    """
    if len(condition) > longest:
        raise Refused(424, "it is longer than a URL may be")
    values: list[object] = []
    operators: list[str] = []
    wants_operand = True
    for match in _TOKEN.finditer(condition):
        token, word = match[0], match[0].lower()
        if wants_operand:
            if word in ("(", "not"):
                operators.append(word)
                continue
            values.append(_operand(token, lookup))
        elif word == ")":
            _apply(operators, values, 1)
            if not operators:
                raise Refused(424, "a parenthesis is not opened")
            operators.pop()
            continue
        elif word in _RANKS and word != "(":
            _apply(operators, values, _RANKS[word])
            operators.append(word)
        else:
            raise Refused(424, f"found {quote(token)}, expected an operator")
        wants_operand = not wants_operand
    if not wants_operand:
        _apply(operators, values, 1)
    if wants_operand or operators:
        raise Refused(424, "it is not complete")
    (result,) = values
    if isinstance(result, Refused):
        raise result
    if not (result is None or isinstance(result, bool)):
        raise Refused(424, "it is neither true nor false")
    return result is True


def _operand(token: str, lookup: Lookup) -> object:
    type_name, quote_mark, text = token.partition("'")
    # That of an enumeration is qualified, and says nothing more.
    if quote_mark and text.endswith("'") and (not type_name or "." in type_name):
        return text[:-1].replace("''", "'")
    if token.lower() in _CONSTANTS:
        return _CONSTANTS[token.lower()]
    try:
        if token.startswith("$"):
            name, _, path = token[1:].partition("/")
            return lookup(name, path)
        if _NUMBER.fullmatch(token):
            return _number(token)
    except Refused as refused:
        return refused
    except ValueError as error:
        raise Refused(424, str(error)) from None
    if _UNQUOTED.fullmatch(token):
        return _Unquoted(token)
    raise Refused(424, f"{quote(token)} is not supported")


def _apply(operators: list[str], values: list[object], rank: int) -> None:
    """Do what comes before an operator of that rank."""
    while operators and _RANKS.get(operators[-1], 5) >= rank:
        operator, right = operators.pop(), values.pop()
        if operator == "not":
            right = _logical("and", True, right)  # null stays null
            values.append(not right if isinstance(right, bool) else right)
        elif _RANKS[operator] < 3:
            values.append(_logical(operator, values.pop(), right))
        else:
            values.append(_compared(operator, values.pop(), right))


def _logical(operator: str, left: object, right: object) -> object:
    decisive = operator == "or"
    if left is decisive or right is decisive:
        return decisive
    for each in (left, right):
        if isinstance(each, Refused):
            return each
        if not (each is None or isinstance(each, bool)):
            return Refused(424, "an operand is neither true nor false")
    return None if left is None or right is None else not decisive


def _compared(name: str, left: object, right: object) -> object:
    for each in (left, right):
        if isinstance(each, Refused):
            return each
    if left is None or right is None:
        # OData URL Conventions, 5.1.1.1: null is equal to itself alone, and nothing else.
        return name in ("eq", "le", "ge") if left is right else name == "ne"
    if isinstance(left, _Unquoted) or isinstance(right, _Unquoted):
        left, right = _comparable(left), _comparable(right)
        is_same = left[:1] == right[:1]
    else:
        is_same = type(left) is type(right)
    if not is_same or isinstance(left, dict | list):
        return Refused(424, f"the operands of {name!r} are not of one type, or no single values")
    return getattr(operator, name)(left, right)


def _comparable(value: object) -> tuple[object, ...]:
    """Return of what type it is that has no quotes, and how it is compared with others of that."""
    found = _UNQUOTED.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return type(value), value
    kind = next(each for each in _TYPES if found[each])
    fraction = (found["part"] or found["fraction"] or "").rstrip("0")
    if kind == "instant":
        with suppress(ValueError):  # if there is no such day
            return kind, datetime.fromisoformat(found[kind] + found["zone"]), fraction
        kind = "text"
    return kind, found[0].partition(".")[0].lower(), fraction
