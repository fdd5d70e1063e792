"""What one service refuses, or silently does otherwise, though the standard allows it.

What a service takes is in the fields of its `Dialect`, each with its source there; here is one
function for each rule about one operation, and `ServiceRules` for those that count and compare. As
the dialects of the standard ask nothing of the kind, `service_rules` then returns `None`, and their
batches pay nothing. A finding is made where a batch goes too far, at the item that does, so that it
has a place; work is linear in the number of operations and dependencies.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from operator import attrgetter

from odata_batch._checks.messages import Say, Scope, preferences
from odata_batch._graph.names import Names
from odata_batch._graph.urls import referenced_id
from odata_batch._model.dialect import Dialect
from odata_batch._model.findings import quote
from odata_batch._model.headers import Headers
from odata_batch._model.rules import Rule
from odata_batch._model.values import Operation
from odata_batch._wire import grammar
from odata_batch._wire.sections import parse_media_type
from odata_batch.dialects import ODATA_4_01

_READING = frozenset(("GET", "HEAD"))

# -- one operation ---------------------------------------------------------------------------------


def check_url_form(item: Operation, scope: Scope, say: Say) -> None:
    """The forms of URL that a service understands; a reference is none of them."""
    dialect, url = scope.dialect, item.url
    form = _form_of(url)
    if form in dialect.url_forms or _is_reference(url, dialect):
        return
    within = _within_service(url, dialect) if form == "absolute" else None
    if within is None:
        mended = f"expected {' or '.join(sorted(dialect.url_forms))}"
    else:  # whether the host is one of the service is not known here
        mended = f"expected a relative one, as in {quote(within)}"
    what = "is a path" if form == "path" else f"is {form}"
    say(Rule.URL_FORM, f"URL {quote(url)} {what}, which {dialect.name} does not take; {mended}")


def _is_reference(url: str, dialect: Dialect) -> bool:
    relative = url.removeprefix("/") if dialect.paths_from_service_root else url
    return referenced_id(relative) is not None


def _form_of(url: str) -> str:
    if url.startswith("/"):
        return "path"
    return "absolute" if grammar.AUTHORITY.match(url) else "relative"


def _within_service(url: str, dialect: Dialect) -> str | None:
    """Return an absolute URL without authority and root segment; `None` if no segment is left."""
    path = grammar.AUTHORITY.sub("", url, count=1)
    segment = _first_segment(path)
    if _is_root_segment(segment, dialect):
        path = path[len(segment) + 1 :]
    if not _first_segment(path):
        return None
    return path if "path" in dialect.url_forms else path.removeprefix("/")


def _is_root_segment(segment: str, dialect: Dialect) -> bool:
    return segment.lower() in {each.lower() for each in dialect.root_segments}


def _first_segment(url: str) -> str:
    """Return the first segment of a path or relative URL."""
    return url.removeprefix("/").partition("?")[0].partition("#")[0].partition("/")[0]


def check_root_segment(item: Operation, scope: Scope, say: Say) -> None:
    """First segments that belong to the URL of the batch, such as the version of a service."""
    segment = _first_segment(item.url)
    if _is_root_segment(segment, scope.dialect):
        rest = item.url.removeprefix("/")[len(segment) :]
        mended = f"write {quote(rest)}" if _first_segment(rest) else "expected a URL below it"
        found = f"URL {quote(item.url)} begins with {segment}"
        belongs = f"which for {scope.dialect.name} belongs to the URL of the batch"
        say(Rule.URL_ROOT_SEGMENT, f"{found}, {belongs}; {mended}")


def check_reference_support(item: Operation, scope: Scope, say: Say) -> None:
    """References, to a service that resolves none."""
    if scope.dialect.references == "none" and _is_reference(item.url, scope.dialect):
        found = f"URL {quote(item.url)} is a reference, which {scope.dialect.name} does not resolve"
        mended = "send it in a later batch, with the URL that the other request returned"
        say(Rule.REFERENCE_NOT_SUPPORTED, f"{found}; {mended}")


def check_structured_body(item: Operation, scope: Scope, say: Say) -> None:
    """Bodies in JSON batches, to a service that reads JSON objects and arrays alone."""
    if scope.dialect.json_bodies != "structured" or scope.format != "json" or not item.body:
        return
    content_type = item.headers.get("content-type")
    if content_type is not None and not parse_media_type(content_type).is_json:
        found = f"the body is {quote(content_type)}, not JSON"
    elif item.body.lstrip(b" \t\r\n")[:1] in (b"{", b"["):
        return
    else:
        found = f"the body {quote(item.body)} is not a JSON object or array"
    message = f"{found}; {scope.dialect.name} takes it outside of batches only"
    say(Rule.JSON_BODY_NOT_STRUCTURED, message)


SERVICE_OPERATION: tuple[Callable[[Operation, Scope, Say], None], ...] = (
    check_url_form,
    check_root_segment,
    check_reference_support,
    check_structured_body,
)

# -- the items of a batch --------------------------------------------------------------------------

_asked = attrgetter(
    "operations",
    "change_sets",
    "change_set_operations",
    "url_forms",
    "root_segments",
    "references",
    "ids_ignore_case",
    "dependencies",
    "transactions",
    "atomicity_groups",
    "json_bodies",
)


def service_rules(scope: Scope, say: Say, names: Names) -> ServiceRules | None:
    """Return the rules for the operations of a batch; `None` if the dialect has none."""
    if _asked(scope.dialect) == _asked(ODATA_4_01):
        return None
    return ServiceRules(scope, say, names)


class ServiceRules:
    """Applies the rules to the operations of one batch request, in order."""

    def __init__(self, scope: Scope, say: Say, names: Names) -> None:
        self._scope = scope
        self._say = say
        self._names = names
        self._operations = 0
        self._change_sets = 0
        self._change_set: int | None = None
        self._members = 0
        self._query_first = False
        self._entities: set[str] = set()
        self._dependencies = _Dependencies()

    def operation(self, item: Operation, source: int) -> None:
        """Check the operation that has this index in the index of names."""
        change_set = self._names.change_set(source)
        for rule in SERVICE_OPERATION:
            rule(item, self._scope, self._say)
        self._count(change_set)
        transactions = self._scope.dialect.transactions
        if transactions != "optional":
            self._check_write(item, change_set)
        if transactions == "single":
            self._check_query(item, change_set)
            self._check_entity(item, change_set)
        if self._scope.dialect.dependencies != "any":
            self._check_dependencies(item, source)
        if item.id is not None:
            first = self._names.operations[self._names.named(item.id)[0]].id
            if first != item.id:
                found = f"the ids {quote(first or '')} and {quote(item.id)} differ in case alone"
                name = self._scope.dialect.name
                self._say(Rule.ID_CASE_IGNORED, f"{found}, which {name} ignores")

    def _count(self, change_set: int | None) -> None:
        dialect = self._scope.dialect
        self._operations += 1
        if self._operations - 1 == dialect.operations:
            limit = _number(dialect.operations, "operation")
            message = f"{dialect.name} takes {limit}; split the batch"
            self._say(Rule.TOO_MANY_OPERATIONS, message)
        if change_set is None:
            return
        if change_set != self._change_set:
            self._change_set = change_set
            self._members = 0
            self._change_sets += 1
            if self._change_sets - 1 == dialect.change_sets:
                limit = _number(dialect.change_sets, "change set")
                message = f"{dialect.name} takes {limit}; split the batch"
                self._say(Rule.TOO_MANY_CHANGE_SETS, message)
        self._members += 1
        self._check_members()

    def _check_members(self) -> None:
        dialect = self._scope.dialect
        if self._members - 1 == dialect.change_set_operations:
            limit = _number(dialect.change_set_operations, "operation")
            message = f"{dialect.name} takes {limit} in a change set"
            self._say(Rule.CHANGE_SET_TOO_LARGE, message)
        if self._members == 2 and not dialect.atomicity_groups:
            found = f"{dialect.name} does not execute the operations of a change set as one"
            message = f"{found}: what succeeded stays when another fails; send each on its own"
            self._say(Rule.ATOMICITY_IGNORED, message)

    def _check_write(self, item: Operation, change_set: int | None) -> None:
        if change_set is None and item.method not in _READING:
            found = f"{item.method} {quote(item.url)} is in no change set"
            message = f"{found}; {self._scope.dialect.name} wants one around what changes data"
            self._say(Rule.WRITE_OUTSIDE_CHANGE_SET, message)

    def _check_query(self, item: Operation, change_set: int | None) -> None:
        is_query = change_set is None and item.method in _READING
        if self._operations == 1:
            self._query_first = is_query
        elif is_query or (self._query_first and self._operations == 2):
            message = f"a query is the only operation of a batch for {self._scope.dialect.name}"
            self._say(Rule.QUERY_NOT_ALONE, message)

    def _check_entity(self, item: Operation, change_set: int | None) -> None:
        if change_set is None or item.method == "POST":  # the URL of a new entity is not known
            return
        entity = _entity_of(item.url)
        if entity in self._entities:
            found = f"{item.method} {quote(item.url)} is the second operation on this entity"
            message = f"{found}; {self._scope.dialect.name} takes one"
            self._say(Rule.ENTITY_TWICE, message)
        self._entities.add(entity)

    def _check_dependencies(self, item: Operation, source: int) -> None:
        # A name that is no id so far is a group's, or wrong, which is found elsewhere.
        firsts = (self._names.named(name)[:1] for name in item.depends_on)
        targets = {first for named in firsts for first in named if first < source}
        if item.depends_on and not targets:
            return
        uniform = self._dependencies.uniform
        own = source if item.id is None else self._names.named(item.id)[0]
        self._dependencies.add(targets, own)
        if uniform and not self._dependencies.uniform:
            found = f"{item.method} {quote(item.url)} depends on others in another way than before"
            mended = "let each depend on the one before, or all others on one, or none on any"
            name = self._scope.dialect.name
            self._say(Rule.DEPENDENCIES_MIXED, f"{found}; for {name}, {mended}")


# What stands between commas, those in quotes aside: keys of OData URL Conventions, 4.3.1. Each
# repetition takes what it can, so that it is linear.
_KEY = re.compile(r"(?:[^',]|'[^']*'?)+")


def _entity_of(url: str) -> str:
    """Return what the URLs of one entity share: no query, the host in lower case, sorted keys."""
    path = url.partition("?")[0].partition("#")[0]
    authority = grammar.AUTHORITY.match(path)
    end = authority.end() if authority else 0
    path = path[:end].lower() + path[end:]
    resource, _, keys = path.partition("(")
    if not keys.endswith(")"):
        return path
    return f"{resource}({','.join(sorted(_KEY.findall(keys[:-1])))})"


def _number(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


class _Dependencies:
    """Which uniform patterns the dependencies of the requests so far follow."""

    def __init__(self) -> None:
        self._parallel = True
        self._serial = True
        self._shared: set[int] = set()
        self._independent: set[int] = set()
        self._previous: int | None = None
        self._started = False

    @property
    def uniform(self) -> bool:
        """Whether none depends on any, each on the one before, or all others on the same one."""
        same = len(self._shared) == 1 and self._independent <= self._shared
        return self._parallel or self._serial or same

    def add(self, targets: set[int], source: int) -> None:
        """Take the next request, which depends on these."""
        self._parallel = self._parallel and not targets
        self._serial = self._serial and (self._previous in targets or not self._started)
        self._shared |= targets
        if not targets:
            self._independent.add(source)
        self._previous = source
        self._started = True


# -- the batch as it is sent -----------------------------------------------------------------------


def check_format_spoken(scope: Scope, say: Say) -> None:
    """The formats of batch that a service speaks."""
    dialect = scope.dialect
    if scope.format not in dialect.formats:
        spoken = " and ".join(sorted(dialect.formats)) or "none"
        say(Rule.FORMAT_NOT_SPOKEN, f"the batch is {scope.format}, {dialect.name} speaks {spoken}")


def check_payload(length: int, scope: Scope, say: Say) -> None:
    """How many octets a batch has that a service takes."""
    payload = scope.dialect.payload
    if payload is not None and length > payload:
        name = scope.dialect.name
        message = f"the batch has {length} octets, {name} takes {payload}; split the batch"
        say(Rule.PAYLOAD_TOO_LARGE, message)


def check_preference_prefix(headers: Headers, dialect: Dialect, say: Say) -> None:
    """OData Protocol, 8.2.8.3: until 4.0 the preference has its prefix only."""
    if not dialect.preference_prefix:
        return
    names = [name for name, _ in preferences(headers)]
    if "continue-on-error" in names and "odata.continue-on-error" not in names:
        message = f"{dialect.name} knows continue-on-error as odata.continue-on-error only"
        say(Rule.PREFERENCE_UNPREFIXED, message)
