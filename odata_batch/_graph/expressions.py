"""What one operation refers to: in its URL, in expressions, in header fields, in JSON.

A reference is a dollar sign and a request identifier, as the whole first segment of a relative URL.
`$10` does not refer to `1`, and the names of system resources come before identifiers.

OData Protocol, 11.7.4 to 11.7.6. The texts come from anywhere: every pattern is linear, none
repeats a group, and nothing is parsed that holds no dollar sign.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from odata_batch._model import jsonvalue
from odata_batch._model.findings import of_type, public
from odata_batch._model.headers import names_of
from odata_batch._model.values import Operation
from odata_batch._wire import grammar
from odata_batch._wire.mediatype import parse_media_type
from odata_batch.dialects import ODATA_4_01, Dialect, check_dialect

# OData Protocol, 11.7.4: resources directly under the service root, without their dollar sign
SYSTEM_RESOURCES = frozenset(("all", "batch", "crossjoin", "entity", "id", "metadata", "root"))

# OData v3 URL Conventions, 2 and 3: all that OData 1 to 3 have
_OLD_SYSTEM_RESOURCES = frozenset(("batch", "metadata"))

# OData URL Conventions, 4.3 to 4.13, and links of OData 2: segments that follow a resource
_RESOURCE_SUFFIXES = frozenset(("count", "each", "filter", "links", "query", "ref", "value"))

# OData Protocol, 11.7.6: the literals that expressions begin with in the same way
_EXPRESSION_LITERALS = frozenset(("it", "root", "this"))
_RESERVED_NAMES = SYSTEM_RESOURCES | _EXPRESSION_LITERALS

# OData Data Aggregation, 3: what else begins with a dollar sign where an expression may begin
_LITERALS = _EXPRESSION_LITERALS | {"all", "count", "these"}

# OData URL Conventions, 5.1: query options whose values are no expressions
_OPAQUE_OPTIONS = frozenset(("deltatoken", "format", "schemaversion", "search", "skiptoken"))

_QUOTED = re.compile(r'"[^"]*"?')

# A string of OData, a string of JSON, or what is between them and punctuation; it is preceded
# by `_ESCAPED_QUOTE`, so that a quote ends a string.
_TOKEN = re.compile(r"""'[^']*'?|"[^"]*"?|[^\s'"()\[\]{},;:=!+&|*<>]+""")
_ESCAPED_QUOTE = re.compile(r'\\["\\]')

# What an expression may spell as a percent-encoding; a dollar sign is none then. RFC 3986, 2.2
_ENCODED_ASCII = re.compile("%(?!24)([0-7][0-9A-Fa-f])")

# A string of JSON without escapes, maybe a name, or what ends the members of an object
_JSON_STRING = re.compile(rb'"[^"]*"([ \t\r\n]*:)?|[{}]')
_JSON_ESCAPE = re.compile(rb"\\.", re.DOTALL)

# A string in a body that is a reference, or begins with one as a URL does
_REFERENCE_TEXT = re.compile(rf"\$({grammar.REQUEST_ID.pattern})(?:[/?#(].*)?", re.DOTALL)
_BINDING_NAMES = ("@odata.bind", "@bind", "@odata.id", "@id")

# The first segment that begins with "$", in an absolute URL or an absolute path
_ROOTED_REFERENCE = re.compile(
    rf"((?:{grammar.SCHEME.pattern}//[^/?#]*)?/(?:[^$/?#][^/?#]*/)*){grammar.DOLLAR_SEGMENT.pattern}"
)


Place: TypeAlias = Literal["url", "if-match", "if-none-match", "query", "condition", "body"]
_ETAG_FIELDS: tuple[Literal["if-match", "if-none-match"], ...] = ("if-match", "if-none-match")
ETAG_FIELDS = frozenset(_ETAG_FIELDS)

# OData Protocol, 11.7.4: what was read or updated by its own URL is what a reference to it means.
KNOWN_BY_URL = frozenset(("GET", "PUT", "PATCH", "MERGE"))


# -- a URL ----------------------------------------------------------------------------------------


def system_resources(dialect: Dialect) -> frozenset[str]:
    """Return the names that come before identifiers in the versions of OData that are supported."""
    if dialect.version_header == "DataServiceVersion":
        return _OLD_SYSTEM_RESOURCES
    return SYSTEM_RESOURCES


def referenced_id(url: str, dialect: Dialect = ODATA_4_01) -> str | None:
    """Return the identifier that the URL begins with, or `None` if it begins with none.

    >>> referenced_id("$1/Orders"), referenced_id("$10(1)"), referenced_id("$metadata")
    ('1', '10', None)
    """
    match = grammar.DOLLAR_SEGMENT.match(url)
    name = match and match[1]
    return None if not name or name in system_resources(dialect) else name


