"""References in texts: in expressions, in header fields, in JSON.

OData Protocol, 11.7.5 and 11.7.6. The texts come from anywhere: every pattern is linear, none
repeats a group, and nothing is parsed that holds no dollar sign.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import repeat

from odata_batch._graph.urls import SYSTEM_RESOURCES, system_resources
from odata_batch._model.dialect import Dialect
from odata_batch._wire import grammar
from odata_batch.dialects import ODATA_4_01

# OData Protocol, 11.7.6: the literals that expressions begin with in the same way
EXPRESSION_LITERALS = frozenset(("it", "root", "this"))
_RESERVED_NAMES = SYSTEM_RESOURCES | EXPRESSION_LITERALS

# OData Data Aggregation, 3: what else begins with a dollar sign where an expression may begin
_AGGREGATION_LITERALS = frozenset(("all", "count", "these"))
_LITERALS = EXPRESSION_LITERALS | _AGGREGATION_LITERALS

# OData URL Conventions, 5.1: query options whose values are no expressions
_OPAQUE_OPTIONS = frozenset(("deltatoken", "format", "schemaversion", "search", "skiptoken"))

_QUOTED = re.compile(r'"[^"]*"?')

# A string of OData, a string of JSON, or what stands between them and punctuation; it is preceded
# by `_ESCAPED_QUOTE`, so that a quote ends a string.
_TOKEN = re.compile(r"""'[^']*'?|"[^"]*"?|[^\s'"()\[\]{},;:=!+&|*<>]+""")
_ESCAPED_QUOTE = re.compile(r'\\["\\]')

# What an expression may spell as a percent-encoding; a dollar sign is none then. RFC 3986, 2.2
_ENCODED_ASCII = re.compile("%(?!24)([0-7][0-9A-Fa-f])")

# A string in a body that is a reference, or begins with one as a URL does
_REFERENCE_TEXT = re.compile(rf"\$({grammar.REQUEST_ID.pattern})(?:[/?#(].*)?", re.DOTALL)


def reserved_names(dialect: Dialect) -> frozenset[str]:
    """Return the names that are no identifiers behind a dollar sign, in a URL or an expression.

    OData 1 to 3 have no references in expressions, so that only system resources count there.
    """
    names = system_resources(dialect)
    return _RESERVED_NAMES if names is SYSTEM_RESOURCES else names


def etag_references(value: str) -> Iterator[str]:
    """Yield the identifiers in the value of If-Match or If-None-Match, where they have no quotes.

    A reference is the whole of a member of the list.

    entity-tag = [ "W/" ] DQUOTE *etagc DQUOTE                           RFC 9110, 8.8.3

    >>> list(etag_references('$1')), list(etag_references('"$1", W/"$2", $3'))
    (['1'], ['3'])
    """
    if "$" not in value:
        return
    for member in _QUOTED.sub('"', value).split(","):
        word = member.strip(" \t")
        if word[:1] == "$" and grammar.REQUEST_ID.fullmatch(word, 1):
            yield word[1:]


def query_references(url: str) -> Iterator[tuple[str, str]]:
    """Yield the identifiers in the query part of a URL, and the words that they begin.

    >>> list(query_references("$1/Orders?$filter=Total%20gt%20$2/Total&$top=5"))
    [('2', '$2/Total')]
    """
    query = url.partition("#")[0].partition("?")[2]
    for option in query.split("&") if "$" in query else ():
        name, equals, value = option.partition("=")
        if not equals:
            name, value = "", option
        if "$" in value and _option(name) not in _OPAQUE_OPTIONS:
            yield from expression_references(_decoded(value))


def expression_references(text: str) -> Iterator[tuple[str, str]]:
    """Yield the identifiers in an expression, such as the member `if`, and the words they begin.

    >>> list(expression_references("$1/$succeeded and $it/Name ne '$2'"))
    [('1', '$1/$succeeded')]
    """
    if "$" not in text:
        return
    if "\\" in text:
        text = _ESCAPED_QUOTE.sub("", text)
    for match in _TOKEN.finditer(text):
        word = match[0].lstrip("-")
        # A word before an equals sign names an option, as in `Orders($filter=Total gt 1)`.
        if word[:1] == "$" and not text.startswith("=", match.end()):
            id = word[1:].partition("/")[0]
            if grammar.REQUEST_ID.fullmatch(id) and id not in _LITERALS:
                yield id, word


def json_references(body: bytes, dialect: Dialect = ODATA_4_01) -> Iterator[tuple[str, str]]:
    """Yield the identifiers that strings of a JSON text begin with, and the strings.

    Member names are left out. A text that cannot be read has none.

    >>> list(json_references(b'{"Customer@odata.bind": "$1", "Price": "$ 2"}'))
    [('1', '$1')]
    """
    for _, id, text in _references_in_members(body, dialect):
        yield id, text


def json_bindings(body: bytes, dialect: Dialect = ODATA_4_01) -> Iterator[str]:
    """Yield the identifiers that members whose names say so refer to (OData JSON, 8.5).

    A string elsewhere may look like a reference and be a price.

    >>> list(json_bindings(b'{"Orders@odata.bind": ["$1", "$2/Orders"], "Price": "$3"}'))
    ['1', '2']
    """
    for name, id, _ in _references_in_members(body, dialect):
        if name.endswith(_BINDING_NAMES):
            yield id


_BINDING_NAMES = ("@odata.bind", "@bind", "@odata.id", "@id")


def _references_in_members(body: bytes, dialect: Dialect) -> Iterator[tuple[str, str, str]]:
    # Most bodies have no string that begins with a dollar sign, in either spelling.
    if b'"$' not in body and b'"\\u0024' not in body:
        return
    reserved = reserved_names(dialect)
    for name, text in _strings(body):
        match = _REFERENCE_TEXT.fullmatch(text)
        if match and match[1] not in reserved:
            yield name, match[1], text


def _option(name: str) -> str:
    """Return the name of a query option without what may be left out of it or spelt otherwise."""
    return _decoded(name).removeprefix("%24").removeprefix("$").lower()


def _decoded(text: str) -> str:
    if "%" not in text:
        return text
    return _ENCODED_ASCII.sub(lambda match: chr(int(match[1], 16)), text)


def _strings(body: bytes) -> Iterator[tuple[str, str]]:
    """Yield the strings of a JSON text, each behind the name of the member that it is in.

    Nothing is yielded of a text that cannot be read.
    """
    try:
        value: object = json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_Members,
            parse_int=_nothing,
            parse_float=_nothing,
            parse_constant=_refuse,
        )
    except (ValueError, RecursionError):
        return
    stack: list[Iterator[tuple[str, object]]] = [iter([("", value)])]
    while stack:
        for name, each in stack[-1]:
            if isinstance(each, _Members):
                stack.append(iter(each.pairs))
                break
            if isinstance(each, list):
                stack.append(zip(repeat(name), each, strict=False))
                break
            if isinstance(each, str):
                yield name, each
        else:
            stack.pop()


class _Members:
    """A JSON object, whose names may repeat."""

    def __init__(self, pairs: list[tuple[str, object]]) -> None:
        self.pairs = pairs


def _nothing(number: str) -> None:
    """Spend no time on numbers, which may be long."""


def _refuse(name: str) -> None:
    raise ValueError(f"JSON has no {name}")
