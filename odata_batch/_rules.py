"""What the standards ask of a batch, one function per rule; values in, diagnostics out.

Decoders hand every item to `RequestRules` or `ResponseRules` as it is completed, and call `finish`
after the last; encoders do the same before they write. What can be known of an item alone, or of
it and those before it, is reported with it; what needs the rest of the batch is reported at the
end. All work is linear in the number of operations and dependencies.

Why this long: it is one catalogue, and each function is short.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Generic, Protocol, TypeAlias, TypeVar

from odata_batch import _grammar as grammar
from odata_batch._diagnostics import Diagnostic, Reporter, Rule, quote
from odata_batch._errors import exceed
from odata_batch._headers import SINGLE_FIELDS, Headers, Pair, Problem, folded
from odata_batch._http import KNOWN_METHODS
from odata_batch._limits import Limits
from odata_batch._model import (
    ChangeSet,
    ChangeSetResponse,
    Item,
    Operation,
    OperationResponse,
    RequestItem,
    ResponseItem,
)
from odata_batch._prepare import Format
from odata_batch._references import (
    EXPRESSION_LITERALS,
    SYSTEM_RESOURCES,
    is_batch_resource,
    referenced_id,
)
from odata_batch.dialects import Dialect

Say: TypeAlias = Callable[[Rule, str], None]
"""Reports a rule and a message about the item at hand."""
AnyChangeSet: TypeAlias = ChangeSet | ChangeSetResponse


@dataclass(frozen=True, slots=True)
class Scope:
    """What the rules are applied under."""

    format: Format
    dialect: Dialect
    limits: Limits
    report: Reporter
    sound_fields: set[Pair] = field(default_factory=set)
    """Fields that gave no reason for a finding; most stand in many operations."""


# How many fields are remembered, so that a unique ETag in each of many operations does no harm.
_REMEMBERED = 1024


# -- one message, read or to be written -----------------------------------------------------------


def check_url(item: Operation, scope: Scope, say: Say) -> None:
    """RFC 3986, 2 and the URL forms of OData Protocol, 11.7.7.1 and OData JSON, 19.1."""
    url = item.url
    if grammar.PLAIN_URL.fullmatch(url):
        return
    if not url:
        rule = Rule.JSON_URL_EMPTY if scope.format == "json" else Rule.REQUEST_LINE_SYNTAX
        say(rule, "the URL is empty")
    _check_url_characters(url, say)
    if url.startswith("//"):
        json = scope.format == "json"
        rule = Rule.JSON_URL_AUTHORITY if json else Rule.URL_AUTHORITY
        say(rule, f"URL {quote(url)} begins with two slashes")
    if "#" in url:
        say(Rule.URL_FRAGMENT, f"URL {quote(url)} has a fragment")
    if ":" in url:
        _check_url_colon(url, scope, say)


def _check_url_characters(url: str, say: Say) -> None:
    if grammar.URL.fullmatch(url):
        return
    if grammar.CONTROL_OR_TAB.search(url):
        say(Rule.CONTROL_CHARACTER, f"URL {quote(url)} has a control character")
    if "\\" in url:
        say(Rule.URL_BACKSLASH, f"URL {quote(url)} has a backslash")
    if " " in url:
        say(Rule.URL_BLANKS, f"URL {quote(url)} has blanks, expected %20")
    odd = grammar.URL_ODD_CHARACTER.search(url)
    if odd:
        say(Rule.URL_CHARACTERS, f"URL {quote(url)} has {odd[0]!r}, expected a percent-encoding")


def _check_url_colon(url: str, scope: Scope, say: Say) -> None:
    scheme = grammar.SCHEME.match(url)
    if scheme is not None:
        if scheme[1].lower() not in ("http", "https") or not url.startswith("//", scheme.end()):
            say(Rule.URL_SCHEME, f"URL {quote(url)} begins with {quote(scheme[0])}")
        elif scope.format == "json":
            say(Rule.JSON_URL_ABSOLUTE, f"URL {quote(url)} is absolute")
    elif ":" in url.partition("?")[0]:
        say(Rule.URL_COLON, f"URL {quote(url)} has a colon in its path, expected %3A")


def check_nested_batch(item: Operation, scope: Scope, say: Say) -> None:
    """OData Protocol, 11.7: an individual request is not a batch request."""
    if is_batch_resource(item.url):
        say(Rule.NESTED_BATCH, f"URL {quote(item.url)} names the batch resource")


def check_method(item: Operation, scope: Scope, say: Say) -> None:
    """OData Protocol, 11.7 and OData JSON, 19.1: the methods of a batch."""
    if item.method in scope.dialect.methods or not grammar.TOKEN.fullmatch(item.method):
        return
    rule = Rule.JSON_METHOD_UNKNOWN if scope.format == "json" else Rule.METHOD_UNKNOWN
    say(rule, f"found the method {quote(item.method)}")


def check_body_expected(item: Operation, scope: Scope, say: Say) -> None:
    """RFC 9110, 9.3.1, and OData JSON, 19.1 for DELETE, too."""
    if not item.body or item.method not in ("GET", "DELETE"):
        return
    message = f"found a body of {len(item.body)} octets with {quote(item.method)}"
    if scope.format == "json" and item.method in ("GET", "DELETE"):
        say(Rule.JSON_BODY_UNEXPECTED, message)
    elif item.method == "GET":
        say(Rule.BODY_UNEXPECTED, message)


def check_forbidden_headers(item: Operation, scope: Scope, say: Say) -> None:
    """OData Protocol, 11.7.7.1: what individual requests must not carry."""
    fields = folded(item.headers)
    if not scope.dialect.forbidden_headers.isdisjoint(fields):
        for name in fields:
            if name in scope.dialect.forbidden_headers:
                say(Rule.FORBIDDEN_HEADER, f"found the header {name}")


def check_transfer_encoding(item: Operation | OperationResponse, scope: Scope, say: Say) -> None:
    """OData Protocol, 11.7.7.1: a processor may refuse transfer codings, and this one does."""
    if "transfer-encoding" in folded(item.headers):
        value = quote(item.headers["transfer-encoding"])
        say(Rule.TRANSFER_ENCODING, f"found Transfer-Encoding {value}")


def check_version_header(item: Operation | OperationResponse, scope: Scope, say: Say) -> None:
    """OData Protocol, 8.1.5."""
    check_version(item.headers, say)


def check_version(headers: Headers, say: Say) -> None:
    """OData Protocol, 8.1.5, for the header section of any message."""
    fields = folded(headers)
    for name in ("odata-version", "odata-maxversion"):
        if name in fields and not grammar.VERSION.fullmatch(headers[name]):
            say(Rule.VERSION_HEADER, f"found {name} {quote(headers[name])}, as in '4.0' expected")


def check_content_type_present(item: Operation | OperationResponse, scope: Scope, say: Say) -> None:
    """OData Protocol, 8.1.1; OData JSON, 19.1 makes JSON the default."""
    if not item.body or "content-type" in folded(item.headers):
        return
    if scope.format == "multipart":
        message = f"a body of {len(item.body)} octets has no Content-Type"
        say(Rule.CONTENT_TYPE_MISSING, message)
    elif isinstance(item, Operation):
        say(Rule.JSON_CONTENT_TYPE_MISSING, "a body has no content-type; read as application/json")
    elif item.body.startswith(b'"'):
        say(Rule.JSON_STRING_BODY, f"the body {quote(item.body)} is read as a JSON string")


def check_body_forbidden(item: OperationResponse, scope: Scope, say: Say) -> None:
    """RFC 9110, 6.4.1."""
    if item.body and (item.status < 200 or item.status in (204, 304)):
        message = f"found a body of {len(item.body)} octets with status {item.status}"
        say(Rule.BODY_FORBIDDEN, message)


def check_id(item: Operation | OperationResponse, scope: Scope, say: Say) -> None:
    """OData Protocol, 11.7.3: the characters of an identifier, and names that are taken."""
    if item.id is None:
        return
    check_identifier(item.id, scope, item.position, say)
    if item.id in SYSTEM_RESOURCES or item.id in EXPRESSION_LITERALS:
        say(Rule.ID_UNREFERENCABLE, f"${item.id} is not a reference to id {quote(item.id)}")


def check_identifier(id: str, scope: Scope, position: int | None, say: Say) -> None:
    """OData Protocol, 11.7.3: request-id = 1*( unreserved )."""
    if len(id) > scope.limits.id:
        exceed(scope.report, scope.limits, "id", position)
    if not grammar.REQUEST_ID.fullmatch(id):
        say(Rule.ID_SYNTAX, f"found the id {quote(id)}, expected letters, digits and - . _ ~")


def check_group_name(item: AnyChangeSet, scope: Scope, say: Say) -> None:
    """OData JSON, 19.1: the name of an atomicity group is an identifier, too."""
    if item.id is not None:
        check_identifier(item.id, scope, item.position, say)


# -- one message that did not come off the wire as octets ------------------------------------------


def check_header_syntax(item: Operation | OperationResponse, scope: Scope, say: Say) -> None:
    """RFC 9110, 5: what a field line can carry."""
    pairs = item.headers.pairs
    if len(pairs) > scope.limits.fields:
        exceed(scope.report, scope.limits, "fields", item.position)
    octets = sum(map(len, chain.from_iterable(pairs))) + 4 * len(pairs) - 2
    if octets > scope.limits.header_section:
        exceed(scope.report, scope.limits, "header_section", item.position)
    for pair in pairs:
        if pair not in scope.sound_fields:
            _check_field(pair, item.position, scope, say)


def _check_field(pair: Pair, position: int | None, scope: Scope, say: Say) -> None:
    name, value = pair
    if len(name) + len(value) + 2 > scope.limits.field_line:
        exceed(scope.report, scope.limits, "field_line", position)
    problems = [*field_problems(name, value)]
    if value != value.strip(" \t"):
        # JSON carries the blanks; on a field line they would be lost.
        rule = Rule.HEADER_BLANKS if scope.format == "json" else Rule.NOT_EXPRESSIBLE
        message = f"header {quote(name)} has the value {quote(value)}, with a blank at an end"
        problems.append((rule, message))
    for rule, message in problems:
        say(rule, message)
    if not problems and len(scope.sound_fields) < _REMEMBERED:
        scope.sound_fields.add(pair)


def field_problems(name: str, value: str) -> Iterator[Problem]:
    """RFC 9110, 5: names are tokens, values are ISO-8859-1 and have no controls."""
    if not grammar.TOKEN.fullmatch(name):
        yield Rule.HEADER_SYNTAX, f"found the header name {quote(name)}, expected a token"
    if value.isascii() and value.isprintable():
        return
    found = f"header {quote(name)} has the value {quote(value)}"
    if grammar.CONTROL.search(value):
        yield Rule.CONTROL_CHARACTER, f"{found}, with a control character"
    if not grammar.LATIN_1.fullmatch(value):
        yield Rule.HEADER_CHARACTERS, f"{found}, not in ISO-8859-1"


def check_repeated_headers(item: Operation | OperationResponse, scope: Scope, say: Say) -> None:
    """RFC 9110, 5.3: fields that have one value."""
    fields = folded(item.headers)
    if len(fields) == len(item.headers.pairs):
        return
    longest = max(len(name) + len(", ".join(values)) + 2 for name, values in fields.items())
    if scope.format == "json" and longest > scope.limits.field_line:
        exceed(scope.report, scope.limits, "field_line", item.position)
    for name in sorted(SINGLE_FIELDS & item.headers.keys()):
        values = item.headers.get_all(name)
        if len(set(values)) > 1:
            message = f"{name} has the values {quote(values[0])} and {quote(values[1])}"
            say(Rule.REPEATED_HEADER, message)


def check_method_syntax(item: Operation, scope: Scope, say: Say) -> None:
    """RFC 9110, 9.1."""
    if not grammar.TOKEN.fullmatch(item.method):
        say(Rule.METHOD_SYNTAX, f"found the method {quote(item.method)}, expected a token")


# -- one message that is to be written -------------------------------------------------------------


def check_method_case(item: Operation, scope: Scope, say: Say) -> None:
    """Decoding reads known methods as upper case, so that is how they are written."""
    upper = item.method.upper()
    if item.method != upper and upper in KNOWN_METHODS:
        say(Rule.METHOD_SYNTAX, f"found the method {quote(item.method)}, expected {quote(upper)}")


def check_status(item: OperationResponse, scope: Scope, say: Say) -> None:
    """RFC 9110, 15."""
    if not 100 <= item.status <= 599:
        rule = Rule.JSON_STATUS if scope.format == "json" else Rule.STATUS_LINE_SYNTAX
        say(rule, f"found the status {item.status}, expected 100 to 599")


def check_reason(item: OperationResponse, scope: Scope, say: Say) -> None:
    """RFC 9112, 4: a reason phrase fits on its line."""
    if item.reason is None or scope.format == "json":
        return
    if grammar.CONTROL_OR_TAB.search(item.reason):
        message = f"the reason phrase {quote(item.reason)} has a control character"
        say(Rule.CONTROL_CHARACTER, message)
    if not grammar.LATIN_1.fullmatch(item.reason):
        say(Rule.HEADER_CHARACTERS, f"the reason phrase {quote(item.reason)} is not ISO-8859-1")


def check_content_length(item: Operation | OperationResponse, scope: Scope, say: Say) -> None:
    """RFC 9112, 6.3; JSON does not carry the field."""
    if scope.format == "json":
        return
    for value in folded(item.headers).get("content-length", ()):
        # What decoding leaves in the body behind the claimed length is written again as it was.
        rest = item.body.endswith(b"\r\n") and value == str(len(item.body) - 2)
        if value != str(len(item.body)) and not rest:
            message = f"Content-Length is {quote(value)}, the body has {len(item.body)} octets"
            say(Rule.CONTENT_LENGTH_MISMATCH, message)


def check_content_id_header(item: Operation | OperationResponse, scope: Scope, say: Say) -> None:
    """The identifier is written as Content-ID; a header that says otherwise would be read back."""
    if scope.format == "json":
        return
    for value in folded(item.headers).get("content-id", ()):
        if value != item.id:
            message = f"header Content-ID is {quote(value)}, the id is {item.id!r:.60}"
            say(Rule.CONTENT_ID_CONFLICT, message)


def check_sizes(item: Operation | OperationResponse, scope: Scope, say: Say) -> None:
    """What is written can be read back under the same limits."""
    limits = scope.limits
    if len(item.body) > limits.body:
        exceed(scope.report, limits, "body", item.position)
    if isinstance(item, Operation) and len(item.url) > limits.url:
        exceed(scope.report, limits, "url", item.position)


def check_not_empty(item: AnyChangeSet, scope: Scope, say: Say) -> None:
    """OData v3 Batch Processing, 2.2: one or more operations."""
    if not item.items:
        say(Rule.EMPTY_CHANGE_SET, "found a change set without operations")


_Message = TypeVar("_Message", Operation, OperationResponse)
_Contra = TypeVar("_Contra", contravariant=True)


@dataclass(frozen=True, slots=True)
class MessageRules(Generic[_Message]):
    """The rules for one message: those that look at the whole of it, and at its headers alone;
    and the rules for a change set."""

    message: tuple[Callable[[_Message, Scope, Say], None], ...]
    headers: tuple[Callable[[_Message, Scope, Say], None], ...]
    change_set: tuple[Callable[[AnyChangeSet, Scope, Say], None], ...] = (check_group_name,)


_READ_OPERATION = (
    check_url,
    check_nested_batch,
    check_method,
    check_body_expected,
    check_content_type_present,
    check_id,
)
_READ_RESPONSE = (check_content_type_present, check_body_forbidden, check_id)
_OPERATION_HEADERS = (check_forbidden_headers, check_transfer_encoding, check_version_header)
_RESPONSE_HEADERS = (check_transfer_encoding, check_version_header)
_HEADER_SYNTAX = (check_header_syntax, check_repeated_headers)
_WRITE = (check_content_length, check_content_id_header, check_sizes)

READ_OPERATION: MessageRules[Operation] = MessageRules(_READ_OPERATION, _OPERATION_HEADERS)
READ_JSON_OPERATION: MessageRules[Operation] = MessageRules(
    (*_READ_OPERATION, check_method_syntax), (*_OPERATION_HEADERS, *_HEADER_SYNTAX)
)
WRITE_OPERATION: MessageRules[Operation] = MessageRules(
    (*_READ_OPERATION, check_method_syntax, check_method_case, *_WRITE),
    (*_OPERATION_HEADERS, *_HEADER_SYNTAX),
    (check_group_name, check_not_empty),
)
READ_RESPONSE: MessageRules[OperationResponse] = MessageRules(_READ_RESPONSE, _RESPONSE_HEADERS)
READ_JSON_RESPONSE: MessageRules[OperationResponse] = MessageRules(
    _READ_RESPONSE, (*_RESPONSE_HEADERS, *_HEADER_SYNTAX)
)
WRITE_RESPONSE: MessageRules[OperationResponse] = MessageRules(
    (*_READ_RESPONSE, check_status, check_reason, *_WRITE),
    (*_RESPONSE_HEADERS, *_HEADER_SYNTAX),
    (check_group_name, check_not_empty),
)


# -- the batch as a whole --------------------------------------------------------------------------


class _Walk:
    """Where in the batch the rules are: what is counted, and the path of the item at hand."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self._indexes: list[int] = []
        self._position: int | None = None
        self._operations = 0
        self._change_sets = 0
        self._said = 0
        self._sound_headers: dict[int, Headers] = {}

    def say(self, rule: Rule, message: str) -> None:
        self._said += 1
        self.scope.report(Diagnostic(rule, message, self._position, path_of(self._indexes)))

    def _enter(self, indexes: list[int], position: int | None) -> None:
        self._indexes = indexes
        self._position = position

    def _check_message(self, item: _Message, rules: MessageRules[_Message]) -> None:
        scope, say = self.scope, self.say
        for rule in rules.message:
            rule(item, scope, say)
        # Many messages share their headers, the same object; what is sound is checked once.
        key = id(item.headers)
        if key in self._sound_headers:
            return
        said = self._said
        for rule in rules.headers:
            rule(item, scope, say)
        if self._said == said and len(self._sound_headers) < _REMEMBERED:
            # The entry holds the object, so that its id() cannot become another's.
            self._sound_headers[key] = item.headers

    def _count(self, operations: int, change_sets: int) -> None:
        """Count an item; a change set holds so many operations."""
        limits = self.scope.limits
        self._operations += operations
        self._change_sets += change_sets
        if change_sets and operations > limits.change_set_operations:
            exceed(self.scope.report, limits, "change_set_operations", self._position)
        if self._operations > limits.operations or self._change_sets > limits.operations:
            exceed(self.scope.report, limits, "operations", self._position)