class UrlReference(NamedTuple):
    """A URL that begins with a reference, in three pieces; only the dollar sign is lost."""

    before: str
    """What may come before it: empty, or a service root in a dialect that allows it."""
    id: str
    """The request identifier."""
    after: str
    """The rest of the URL."""


def reference_in(url: str, dialect: Dialect = ODATA_4_01) -> UrlReference | None:
    """Return the reference that the URL is in this dialect, or `None` if it is not one.

    Which URL the service root has is not known here. Where a reference may follow it, the
    first segment that begins with a dollar sign is one, unless OData gives its name a meaning.

    >>> from odata_batch.dialects import SAP_BUSINESS_ONE
    >>> reference_in("/b1s/v1/$1/Lines", SAP_BUSINESS_ONE)
    UrlReference(before='/b1s/v1/', id='1', after='/Lines')
    >>> reference_in("/b1s/v1/$1/Lines")
    """
    if "$" not in url or dialect.references == "none":
        return None
    before = "/" if dialect.paths_from_service_root and url.startswith("/$") else ""
    id = referenced_id(url[len(before) :], dialect)
    if id is not None:
        return UrlReference(before, id, url[len(before) + 1 + len(id) :])
    found = _ROOTED_REFERENCE.match(url) if dialect.references == "rooted" else None
    name = "" if found is None else found[3]
    if found is None or not name or name in _RESOURCE_SUFFIXES or name in system_resources(dialect):
        return None
    return UrlReference(found[1], name, url[found.end() :])


# -- one operation ---------------------------------------------------------------------------------


@public
@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A reference to another request of the batch, as an operation makes it; see
    `find_references`.

    >>> find_references(Operation.get("$1/Orders"))
    (Reference(id='1', place='url', text='$1'),)
    """

    id: str
    """The request identifier, without the dollar sign."""
    place: Place
    """Where it is: in the first segment of the URL, in a field, in the query part of the URL, in
    the member `if`, or in the body."""
    text: str
    """The word or string that it begins; in a query, without percent-encodings."""


def find_references(
    operation: Operation, *, dialect: Dialect = ODATA_4_01
) -> tuple[Reference, ...]:
    """Return the references to other requests that an operation makes (OData Protocol, 11.7.4).

    - `operation`: the operation to look through.
    - `dialect`: the version or service that says where a URL may have references.

    The `place` of a reference is one of these:

    - "url": the first segment of a relative URL; `dialect` may allow more or less.
    - "if-match", "if-none-match": `$1`, or `$1` in a list; `"$1"` is an ETag (11.7.5).
    - "query", "condition": a word that begins with `$1`, is followed by nothing or a slash, and is
      in no string. Names of query options and literals such as `$it` come first (11.7.6).
    - "body": a string that is `$1` or begins with `$1/`, in JSON or a body of unknown type, which
      is parsed if it may have one. It may be a price: bodies are never rewritten.

    Nothing else is looked for: not in the path after the first segment, not in other fields, not
    in member names, not in bodies that cannot be read as JSON, and not `%241`. Whether the batch
    has such a request is not asked.

    >>> url = "$1/Orders?$filter=Total gt $2/Total and Name ne '$3'&$orderby=Name"
    >>> [(found.id, found.place) for found in find_references(Operation.get(url))]
    [('1', 'url'), ('2', 'query')]
    """
    check_dialect(dialect)
    of_type(operation, Operation, "operation")
    found = _references_in_body(operation, dialect)
    in_body = (Reference(id=each.id, place="body", text=each.text) for each in found)
    return (*references_outside_body(operation, dialect), *in_body)


def references_outside_body(operation: Operation, dialect: Dialect) -> Iterator[Reference]:
    """Yield what `find_references` returns except for what is in the body, at little cost."""
    url = operation.url
    if "$" in url:
        reference = reference_in(url, dialect)
        if reference is not None:
            yield Reference(id=reference.id, place="url", text=f"${reference.id}")
        for each in query_references(url):
            yield Reference(id=each.id, place="query", text=each.text)
    if not may_refer_outside_url(operation):
        return
    for place in _ETAG_FIELDS:
        for value in operation.headers.get_all(place):
            for id in etag_references(value):
                yield Reference(id=id, place=place, text=f"${id}")
    if operation.condition is not None:
        for each in expression_references(operation.condition):
            yield Reference(id=each.id, place="condition", text=each.text)


def may_refer_outside_url(operation: Operation) -> bool:
    """Tell, at less cost, whether there is a condition, or a dollar sign beside an entity tag."""
    if operation.condition is not None:
        return True
    for _, value in operation.headers.pairs:
        if "$" in value:
            return not ETAG_FIELDS.isdisjoint(names_of(operation.headers))
    return False


class Word(NamedTuple):
    """A reference in a text, and where it is."""

    id: str
    text: str
    start: int
    end: int
    name: str = ""
    """The query option or member of an object that it is in."""


def bindings(operation: Operation, dialect: Dialect) -> list[Word]:
    """Return the references in members whose names say so (OData JSON, 8.5), quotes included.

    A string elsewhere may look like a reference and be a price.
    """
    found = _references_in_body(operation, dialect)
    return [each for each in found if each.name.endswith(_BINDING_NAMES)]


def bindings_in(operation: Operation, dialect: Dialect = ODATA_4_01) -> list[str]:
    """Return the identifiers that such members refer to.

    >>> body = b'{"Orders@odata.bind": ["$1", "$2/Orders"], "Price": "$3"}'
    >>> bindings_in(Operation.post("Customers", body=body))
    ['1', '2']
    """
    return [each.id for each in bindings(operation, dialect)]


def _references_in_body(operation: Operation, dialect: Dialect) -> Iterator[Word]:
    """Yield the strings that begin with an identifier, and where they are, in octets.

    Member names are no strings here. A body that cannot be read as JSON has none.
    """
    # Most bodies have no string that begins with a dollar sign, in either spelling.
    body = operation.body
    if b'"$' not in body and b'"\\u0024' not in body:
        return
    content_type = operation.headers.get("content-type")
    if content_type is not None and not parse_media_type(content_type).is_json:
        return
    try:
        text = body.strip(b" \t\r\n").decode("utf-8")
        if jsonvalue.scan_extent(text, 0)[1] != len(text):
            return
    except jsonvalue.FAULTS:
        return
    reserved, name, outer = reserved_names(dialect), b'""', list[bytes]()
    for match in _JSON_STRING.finditer(_JSON_ESCAPE.sub(b"__", body) if b"\\" in body else body):
        start, end = match.span()
        if match[0] == b"{":
            outer.append(name)
            name = b'""'
        elif match[0] == b"}":
            name = outer.pop()
        elif match[1]:
            name = body[start : match.start(1)]
        elif body.startswith((b"$", b"\\u0024"), start + 1):
            found = _REFERENCE_TEXT.fullmatch(_text_of(body[start:end]))
            if found is not None and found[1] not in reserved:
                yield Word(found[1], found[0], start, end, _text_of(name))


# -- texts -----------------------------------------------------------------------------------------


def reserved_names(dialect: Dialect) -> frozenset[str]:
    """Return the names that are not identifiers after a dollar sign, in a URL or an expression.

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


