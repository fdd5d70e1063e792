"""What one service refuses, or silently does otherwise, though the standard allows it.

What a service takes is in the fields of its `Dialect`, each with its source there. `CHECKS` says
which of them each check is about: where they are those of the standard, it is not asked, so that
the batches of the standard's dialects pay nothing. A finding is made where a batch goes too far, at
the item that does, so that it has a place; work is linear in the number of operations and
dependencies.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from odata_batch._checks.messages import preferences
from odata_batch._checks.scope import Say, Scope
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


@dataclass(slots=True)
class Served:
    """A batch for one service: what the checks are applied under, and what they have counted."""

    scope: Scope
    say: Say
    names: Names
    change_sets: int = 0
    entities: set[str] = field(default_factory=set)
    # Which uniform patterns the dependencies so far follow: none depends on any, each on the one
    # before, or all others on the same one.
    parallel: bool = True
    serial: bool = True
    shared: set[int] = field(default_factory=set)
    independent: set[int] = field(default_factory=set)
    previous: int | None = None


Check: TypeAlias = Callable[[Operation, int, Served], None]
"""Reports what is wrong with an operation that has this index in the index of names."""


def checks_for(dialect: Dialect) -> list[Check]:
    """Return the checks that may have something to say in this dialect."""
    if dialect is ODATA_4_01:  # most batches are of it, and comparing it with itself takes time
        return []
    return [
        check
        for check, names in CHECKS
        if any(getattr(dialect, name) != getattr(ODATA_4_01, name) for name in names)
    ]


# -- one operation ---------------------------------------------------------------------------------


def check_url_form(item: Operation, source: int, batch: Served) -> None:
    """The forms of URL that a service understands; a reference is none of them."""
    dialect, url = batch.scope.dialect, item.url
    authority = None if url.startswith("/") else grammar.AUTHORITY.match(url)
    form = "path" if url.startswith("/") else "relative" if authority is None else "absolute"
    if form in dialect.url_forms or _is_reference(url, dialect):
        return
    mended = f"expected {' or '.join(sorted(dialect.url_forms))}"
    if authority is not None:  # whether the host is one of the service is not known here
        path = url[authority.end() :]
        segment = _first_segment(path)
        if _is_root_segment(segment, dialect):
            path = path[len(segment) + 1 :]
        if _first_segment(path):
            within = path if "path" in dialect.url_forms else path.removeprefix("/")
            mended = f"expected a relative one, as in {quote(within)}"
    what = "is a path" if form == "path" else f"is {form}"
    message = f"URL {quote(url)} {what}, which {dialect.name} does not take; {mended}"
    batch.say(Rule.URL_FORM, message)


def _is_reference(url: str, dialect: Dialect) -> bool:
    relative = url.removeprefix("/") if dialect.paths_from_service_root else url
    return referenced_id(relative) is not None


def _is_root_segment(segment: str, dialect: Dialect) -> bool:
    return segment.lower() in {each.lower() for each in dialect.root_segments}


def _first_segment(url: str) -> str:
    """Return the first segment of a path or relative URL."""
    return url.removeprefix("/").partition("?")[0].partition("#")[0].partition("/")[0]


def check_root_segment(item: Operation, source: int, batch: Served) -> None:
    """First segments that belong to the URL of the batch, such as the version of a service."""
    segment = _first_segment(item.url)
    if _is_root_segment(segment, batch.scope.dialect):
        rest = item.url.removeprefix("/")[len(segment) :]
        mended = f"write {quote(rest)}" if _first_segment(rest) else "expected a URL below it"
        found = f"URL {quote(item.url)} begins with {segment}"
        belongs = f"which for {batch.scope.dialect.name} belongs to the URL of the batch"
        batch.say(Rule.URL_ROOT_SEGMENT, f"{found}, {belongs}; {mended}")


def check_reference_support(item: Operation, source: int, batch: Served) -> None:
    """References, to a service that resolves none."""
    dialect = batch.scope.dialect
    if dialect.references == "none" and _is_reference(item.url, dialect):
        found = f"URL {quote(item.url)} is a reference, which {dialect.name} does not resolve"
        mended = "send it in a later batch, with the URL that the other request returned"
        batch.say(Rule.REFERENCE_NOT_SUPPORTED, f"{found}; {mended}")


def check_structured_body(item: Operation, source: int, batch: Served) -> None:
    """Bodies in JSON batches, to a service that reads JSON objects and arrays alone."""
    dialect = batch.scope.dialect
    if dialect.json_bodies != "structured" or batch.scope.format != "json" or not item.body:
        return
    content_type = item.headers.get("content-type")
    if content_type is not None and not parse_media_type(content_type).is_json:
        found = f"the body is {quote(content_type)}, not JSON"
    elif item.body.lstrip(b" \t\r\n")[:1] in (b"{", b"["):
        return
    else:
        found = f"the body {quote(item.body)} is not a JSON object or array"
    message = f"{found}; {dialect.name} takes it outside of batches only"
    batch.say(Rule.JSON_BODY_NOT_STRUCTURED, message)


# -- an operation among others ---------------------------------------------------------------------


def check_counts(item: Operation, source: int, batch: Served) -> None:
    """How many operations and change sets a service takes, and whether it takes sets as one."""
    dialect, say = batch.scope.dialect, batch.say
    if source == dialect.operations:
        message = f"{dialect.name} takes {_number(source, 'operation')}; split the batch"
        say(Rule.TOO_MANY_OPERATIONS, message)
    change_set = batch.names.change_set(source)
    if change_set is None:
        return
    members = source - batch.names.members[change_set].start
    if members == 0:
        if batch.change_sets == dialect.change_sets:
            limit = _number(batch.change_sets, "change set")
            say(Rule.TOO_MANY_CHANGE_SETS, f"{dialect.name} takes {limit}; split the batch")
        batch.change_sets += 1
    if members == dialect.change_set_operations:
        limit = _number(members, "operation")
        say(Rule.CHANGE_SET_TOO_LARGE, f"{dialect.name} takes {limit} in a change set")
    if members == 1 and not dialect.atomicity_groups:
        found = f"{dialect.name} does not execute the operations of a change set as one"
        message = f"{found}: what succeeded stays when another fails; send each on its own"
        say(Rule.ATOMICITY_IGNORED, message)


def _number(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def check_transactions(item: Operation, source: int, batch: Served) -> None:
    """Writes that a service takes in change sets only, maybe one batch with one change set."""
    names, say, name = batch.names, batch.say, batch.scope.dialect.name
    is_alone, reads = names.change_set(source) is None, item.method in _READING
    if is_alone and not reads:
        found = f"{item.method} {quote(item.url)} is in no change set"
        message = f"{found}; {name} wants one around what changes data"
        say(Rule.WRITE_OUTSIDE_CHANGE_SET, message)
    if batch.scope.dialect.transactions != "single":
        return
    follows_query = source == 1 and names.operations[0].method in _READING
    follows_query = follows_query and names.change_set(0) is None
    if source and ((is_alone and reads) or follows_query):
        say(Rule.QUERY_NOT_ALONE, f"a query is the only operation of a batch for {name}")
    if is_alone or item.method == "POST":  # the URL of a new entity is not known
        return
    entity = _entity_of(item.url)
    if entity in batch.entities:
        found = f"{item.method} {quote(item.url)} is the second operation on this entity"
        say(Rule.ENTITY_TWICE, f"{found}; {name} takes one")
    batch.entities.add(entity)


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


def check_dependencies(item: Operation, source: int, batch: Served) -> None:
    """Dependencies that a service takes in a uniform pattern only."""
    # A name that is no id so far is a group's, or wrong, which is found elsewhere.
    firsts = (batch.names.named(name)[:1] for name in item.depends_on)
    targets = {first for named in firsts for first in named if first < source}
    if item.depends_on and not targets:
        return
    own = source if item.id is None else batch.names.named(item.id)[0]
    was_uniform = _is_uniform(batch)
    batch.parallel = batch.parallel and not targets
    batch.serial = batch.serial and (batch.previous is None or batch.previous in targets)
    batch.shared |= targets
    if not targets:
        batch.independent.add(own)
    batch.previous = own
    if was_uniform and not _is_uniform(batch):
        found = f"{item.method} {quote(item.url)} depends on others in another way than before"
        mended = "let each depend on the one before, or all others on one, or none on any"
        batch.say(Rule.DEPENDENCIES_MIXED, f"{found}; for {batch.scope.dialect.name}, {mended}")


def _is_uniform(batch: Served) -> bool:
    same = len(batch.shared) == 1 and batch.independent <= batch.shared
    return batch.parallel or batch.serial or same


CHECKS: Final[tuple[tuple[Check, tuple[str, ...]], ...]] = (
    (check_url_form, ("url_forms",)),
    (check_root_segment, ("root_segments",)),
    (check_reference_support, ("references",)),
    (check_structured_body, ("json_bodies",)),
    (check_counts, ("operations", "change_sets", "change_set_operations", "atomicity_groups")),
    (check_transactions, ("transactions",)),
    (check_dependencies, ("dependencies",)),
)
"""Each check, and the fields of `Dialect` that it is about."""


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