def depth_of(item: Item) -> int:
    """Return how deep change sets nest; values may nest deeper than the interpreter's stack."""
    depth = 0
    level = [item]
    while level := [inner for outer in level if isinstance(outer, _SETS) for inner in outer.items]:
        depth += 1
    return depth


_SETS = (ChangeSet, ChangeSetResponse)


def path_of(indexes: list[int]) -> str:
    """Return the path of the item with these indexes, as in `items[2].items[0]`."""
    return ".".join(f"items[{index}]" for index in indexes)


@dataclass(frozen=True, slots=True)
class _Known:
    """An operation that has an id: where it stands, and in which change set."""

    position: int | None
    change_set: int | None


@dataclass(frozen=True, slots=True)
class _Pending:
    """A name that was not known when it was used."""

    name: str
    change_set: int | None
    indexes: list[int]
    position: int | None
    unknown: Rule
    forward: Rule


class Rules(Protocol[_Contra]):
    """What decoding and encoding need of the rules, whatever the role."""

    def check(self, item: _Contra, index: int) -> None:
        """Check an item, whose index is given."""

    def finish(self) -> None:
        """Check what needs the whole batch."""


class RequestRules(_Walk):
    """Applies the rules to the items of one batch request, in order."""

    def __init__(self, scope: Scope, rules: MessageRules[Operation]) -> None:
        super().__init__(scope)
        self._rules = rules
        self._known: dict[tuple[int | None, str], _Known] = {}
        self._anywhere: dict[str, _Known] = {}
        self._groups: dict[str, int] = {}
        self._group_names: dict[int, str] = {}
        self._dependencies = 0
        self._pending: list[_Pending] = []

    def check(self, item: RequestItem, index: int) -> None:
        """Check the item, whose index among the items of the batch is given."""
        if isinstance(item, ChangeSet):
            self._enter([index], item.position)
            self._count(len(item.operations()), 1)
            self._check_change_set(item, [index], index)
        else:
            self._enter([index], item.position)
            self._count(1, 0)
            self._check_operation(item, [index], None)

    def finish(self) -> None:
        """Report the names that the whole batch does not hold, or only further on."""
        for pending in self._pending:
            self._enter(pending.indexes, pending.position)
            target = self._find(pending.name, pending.change_set)
            is_group = pending.unknown is Rule.DEPENDS_ON_UNKNOWN and pending.name in self._groups
            if target is None and not is_group:
                self.say(pending.unknown, f"no request has the id {quote(pending.name)}")
            elif target is None or not _comes_before(target.position, pending.position):
                self.say(pending.forward, f"{quote(pending.name)} comes later in the batch")

    def _check_change_set(self, item: ChangeSet, indexes: list[int], change_set: int) -> None:
        self._enter(indexes, item.position)
        for rule in self._rules.change_set:
            rule(item, self.scope, self.say)
        for index, inner in enumerate(item.items):
            path = [*indexes, index]
            if isinstance(inner, ChangeSet):
                self._check_change_set(inner, path, change_set)
            else:
                self._check_operation(inner, path, change_set, item.id)
        self._enter(indexes, item.position)
        if item.id is not None:
            self._register_group(item.id, change_set)

    def _check_operation(
        self,
        item: Operation,
        indexes: list[int],
        change_set: int | None,
        group: str | None = None,
    ) -> None:
        self._enter(indexes, item.position)
        self._check_message(item, self._rules)
        if change_set is not None and self.scope.format == "multipart":
            self._check_member(item)
        if item.depends_on:
            self._check_dependencies(item, change_set, group)
        reference = referenced_id(item.url)
        if reference is not None:
            self._check_reference(reference, item, change_set)
        if item.id is not None:
            self._register(item.id, change_set)

    def _check_member(self, item: Operation) -> None:
        if item.method == "GET":
            self.say(Rule.GET_IN_CHANGE_SET, f"found GET {quote(item.url)} in a change set")
        if item.id is None:
            message = f"{item.method} {quote(item.url)} in a change set has no Content-ID"
            self.say(Rule.CONTENT_ID_MISSING, message)

    def _find(self, name: str, change_set: int | None) -> _Known | None:
        """Find an operation by its id, in the same change set first."""
        return self._known.get((change_set, name)) or self._anywhere.get(name)

    def _register(self, id: str, change_set: int | None) -> None:
        first = self._find(id, change_set)
        if first is not None:
            where = "" if first.position is None else f", first at byte {first.position}"
            apart = None not in (first.change_set, change_set) and first.change_set != change_set
            apart = apart and self.scope.format == "multipart"
            rule = Rule.DUPLICATE_ID_ACROSS_CHANGE_SETS if apart else Rule.DUPLICATE_ID
            self.say(rule, f"the id {quote(id)} is used twice{where}")
        elif id in self._groups:
            self.say(Rule.ID_EQUALS_GROUP, f"the id {quote(id)} is also the name of a group")
        known = _Known(self._position, change_set)
        self._known.setdefault((change_set, id), known)
        self._anywhere.setdefault(id, known)

    def _register_group(self, name: str, change_set: int) -> None:
        if name in self._groups:
            self.say(Rule.DUPLICATE_ID, f"the group name {quote(name)} is used twice")
        elif name in self._anywhere:
            self.say(Rule.ID_EQUALS_GROUP, f"the group name {quote(name)} is also an id")
        self._groups[name] = change_set
        self._group_names[change_set] = name

    def _check_dependencies(
        self, item: Operation, change_set: int | None, group: str | None
    ) -> None:
        self._dependencies += len(item.depends_on)
        if self._dependencies > self.scope.limits.depends_on:
            exceed(self.scope.report, self.scope.limits, "depends_on", self._position)
        for name in dict.fromkeys(item.depends_on):
            if name == item.id:
                self.say(Rule.DEPENDS_ON_SELF, f"{quote(name)} depends on itself")
            elif name == group:
                self.say(Rule.DEPENDS_ON_OWN_GROUP, f"depends on its own group {quote(name)}")
            elif name not in self._groups:
                self._check_dependency(name, item, change_set)

    def _check_dependency(self, name: str, item: Operation, change_set: int | None) -> None:
        target = self._find(name, change_set)
        if target is None:
            self._suspend(name, change_set, Rule.DEPENDS_ON_UNKNOWN, Rule.DEPENDS_ON_FORWARD)
            return
        other = target.change_set
        needed = None if other is None or other == change_set else self._group_names.get(other)
        if needed is not None and needed not in item.depends_on:
            message = f"depends on {quote(name)}, but not on its group {quote(needed)}"
            self.say(Rule.DEPENDS_ON_GROUP_MISSING, message)

    def _check_reference(self, name: str, item: Operation, change_set: int | None) -> None:
        if name == item.id:
            self.say(Rule.REFERENCE_FORWARD, f"URL {quote(item.url)} refers to the request itself")
            return
        if self.scope.format == "json" and name not in item.depends_on:
            message = f"URL {quote(item.url)} refers to {quote(name)}, dependsOn does not name it"
            self.say(Rule.REFERENCE_DEPENDENCY_MISSING, message)
        target = self._find(name, change_set)
        if target is None:
            self._suspend(name, change_set, Rule.REFERENCE_UNKNOWN, Rule.REFERENCE_FORWARD)
        elif target.change_set not in (None, change_set) and self.scope.format == "multipart":
            message = f"URL {quote(item.url)} refers to a request in another change set"
            self.say(Rule.REFERENCE_ACROSS_CHANGE_SETS, message)

    def _suspend(self, name: str, change_set: int | None, unknown: Rule, forward: Rule) -> None:
        place = (self._indexes, self._position)
        self._pending.append(_Pending(name, change_set, *place, unknown, forward))


