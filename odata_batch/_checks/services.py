"""What one service refuses, or silently does differently, though the standard allows it.

What a service takes is in the fields of its `Dialect`, each with its source there. `CHECKS` says
which of them each check is about: where they are those of the standard, it is not applied, so that
the batches of the standard's dialects cost nothing. A finding is reported at the item with which a
batch goes too far, so that it has a place; work is linear in the number of operations and
dependencies.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from odata_batch._checks.scope import Say, Scope
from odata_batch._graph.expressions import referenced_id
from odata_batch._graph.names import Names, stops_at_error
from odata_batch._model.dialect import ODATA_4_01, Dialect
from odata_batch._model.findings import counted, error, quote, warning
from odata_batch._model.headers import Headers, by_lower_name
from odata_batch._model.values import BatchRequest, Operation
from odata_batch._wire import grammar
from odata_batch._wire.jsonbody import decode_base64
from odata_batch._wire.mediatype import parse_media_type

_READING = frozenset(("GET", "HEAD"))


@dataclass(slots=True)
class Served:
    """A batch for one service: what the checks are applied under, and what they have counted."""

    scope: Scope
    say: Say
    names: Names
    change_sets: int = 0
    entities: set[str] = field(default_factory=set)
    partition: tuple[str, str] | None = None
    # Which uniform patterns the dependencies so far follow: none depends on any, each on the one
    # before alone, or all others on the same one.
    parallel: bool = True
    serial: bool = True
    shared: set[int] = field(default_factory=set)
    independent: set[int] = field(default_factory=set)
    previous: int | None = None


Check: TypeAlias = Callable[[Operation, int, Served], None]
"""Reports what is wrong with an operation that has this index in the index of names."""


def checks_for(dialect: Dialect) -> list[Check]:
    """Return the checks that can object to something in this dialect."""
    if dialect is ODATA_4_01:  # most batches are of it, and comparing it with itself takes time
        return []
    return [
        check
        for check, names in CHECKS
        if any(getattr(dialect, name) != getattr(ODATA_4_01, name) for name in names)
    ]


# -- one operation ---------------------------------------------------------------------------------


URL_FORM = error("""
    url-form (@url): A URL has a form that the service understands. [Microsoft Graph, JSON batching,
    Creating a batch request]
    Write the URL in one of the forms that the message names.""")


def check_url_form(item: Operation, source: int, batch: Served) -> None:
    """The forms of URL that a service understands; a reference is not one of them."""
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
    batch.say(URL_FORM, f"URL {quote(url)} {what}, which {dialect.name} does not take; {mended}")


def _is_reference(url: str, dialect: Dialect) -> bool:
    relative = url.removeprefix("/") if dialect.paths_from_service_root else url
    return referenced_id(relative) is not None


def _is_root_segment(segment: str, dialect: Dialect) -> bool:
    return segment.lower() in {each.lower() for each in dialect.root_segments}


def _first_segment(url: str) -> str:
    """Return the first segment of a path or relative URL."""
    return url.removeprefix("/").partition("?")[0].partition("#")[0].partition("/")[0]


URL_ROOT_SEGMENT = error("""
    url-root-segment (@url): A URL does not begin with a segment of the service root. [Microsoft
    Graph, JSON batching, Creating a batch request]
    Remove the first segment, and write the URL relative to the service root.""")


def check_root_segment(item: Operation, source: int, batch: Served) -> None:
    """First segments that belong to the URL of the batch, such as the version of a service."""
    segment = _first_segment(item.url)
    if _is_root_segment(segment, batch.scope.dialect):
        rest = item.url.removeprefix("/")[len(segment) :]
        mended = f"write {quote(rest)}" if _first_segment(rest) else "expected a URL below it"
        found = f"URL {quote(item.url)} begins with {segment}"
        belongs = f"which for {batch.scope.dialect.name} belongs to the URL of the batch"
        batch.say(URL_ROOT_SEGMENT, f"{found}, {belongs}; {mended}")


REFERENCE_NOT_SUPPORTED = error("""
    reference-not-supported (@url): No URL refers to another request where the service resolves no
    references. [Microsoft Graph, JSON batching, Sequencing requests with the dependsOn property]
    Send the request in a second batch, with the URL from the first response.""")


def check_reference_support(item: Operation, source: int, batch: Served) -> None:
    """References, to a service that resolves none."""
    dialect = batch.scope.dialect
    if dialect.references == "none" and _is_reference(item.url, dialect):
        found = f"URL {quote(item.url)} is a reference, which {dialect.name} does not resolve"
        mended = "send it in a later batch, with the URL that the other request returned"
        batch.say(REFERENCE_NOT_SUPPORTED, f"{found}; {mended}")


REFERENCE_LOOKALIKE = error("""
    reference-lookalike (@url): A URL begins with a segment such as $metadata only where the service
    does not take that for a reference. [ASP.NET, OData.Core 7.22, ODataBatchUtils]
    Write ./ in front of the URL.""")


def check_dollar_segment(item: Operation, source: int, batch: Served) -> None:
    """URLs that begin with a dollar sign, to a service that takes each for a reference."""
    if item.url.lstrip("/").startswith("$") and not _is_reference(item.url, batch.scope.dialect):
        found = f"{batch.scope.dialect.name} takes the URL {quote(item.url)} for a reference"
        batch.say(REFERENCE_LOOKALIKE, f"{found}; write './{item.url.lstrip('/'):.60}'")


CONDITION_NOT_SUPPORTED = error("""
    condition-not-supported (@condition): A request has no member if, where the service does not
    know it. [OData JSON, 19.1]
    Send the request in a second batch, if its condition holds.""")
REPEATED_FIELD = error("""
    repeated-field: A header field appears once in a message, where the service takes no other.
    [ASP.NET, OData.Core 7.22]
    Join the values with commas, or keep one of them.""")
BODY_MISSING = warning("""
    body-missing (@method): A request that writes has a body, where the service wants one.
    [Microsoft Graph, JSON batching]
    Give the request a body, {} if there is nothing to say.""")


def check_condition(item: Operation, source: int, batch: Served) -> None:
    """Conditions, to a service that knows none."""
    if item.condition is not None:
        message = f"{batch.scope.dialect.name} has no member if, found {quote(item.condition)}"
        batch.say(CONDITION_NOT_SUPPORTED, message)


def check_repeated_fields(item: Operation, source: int, batch: Served) -> None:
    """Fields that appear twice, to a service that refuses them all."""
    for name, values in by_lower_name(item.headers).items():
        if len(values) > 1:
            message = f"{batch.scope.dialect.name} takes the header {quote(name)} once"
            batch.say(REPEATED_FIELD, message, f"headers.{name}")


def check_empty_write(item: Operation, source: int, batch: Served) -> None:
    """Requests without body, to a service that wants one where something is written."""
    if not item.body and item.method in ("POST", "PUT", "PATCH"):
        found = f"{item.method} {quote(item.url)} has no body"
        batch.say(BODY_MISSING, f"{found}, which {batch.scope.dialect.name} refuses")


JSON_BODY_NOT_STRUCTURED = error("""
    json-body-not-structured (@body): A body is a JSON object or array, where the service reads
    nothing else. [SAP CAP, @sap/cds 9.9, OData adapter]
    Send the request by itself, or in a multipart batch.""")


def check_structured_body(item: Operation, source: int, batch: Served) -> None:
    """Bodies in JSON batches, to a service that reads JSON objects and arrays alone."""
    dialect = batch.scope.dialect
    starts = {"structured": (b"{", b"["), "objects": (b"{",)}.get(dialect.json_bodies)
    if starts is None or batch.scope.format != "json" or not item.body:
        return
    content_type, member = item.headers.get("content-type"), ""
    if content_type is not None and not parse_media_type(content_type).is_json:
        if dialect.json_bodies == "objects":
            return
        found, member = f"the body is {quote(content_type)}, not JSON", "headers=content-type"
    elif item.body.lstrip(b" \t\r\n")[:1] in starts or _is_base64(item.body, dialect):
        return
    else:
        or_array = " or array" if b"[" in starts else ""
        found = f"the body {quote(item.body)} is not a JSON object{or_array}"
    message = f"{found}; {dialect.name} takes it outside of batches only"
    batch.say(JSON_BODY_NOT_STRUCTURED, message, member)


def _is_base64(body: bytes, dialect: Dialect) -> bool:
    """Tell whether a JSON body is a string that encodes octets, where any body may do so."""
    text = body.strip().decode("latin-1")
    is_string = dialect.json_bodies == "objects" and text[:1] == text[-1:] == '"'
    return is_string and decode_base64(text[1:-1]) is not None


# -- an operation among others ---------------------------------------------------------------------


TOO_MANY_OPERATIONS = error("""
    too-many-operations: A batch has no more operations than the service takes. [Microsoft Graph,
    JSON batching, Batch size limitations]
    Split the batch into smaller ones.""")
TOO_MANY_CHANGE_SETS = error("""
    too-many-change-sets: A batch has no more change sets than the service takes. [Azure Tables,
    Performing entity group transactions]
    Send each change set in a batch of its own.""")
CHANGE_SET_TOO_LARGE = error("""
    change-set-too-large: A change set has no more operations than the service takes. [Azure Tables,
    Performing entity group transactions]
    Split the change set, if its operations need not be executed as one.""")
ATOMICITY_IGNORED = warning("""
    atomicity-ignored: Change sets are sent to services that execute them as one. [SharePoint, Make
    batch requests with the REST APIs]
    Be prepared for operations of the change set to succeed while others fail.""")


def check_counts(item: Operation, source: int, batch: Served) -> None:
    """How many operations and change sets a service takes, and whether it executes a set as one."""
    dialect, say = batch.scope.dialect, batch.say
    if source == dialect.operations:
        message = f"{dialect.name} takes {counted(source, 'operation')}; split the batch"
        say(TOO_MANY_OPERATIONS, message)
    change_set = batch.names.change_set(source)
    if change_set is None:
        return
    members = source - batch.names.members[change_set].start
    if members == 0:
        if batch.change_sets == dialect.change_sets:
            limit = counted(batch.change_sets, "change set")
            say(TOO_MANY_CHANGE_SETS, f"{dialect.name} takes {limit}; split the batch")
        batch.change_sets += 1
    if members == dialect.change_set_operations:
        limit = counted(members, "operation")
        say(CHANGE_SET_TOO_LARGE, f"{dialect.name} takes {limit} in a change set")
    if members == 1 and not dialect.atomicity_groups:
        found = f"{dialect.name} does not execute the operations of a change set as one"
        message = f"{found}: what succeeded stays when another fails; send each on its own"
        say(ATOMICITY_IGNORED, message)


WRITE_OUTSIDE_CHANGE_SET = error("""
    write-outside-change-set (@method): Operations that change data are in change sets, where
    the service requires it. [OData v3 Batch Processing, 2.2]
    Put the operation into a change set, if necessary one of its own.""")
QUERY_NOT_ALONE = error("""
    query-not-alone (@method): A query is the only operation of its batch, where the service
    requires it. [Azure Tables, Performing entity group transactions]
    Send the query in a batch of its own.""")
ENTITY_TWICE = error("""
    entity-twice (@url): A change set changes no entity twice, where the service forbids it. [Azure
    Tables, Performing entity group transactions]
    Merge the two changes into one operation, or send them in two change sets.""")


def check_transactions(item: Operation, source: int, batch: Served) -> None:
    """Writes that a service takes only in change sets, or in the only change set of a batch."""
    names, say, name = batch.names, batch.say, batch.scope.dialect.name
    change_set, reads = names.change_set(source), item.method in _READING
    is_alone = change_set is None
    if is_alone and not reads:
        found = f"{item.method} {quote(item.url)} is in no change set"
        say(WRITE_OUTSIDE_CHANGE_SET, f"{found}; {name} requires one for what changes data")
    if batch.scope.dialect.transactions != "single":
        return
    follows_query = source == 1 and names.operations[0].method in _READING
    follows_query = follows_query and names.change_set(0) is None
    if source and ((is_alone and reads) or follows_query):
        say(QUERY_NOT_ALONE, f"{name} requires that a query is the only operation of its batch")
    if change_set is None:
        return
    if source == names.members[change_set].start:
        batch.partition, batch.entities = None, set()
    place = _partition_of(item)
    if place is not None and place != (batch.partition or place):
        found = f"{item.method} {quote(item.url)} is of {place[0]} and partition {quote(place[1])}"
        say(PARTITION_MIXED, f"{found}, the first operation is of another; {name} takes one")
    batch.partition = batch.partition or place
    if item.method == "POST":  # the URL of a new entity is not known
        return
    entity = _entity_of(item.url)
    if entity in batch.entities:
        found = f"{item.method} {quote(item.url)} is the second operation on this entity"
        say(ENTITY_TWICE, f"{found}; {name} takes one")
    batch.entities.add(entity)


PARTITION_MIXED = error("""
    partition-mixed (@url): The entities of a change set are of one table and one partition, where
    the service wants it so. [Azure Tables, Performing entity group transactions]
    Send what is of another table or partition in a change set of its own.""")
_PARTITION = re.compile(r"(?i:PartitionKey)='((?:[^']|'')*)'")
_PARTITION_IN_BODY = re.compile(rb'"PartitionKey"[ \t\r\n]*:[ \t\r\n]*"([^"\\]*)"')


def _partition_of(item: Operation) -> tuple[str, str] | None:
    """Return table and partition key of an entity, where its URL or its body tells them."""
    table, _, keys = item.url.partition("?")[0].rpartition("/")[2].partition("(")
    in_url = _PARTITION.search(keys)
    in_body = _PARTITION_IN_BODY.search(item.body) if item.method == "POST" else None
    if in_url is not None:  # a key that is percent-encoded is not compared
        return None if "%" in keys else (table.lower(), in_url[1].replace("''", "'"))
    return None if in_body is None else (table.lower(), in_body[1].decode("utf-8", "replace"))


# What is between commas, those in quotes aside: keys of OData URL Conventions, 4.3.1. Each
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


DEPENDENCIES_MIXED = warning("""
    dependencies-mixed (@depends_on): All requests run one after the other, or all at once.
    [Microsoft Graph, JSON batching, Sequencing requests with the dependsOn property]
    Let each request depend on the one before it alone, or none on any.""")


def check_dependencies(item: Operation, source: int, batch: Served) -> None:
    """Dependencies that a service takes in a uniform pattern only."""
    # A name that is not an id so far is that of a group, or wrong, which another check finds.
    firsts = (batch.names.named(name)[:1] for name in item.depends_on)
    targets = {first for named in firsts for first in named if first < source}
    if item.depends_on and not targets:
        return
    own = source if item.id is None else batch.names.named(item.id)[0]
    was_uniform = _is_uniform(batch)
    batch.parallel = batch.parallel and not targets
    batch.serial = batch.serial and (batch.previous is None or targets == {batch.previous})
    batch.shared |= targets
    if not targets:
        batch.independent.add(own)
    batch.previous = own
    if was_uniform and not _is_uniform(batch):
        found = f"{item.method} {quote(item.url)} breaks the pattern of earlier dependencies"
        mended = "let each depend on the one before alone, or all others on one, or none on any"
        batch.say(DEPENDENCIES_MIXED, f"{found}; for {batch.scope.dialect.name}, {mended}")


def _is_uniform(batch: Served) -> bool:
    same = len(batch.shared) == 1 and batch.independent <= batch.shared
    return batch.parallel or batch.serial or same


CHECKS: Final[tuple[tuple[Check, tuple[str, ...]], ...]] = (
    (check_url_form, ("url_forms",)),
    (check_root_segment, ("root_segments",)),
    (check_reference_support, ("references",)),
    (check_dollar_segment, ("dollar_segments",)),
    (check_condition, ("conditions",)),
    (check_repeated_fields, ("repeated_fields",)),
    (check_empty_write, ("empty_writes",)),
    (check_structured_body, ("json_bodies",)),
    (check_counts, ("operations", "change_sets", "change_set_operations", "atomicity_groups")),
    (check_transactions, ("transactions",)),
    (check_dependencies, ("dependencies",)),
)
"""Each check, and the fields of `Dialect` that it is about."""
OF_BODIES: Final = frozenset((check_empty_write, check_transactions))
"""The checks that look at bodies of multipart batches."""


# -- the batch as it is sent -----------------------------------------------------------------------


FORMAT_NOT_SUPPORTED = error("""
    format-not-supported: The batch is in a format that the service supports. [Microsoft Graph, JSON
    batching]
    Send the batch in the other format.""")


def check_format_spoken(scope: Scope, say: Say) -> None:
    """The formats of batch that a service supports."""
    dialect = scope.dialect
    if scope.format not in dialect.formats:
        spoken = " and ".join(sorted(dialect.formats)) or "none"
        say(FORMAT_NOT_SUPPORTED, f"the batch is {scope.format}, {dialect.name} supports {spoken}")


PAYLOAD_TOO_LARGE = error("""
    payload-too-large: A batch has no more octets than the service takes. [Azure Tables, Performing
    entity group transactions]
    Split the batch into smaller ones.""")


def check_payload(length: int, scope: Scope, say: Say) -> None:
    """How many octets the batch for a service may have."""
    payload = scope.dialect.payload
    if payload is not None and length > payload:
        name = scope.dialect.name
        message = f"the batch has {length} octets, {name} takes {payload}; split the batch"
        say(PAYLOAD_TOO_LARGE, message)


STOP_NOT_SUPPORTED = warning("""
    stop-not-supported: A batch is to end at its first error only where a service may do so. [OData
    v3 Batch Processing, 3]
    Leave continue-on-error out, and expect an answer to each request.""")


def check_stop(goes_on: bool | None, scope: Scope, say: Say) -> None:
    """Batches that are to stop, for a service that neither stops nor knows the preference."""
    dialect = scope.dialect
    is_known = dialect.preferences and dialect.continue_on_error
    if goes_on is False and not is_known:
        if not stops_at_error(BatchRequest(()), scope.format, dialect):
            say(STOP_NOT_SUPPORTED, f"{dialect.name} goes on after an error")


PREFERENCE_UNPREFIXED = warning("""
    preference-unprefixed: In OData 4.0 the preference is odata.continue-on-error, with the prefix.
    [OData Protocol, 8.2.8.3]
    Write odata.continue-on-error.""")


def check_preference_prefix(headers: Headers, dialect: Dialect, say: Say) -> None:
    """OData Protocol, 8.2.8.3: until 4.0 the preference has its prefix only."""
    if not dialect.preference_prefix:
        return
    names = [name for name, _ in grammar.preferences(headers.get_all("prefer"))]
    if "continue-on-error" in names and "odata.continue-on-error" not in names:
        message = f"{dialect.name} knows continue-on-error as odata.continue-on-error only"
        say(PREFERENCE_UNPREFIXED, message)