def query_references(url: str) -> Iterator[Word]:
    """Yield the words in the query part of a URL that begin with an identifier.

    >>> list(query_references("$1/Orders?$filter=Total%20gt%20$2/Total&$top=5"))
    [Word(id='2', text='$2/Total', start=31, end=39, name='filter')]
    """
    path, _, query = url.partition("#")[0].partition("?")
    end = len(path)
    for option in query.split("&") if "$" in query else ():
        name, equals, value = option.partition("=")
        if not equals:
            name, value = "", option
        end += 1 + len(option)
        if "$" not in value:
            continue
        # The dollar sign before a name may be left out, or spelt otherwise.
        name = _decoded(name).removeprefix("%24").removeprefix("$").lower()
        if name in _OPAQUE_OPTIONS:
            continue
        start, escapes = end - len(value), _ENCODED_ASCII.finditer(value)
        # Each percent-encoding before a place in the decoded text has two characters more.
        before = [match.start() - 2 * index for index, match in enumerate(escapes)]
        for id, text, *places, _ in expression_references(_decoded(value)):
            first, last = (start + place + 2 * bisect_left(before, place) for place in places)
            yield Word(id, text, first, last, name)


def expression_references(text: str) -> Iterator[Word]:
    """Yield the words in an expression, such as the member `if`, that begin with an identifier.

    >>> list(expression_references("$1/$succeeded and $it/Name ne '$2'"))
    [Word(id='1', text='$1/$succeeded', start=0, end=13, name='')]
    """
    if "$" not in text:
        return
    if "\\" in text:
        text = _ESCAPED_QUOTE.sub(r"\\\\", text)  # as long as before
    for match in _TOKEN.finditer(text):
        word = match[0].lstrip("-")
        # A word before an equals sign names an option, as in `Orders($filter=Total gt 1)`.
        if word[:1] == "$" and not text.startswith("=", match.end()):
            id = word[1:].partition("/")[0]
            if grammar.REQUEST_ID.fullmatch(id) and id not in _LITERALS:
                yield Word(id, word, match.end() - len(word), match.end())


def _decoded(text: str) -> str:
    return _ENCODED_ASCII.sub(lambda match: chr(int(match[1], 16)), text)


def _text_of(octets: bytes) -> str:
    return str(jsonvalue.scan_value(octets.decode("utf-8"), 0)[0])