def _comes_before(first: int | None, second: int | None) -> bool:
    """Tell whether the payload says so; a group that is split is collected at its first member."""
    return first is not None and second is not None and first < second


class ResponseRules(_Walk):
    """Applies the rules to the items of one batch response, in order."""

    def __init__(self, scope: Scope, rules: MessageRules[OperationResponse]) -> None:
        super().__init__(scope)
        self._rules = rules
        self._ids: set[str] = set()
        self._groups: set[str] = set()

    def check(self, item: ResponseItem, index: int) -> None:
        """Check the item, whose index among the items of the batch is given."""
        self._enter([index], item.position)
        if isinstance(item, ChangeSetResponse):
            self._count(len(item.responses()), 1)
            self._check_change_set(item, [index])
        else:
            self._count(1, 0)
            self._check_response(item, [index])

    def finish(self) -> None:
        """Nothing in a response refers to what comes later."""

    def _check_change_set(self, item: ChangeSetResponse, indexes: list[int]) -> None:
        self._enter(indexes, item.position)
        for rule in self._rules.change_set:
            rule(item, self.scope, self.say)
        if item.id is not None and item.id in self._groups:
            self.say(Rule.DUPLICATE_ID, f"the group name {quote(item.id)} is used twice")
        elif item.id is not None:
            self._groups.add(item.id)
        for index, inner in enumerate(item.items):
            path = [*indexes, index]
            if isinstance(inner, ChangeSetResponse):
                self._check_change_set(inner, path)
            else:
                self._check_response(inner, path)

    def _check_response(self, item: OperationResponse, indexes: list[int]) -> None:
        self._enter(indexes, item.position)
        self._check_message(item, self._rules)
        if item.id is not None:
            if item.id in self._ids:
                message = f"the id {quote(item.id)} is answered twice"
                self.say(Rule.DUPLICATE_RESPONSE_ID, message)
            self._ids.add(item.id)


# -- the outer message -----------------------------------------------------------------------------


def check_outer_request(headers: Headers, say: Say) -> None:
    """OData Protocol, 8.2: what the header section of a batch request may hold."""
    check_version(headers, say)
    for name in ("if-match", "if-none-match"):
        if name in headers:
            message = f"the batch request has {name} {quote(headers[name])}"
            say(Rule.OUTER_PRECONDITION, message)
    if "x-http-method" in headers:
        value = quote(headers["x-http-method"])
        say(Rule.METHOD_TUNNEL, f"the batch request has X-HTTP-Method {value}")
    for name, _ in preferences(headers):
        if name.removeprefix("odata.") in ("maxpagesize", "track-changes", "return"):
            say(Rule.OUTER_PREFERENCE, f"the batch request has the preference {quote(name)}")


def check_outer_response(headers: Headers, say: Say) -> None:
    """OData Protocol, 8.3: what the header section of a batch response may hold."""
    check_version(headers, say)
    for name in ("etag", "location", "odata-entityid"):
        if name in headers:
            say(Rule.OUTER_RESPONSE_HEADER, f"the batch response has the header {name}")
    result = headers.get("asyncresult")
    if result is not None and not grammar.STATUS.fullmatch(result):
        message = f"AsyncResult is {quote(result)}, expected a status code of three digits"
        say(Rule.ASYNC_RESULT, message)


def preferences(headers: Headers) -> list[tuple[str, str]]:
    """Return the preferences of all Prefer fields, names in lower case (RFC 7240, 2)."""
    found = []
    for value in headers.get_all("prefer"):
        for match in grammar.PREFERENCE.finditer(value):
            text = match[3] if match[2] is None else grammar.QUOTED_PAIR.sub(r"\1", match[2])
            found.append((match[1].lower(), text or ""))
    return found


def continue_on_error(headers: Headers, say: Say) -> bool | None:
    """Return the preference of that name, the first where it is repeated (OData Protocol, 8.2.8.3).

    Without a prefix it wins over `odata.continue-on-error`; without a value it is true.
    """
    found = preferences(headers)
    for wanted in ("continue-on-error", "odata.continue-on-error"):
        for name, value in found:
            if name != wanted:
                continue
            if value.lower() in ("", "true", "false"):
                return value.lower() != "false"
            say(Rule.PREFERENCE_VALUE, f"{name} is {quote(value)}, expected true or false")
            return None
    return None
