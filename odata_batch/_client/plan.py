"""What to send next: `split`, `remaining` and `retry_after`.

All three are functions of values; nothing here waits, sends or asks for the time. What they plan
with is the prepared batch, so that identifiers stay the same in whatever batch an operation ends
up, and results can be put together by them.

Operations that refer to each other, that depend on each other, or that are in one change set belong
together. All work is linear in the number of operations, references and dependencies.

Why this long: the three stand on the same ground, and dates have three formats.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import accumulate, groupby
from typing import NamedTuple

from odata_batch._checks.batch import path_of
from odata_batch._client.dates import parse_date
from odata_batch._client.outcomes import BatchResult, Outcome, State
from odata_batch._graph.prepare import prepare
from odata_batch._graph.references import (
    Dependencies,
    Reference,
    bindings_in,
    dependencies_of,
    find_references,
)
from odata_batch._model.dialect import Dialect, Format
from odata_batch._model.findings import Diagnostic, EncodeError, UnresolvedReference, quote
from odata_batch._model.headers import Headers
from odata_batch._model.rules import Rule
from odata_batch._model.values import (
    BatchRequest,
    ChangeSet,
    Operation,
    OperationResponse,
    RequestItem,
)
from odata_batch.dialects import ODATA_4_01

# RFC 6585, 4 and RFC 9110, 15.6.4: later, the same request may succeed.
_THROTTLED = frozenset((429, 503))


def is_throttled(outcome: Outcome) -> bool:
    """Tell whether a service asks to send the operation again, by status 429 or 503.

    >>> is_throttled(Outcome(operation=Operation.get("People"), state=State.UNKNOWN, reason=""))
    False
    """
    return outcome.status in _THROTTLED


# -- split -----------------------------------------------------------------------------------------


def split(
    batch: BatchRequest,
    *,
    max_operations: int | None = None,
    format: Format = "multipart",
    dialect: Dialect = ODATA_4_01,
) -> tuple[BatchRequest, ...]:
    """Return batches of at most `max_operations` operations that hold those of `batch`, prepared.

    Without `max_operations` the dialect says how many a service takes; `ValueError` if it does not
    either. It also says how many change sets a batch may have, and how many operations a change
    set. A change set stays whole, and an operation stays with all that it refers to or depends on;
    if that is more than a batch may have, `EncodeError` names it, under the rule `limit-exceeded`.
    Change sets that nest more than 32 deep, which no format carries, are an `EncodeError`, too.

    Operations keep their order, except that what belongs together is brought together where all
    that lies between does not fit. Each batch stops at its own first error only: if `batch` stops
    at errors, send the next one only if the one before has succeeded. An empty batch needs none.

    >>> batch = BatchRequest([Operation.delete(f"People({number})") for number in range(5)])
    >>> [len(piece.items) for piece in split(batch, max_operations=2)]
    [2, 2, 1]
    """
    bounds = _bounds_of(max_operations, dialect)
    prepared = _prepared(batch, format, dialect)
    loads = [_load_of(item) for item in prepared.items]
    dependencies = dependencies_of(prepared, format=format, dialect=dialect)
    edges = list(_item_edges(dependencies, dialect))
    packing = _Packing(bounds, loads)
    oversized = [
        _oversized(prepared, [index], _excess("operations", load.operations, most, "change set"))
        for index, load in enumerate(loads)
        if load.change_sets and load.operations > (most := bounds.change_set_operations)
    ]
    closures = _closures(len(loads), edges)
    for block in _blocks(len(loads), edges):
        if packing.excess(block) is None:
            packing.add(block)
            continue
        for closure in _firsts(block, closures):
            excess = packing.excess(closure)
            if excess is None:
                packing.add(closure)
            else:
                oversized.append(_oversized(prepared, closure, excess))
    if oversized:
        raise EncodeError(tuple(oversized))
    return tuple(_part(prepared, indexes) for indexes in packing.pieces)


class _Load(NamedTuple):
    """How much of a batch something takes."""

    operations: int
    change_sets: int
    items: int


@dataclass(frozen=True, slots=True)
class _Bounds:
    """How much a batch may hold."""

    operations: int
    change_sets: float
    items: float
    change_set_operations: float


def _bounds_of(max_operations: int | None, dialect: Dialect) -> _Bounds:
    operations = dialect.operations if max_operations is None else max_operations
    if not isinstance(operations, int | None) or isinstance(operations, bool):
        raise TypeError(f"max_operations is an int, not {type(operations).__name__}")
    if operations is None:
        raise ValueError(f"max_operations is missing, and {dialect.name} does not say how many")
    if operations < 1:
        raise ValueError(f"max_operations is at least 1, not {operations}")
    return _Bounds(
        operations,
        _or_any(dialect.change_sets),
        1 if dialect.transactions == "single" else _or_any(None),
        _or_any(dialect.change_set_operations),
    )


def _or_any(bound: int | None) -> float:
    return float("inf") if bound is None else bound


def _load_of(item: RequestItem) -> _Load:
    if isinstance(item, ChangeSet):
        return _Load(len(item.operations()), 1, 1)
    return _Load(1, 0, 1)


class _Packing:
    """Fills one batch after the other; what has been put into one stays there."""

    def __init__(self, bounds: _Bounds, loads: list[_Load]) -> None:
        self.pieces: list[list[int]] = []
        self._most = (bounds.operations, bounds.change_sets, bounds.items)
        self._loads = loads
        self._load = _Load(0, 0, 0)

    def excess(self, indexes: list[int]) -> str | None:
        """Return what of these items is more than a batch can hold, if anything is."""
        for name, count, most in zip(_Load._fields, self._sum(indexes), self._most, strict=True):
            if count > most:
                return _excess(name.replace("_", " "), count, most, "batch")
        return None

    def add(self, indexes: list[int]) -> None:
        """Put items that fit into the last batch, or into a new one."""
        load = self._sum(indexes)
        together = _Load(*map(sum, zip(self._load, load, strict=True)))
        if self.pieces and self._holds(together):
            self.pieces[-1] += indexes
            self._load = together
        else:
            self.pieces.append(list(indexes))
            self._load = load

    def _sum(self, indexes: list[int]) -> _Load:
        return _Load(*map(sum, zip(*(self._loads[index] for index in indexes), strict=True)))

    def _holds(self, load: _Load) -> bool:
        return all(count <= most for count, most in zip(load, self._most, strict=True))


def _excess(what: str, count: int, most: float, where: str) -> str:
    return f"found {count} {what} that belong together, a {where} may have {most}"


def _closures(count: int, edges: Iterable[tuple[int, int]]) -> list[list[int]]:
    """Return for each item those that it belongs together with, itself included, in order."""
    parents = list(range(count))

    def root(index: int) -> int:
        while parents[index] != index:
            # Halving the way on every walk makes all of them together nearly linear.
            parents[index] = parents[parents[index]]
            index = parents[index]
        return index

    for one, other in edges:
        first, second = sorted((root(one), root(other)))
        parents[second] = first
    members: list[list[int]] = [[] for _ in range(count)]
    for index in range(count):
        members[root(index)].append(index)
    return [members[root(index)] for index in range(count)]


def _blocks(count: int, edges: Iterable[tuple[int, int]]) -> Iterator[list[int]]:
    """Yield the runs of items between which no two belong together."""
    crossing = [0] * (count + 1)
    for one, other in edges:
        crossing[min(one, other)] += 1
        crossing[max(one, other)] -= 1
    start = 0
    for index, open_edges in enumerate(accumulate(crossing[:count])):
        if not open_edges:
            yield list(range(start, index + 1))
            start = index + 1


def _firsts(block: list[int], closures: list[list[int]]) -> Iterator[list[int]]:
    """Yield the closures of a block, each once, in the order of their first items."""
    for index in block:
        if closures[index][0] == index:
            yield closures[index]


# How many members of an oversized closure are named one by one
_NAMED = 20


def _oversized(batch: BatchRequest, indexes: list[int], excess: str) -> Diagnostic:
    operations = BatchRequest([batch.items[index] for index in indexes]).operations()
    names = [quote(f"{each.method} {each.url}") for each in operations[:_NAMED]]
    names += [f"{len(operations) - _NAMED} more"] if len(operations) > _NAMED else []
    position = batch.items[indexes[0]].position
    message = f"{excess}: {', '.join(names)}"
    return Diagnostic(Rule.LIMIT_EXCEEDED, message, position, path_of([indexes[0]]))


def _part(batch: BatchRequest, indexes: Iterable[int]) -> BatchRequest:
    return replace(batch, items=tuple(batch.items[index] for index in sorted(indexes)))


class _Need(NamedTuple):
    """An operation refers to or depends on another one, or on a change set."""

    source: int
    name: str
    place: str
    target: int
    """A node of `Dependencies`."""


def _needs(dependencies: Dependencies, dialect: Dialect) -> Iterator[_Need]:
    """Yield what operations refer to or depend on, as far as it is in the batch."""
    for edge in dependencies.edges:
        if edge.target is not None:
            yield _Need(edge.source, edge.name, edge.place, edge.target)
    if dialect.references != "none":
        yield from _needs_of_bodies(dependencies)


def _needs_of_bodies(dependencies: Dependencies) -> Iterator[_Need]:
    """Yield what members of bodies refer to whose names say so; other strings may be prices."""
    index_of: dict[tuple[int | None, str], int] = {}
    for index, item in enumerate(dependencies.operations):
        if item.id is not None:
            index_of.setdefault((dependencies.item_of[index], item.id), index)
            index_of.setdefault((None, item.id), index)
    for index, item in enumerate(dependencies.operations):
        for name in dict.fromkeys(bindings_in(item)):
            within = index_of.get((dependencies.item_of[index], name))
            target = index_of.get((None, name)) if within is None else within
            if target is not None and target != index:
                yield _Need(index, name, "body", target)


def _item_edges(dependencies: Dependencies, dialect: Dialect) -> Iterator[tuple[int, int]]:
    """Yield the indexes of two items of which one refers to or depends on the other."""
    count = len(dependencies.operations)
    item_of = dependencies.item_of
    for need in _needs(dependencies, dialect):
        source = item_of[need.source]
        target = item_of[need.target] if need.target < count else need.target - count
        if source != target:
            yield source, target


# Change sets within change sets are for other protocols, 32 deep at most.


def _prepared(batch: BatchRequest, format: Format, dialect: Dialect) -> BatchRequest:
    if not isinstance(batch, BatchRequest):
        raise TypeError(f"batch is a BatchRequest, not {type(batch).__name__}")
    return prepare(batch, format=format, dialect=dialect)


# -- remaining -------------------------------------------------------------------------------------


def remaining(
    batch: BatchRequest,
    results: BatchResult | Mapping[str, int],
    *,
    when: Callable[[Outcome], bool] = is_throttled,
    format: Format = "multipart",
    dialect: Dialect = ODATA_4_01,
) -> BatchRequest:
    """Return a batch of the operations that are to be sent again, under their identifiers.

    `results` is what `match` returned for `batch`, or the status of each operation by its
    identifier; one that is not in the mapping is unknown. Sent again are the operations for which
    `when` is true, and those that failed or were not executed because of them and of nothing else.
    By default that is what status 429 or 503 took down. A change set is sent again as a whole, and
    not at all if a member of it failed for another reason or is unknown. What is unknown may have
    been applied, so `when` has to ask for it. The batch may come out empty.

    What has succeeded is left out. `depends_on` does not name it any more; a URL that refers to it
    begins with the Location of its response instead, or with the URL of a GET, PUT or PATCH request
    that has none, and an If-Match or If-None-Match has its ETag.
    `UnresolvedReference` is raised if the response has no ETag or no Location that is absolute, and
    if a query, a condition or a body refers to it.

    `ValueError` is raised if the results are those of another batch, and `EncodeError` for change
    sets that nest more than 32 deep.

    >>> batch = BatchRequest([Operation.get("People", id="1"), Operation.get("Orders", id="2")])
    >>> [operation.id for operation in remaining(batch, {"1": 200, "2": 429}).operations()]
    ['2']
    """
    prepared = _prepared(batch, format, dialect)
    dependencies = dependencies_of(prepared, format=format, dialect=dialect)
    if isinstance(results, BatchResult):
        outcomes = _checked(results.outcomes, batch)
    elif not isinstance(results, Mapping):
        raise TypeError(f"results is a BatchResult or a mapping, not {type(results).__name__}")
    else:
        outcomes = _outcomes(results, prepared, dialect)
    choice = _Choice(dependencies, outcomes, when, dialect)
    choice.choose(None if format == "multipart" else _stopped_to_resume(outcomes, when))
    found: list[list[Operation]] = [[] for _ in prepared.items]
    for index in sorted(choice.chosen):
        found[dependencies.item_of[index]].append(choice.detached(index))
    items = map(_with_members, prepared.items, found)
    return replace(prepared, items=tuple(item for item in items if item is not None))


def _with_members(item: RequestItem, members: list[Operation]) -> RequestItem | None:
    """Return the item with the operations that are left of it, if any are."""
    if not members:
        return None
    if not isinstance(item, ChangeSet):
        return members[0]
    is_whole = tuple(members) == item.operations()
    return item if is_whole else ChangeSet(members, id=item.id)


def _checked(outcomes: tuple[Outcome, ...], batch: BatchRequest) -> tuple[Outcome, ...]:
    operations = tuple(outcome.operation for outcome in outcomes)
    if operations != batch.operations():
        raise ValueError("the results are those of another batch")
    return outcomes


def _outcomes(
    statuses: Mapping[str, int], batch: BatchRequest, dialect: Dialect
) -> tuple[Outcome, ...]:
    """Return what statuses by identifier say about a prepared batch."""
    fold = str.lower if dialect.ids_ignore_case else str
    status_of = {fold(id): status for id, status in statuses.items()}
    unused = dict(status_of)
    outcomes: list[Outcome] = []
    for item in batch.items:
        members = item.operations() if isinstance(item, ChangeSet) else (item,)
        found = [status_of.get(fold(each.id)) if each.id is not None else None for each in members]
        atomic = isinstance(item, ChangeSet) and dialect.atomicity_groups
        failed = atomic and any(status is not None and status >= 400 for status in found)
        outcomes += map(_outcome, members, found, [failed] * len(found))
        for member in members:
            unused.pop(fold(member.id or ""), None)
    for name in unused:
        raise ValueError(f"the results are those of another batch, none of this has id {name!r}")
    return tuple(outcomes)


def _outcome(operation: Operation, status: int | None, group_failed: bool) -> Outcome:
    if status is None:
        state = State.ROLLED_BACK if group_failed else State.UNKNOWN
        return Outcome(operation=operation, state=state, reason="no status was given for it")
    if status >= 400:
        state = State.DEPENDENCY_FAILED if status == 424 else State.FAILED
    elif status >= 200:
        state = State.ROLLED_BACK if group_failed else State.SUCCEEDED
    else:
        state = State.UNKNOWN
    response = OperationResponse(status)
    reason = f"the status {status} was given for it"
    return Outcome(operation=operation, response=response, state=state, reason=reason)


_FAILING = frozenset((State.FAILED, State.ROLLED_BACK, State.DEPENDENCY_FAILED))
_UNFIT = frozenset((State.FAILED, State.PENDING, State.UNKNOWN))


def _stopped_to_resume(outcomes: Iterable[Outcome], when: Callable[[Outcome], bool]) -> bool:
    """Tell whether whatever stopped a JSON batch, whose order is unknown, is sent again."""
    failed = [outcome for outcome in outcomes if outcome.state is State.FAILED]
    return bool(failed) and all(map(when, failed))


class _Choice:
    """Chooses the operations that are sent again; what belongs to a change set, at once."""

    def __init__(
        self,
        dependencies: Dependencies,
        outcomes: tuple[Outcome, ...],
        when: Callable[[Outcome], bool],
        dialect: Dialect,
    ) -> None:
        self.chosen: set[int] = set()
        self._dependencies = dependencies
        self._outcomes = outcomes
        self._asked = list(map(when, outcomes))
        self._needs: list[list[_Need]] = [[] for _ in outcomes]
        for need in _needs(dependencies, dialect):
            self._needs[need.source].append(need)
        # How many operations of each item have not succeeded, and how many of these are not chosen.
        self._unfinished = [0] * (1 + max(dependencies.item_of, default=-1))
        for item, outcome in zip(dependencies.item_of, outcomes, strict=True):
            self._unfinished[item] += outcome.state is not State.SUCCEEDED
        self._open = list(self._unfinished)
        self._chosen_of = [0] * len(self._open)
        apart = range(len(outcomes))
        self._units = _units(dependencies.item_of if dialect.atomicity_groups else apart)

    def choose(self, resume: bool | None) -> None:
        """Choose, in order; `resume` says whether what was not executed is sent again.

        `None` if that depends on the last failure before it, as in multipart batches.
        """
        in_order = resume is None
        for unit in self._units:
            is_chosen = self._is_wanted(unit, bool(resume)) and not self._is_hindered(unit)
            if is_chosen:
                self._choose(unit)
            if in_order and any(self._outcomes[index].state in _FAILING for index in unit):
                resume = is_chosen

    def _choose(self, unit: range) -> None:
        self.chosen.update(unit)
        for index in unit:
            item = self._dependencies.item_of[index]
            self._chosen_of[item] += 1
            self._open[item] -= self._outcomes[index].state is not State.SUCCEEDED

    def _is_wanted(self, unit: range, resume: bool) -> bool:
        for index in unit:
            state = self._outcomes[index].state
            if self._asked[index] or (state is State.NOT_EXECUTED and resume):
                return True
            if state is State.DEPENDENCY_FAILED:
                needs = self._needs_outside(index, unit)
                if not all(self._is_finished(need.target) for need in needs):
                    return True
        return False

    def _is_hindered(self, unit: range) -> bool:
        """Tell whether one operation could not succeed, or might be applied twice."""
        return any(
            (self._outcomes[index].state in _UNFIT and not self._asked[index])
            or not all(self._is_met(need.target) for need in self._needs_outside(index, unit))
            for index in unit
        )

    def _needs_outside(self, index: int, unit: range) -> Iterator[_Need]:
        own_group = len(self._outcomes) + self._dependencies.item_of[index]
        for need in self._needs[index]:
            if need.target not in unit and need.target != own_group:
                yield need

    def _is_finished(self, node: int) -> bool:
        if node < len(self._outcomes):
            return self._outcomes[node].state is State.SUCCEEDED
        return not self._unfinished[node - len(self._outcomes)]

    def _is_met(self, node: int) -> bool:
        """Tell whether the node has succeeded, or is sent again as well."""
        if node < len(self._outcomes):
            return node in self.chosen or self._is_finished(node)
        return not self._open[node - len(self._outcomes)]

    def _is_left_out(self, node: int) -> bool:
        if node < len(self._outcomes):
            return node not in self.chosen
        return not self._chosen_of[node - len(self._outcomes)]

    # -- the operations that are chosen --

    def detached(self, index: int) -> Operation:
        """Return the operation without the names of what is not sent again."""
        item = self._dependencies.operations[index]
        gone = [need for need in self._needs[index] if self._is_left_out(need.target)]
        pruned = {need.name for need in gone if need.place == "depends_on"}
        if pruned:
            names = tuple(name for name in item.depends_on if name not in pruned)
            item = replace(item, depends_on=names)
        for need in gone:
            if need.place != "depends_on":
                item = self._resolved(item, need)
        return item

    def _resolved(self, item: Operation, need: _Need) -> Operation:
        response = self._outcomes[need.target].response
        headers = Headers() if response is None else response.headers
        if need.place == "url" and item.url.startswith(f"${need.name}"):
            own = _own_url(self._outcomes[need.target].operation)
            if "location" not in headers and own is not None:
                return replace(item, url=own + item.url[len(need.name) + 1 :])
            return replace(item, url=_located(item, need.name, headers.get("location")))
        if need.place in _TAG_FIELDS:
            item = replace(item, headers=_tagged(item, need, headers.get("etag")))
            if need.name not in (found.id for found in _at(need.place, item)):
                return item
        where = f"in its {need.place}"
        raise UnresolvedReference(f"{_unresolved(item, need.name)}, {where}; rewrite it")


def _at(place: str, item: Operation) -> list[Reference]:
    return [reference for reference in find_references(item) if reference.place == place]


_TAG_FIELDS = frozenset(("if-match", "if-none-match"))


def _unresolved(item: Operation, name: str) -> str:
    called = quote(f"{item.method} {item.url}")
    return f"{called} refers to {quote(name)}, which is not sent again"


def _own_url(target: Operation) -> str | None:
    """Return what a reference to the request stands for where its response has no Location."""
    is_entity = target.method in ("GET", "PUT", "PATCH", "MERGE")
    return target.url if is_entity and not re.search(r"^\$|[?#]|/$", target.url) else None


def _located(item: Operation, name: str, location: str | None) -> str:
    """Return the URL, the reference replaced by the Location (OData Protocol, 11.7.4)."""
    if location is None or not _ABSOLUTE.fullmatch(location):
        found = "no Location" if location is None else f"the Location {quote(location)}"
        message = f"{_unresolved(item, name)} and has {found}, expected an absolute one"
        raise UnresolvedReference(message)
    rest = item.url[len(name) + 1 :]
    return (location.rstrip("/") if rest.startswith("/") else location) + rest


# An absolute URL or path, to which more can be added
_ABSOLUTE = re.compile(r"(?:https?:/)?/[^/?#][^?#]*", re.IGNORECASE)


def _tagged(item: Operation, need: _Need, etag: str | None) -> Headers:
    if etag is None:
        raise UnresolvedReference(f"{_unresolved(item, need.name)} and has no ETag")
    return Headers(
        (name, etag if name.lower() == need.place and value == f"${need.name}" else value)
        for name, value in item.headers.pairs
    )


def _units(item_of: Iterable[int]) -> list[range]:
    """Return the indexes of the operations that stand in the same item."""
    units: list[range] = []
    position = 0
    for _, members in groupby(item_of):
        count = len(list(members))
        units.append(range(position, position + count))
        position += count
    return units


# -- retry_after -----------------------------------------------------------------------------------


def retry_after(
    results: BatchResult,
    *,
    when: Callable[[Outcome], bool] = is_throttled,
    now: datetime | None = None,
) -> float | None:
    """Return after how many seconds `remaining` may be sent, `None` if no response says it.

    It is the longest Retry-After of the operations for which `when` is true. A Retry-After that is
    a date (RFC 9110, 10.2.3) is counted from `now`, which has a time zone, or else from the Date of
    the same response; `ValueError` if there is neither. What is past is 0. A value that is neither
    a number nor a date is passed over. The Retry-After of the HTTP response that carries the batch
    is not among the results.

    >>> throttled = OperationResponse(429, {"Retry-After": "2.5"})
    >>> get = Operation.get("People")
    >>> result = Outcome(operation=get, response=throttled, state=State.FAILED, reason="")
    >>> retry_after(BatchResult((result,)))
    2.5
    """
    if now is not None and now.utcoffset() is None:
        raise ValueError("now has no time zone")
    delays = [
        _delay(value, outcome.response.headers, now)
        for outcome in results.outcomes
        if outcome.response is not None and when(outcome)
        for value in outcome.response.headers.get_all("retry-after")
    ]
    return max((delay for delay in delays if delay is not None), default=None)


def _delay(value: str, headers: Headers, now: datetime | None) -> float | None:
    """Return the seconds that a Retry-After stands for, or `None` if it cannot be read."""
    if _DELAY.fullmatch(value):
        return float(value)
    date = parse_date(value, now)
    if date is None:
        return None
    start = parse_date(headers.get("date", ""), now) if now is None else now
    if start is None:
        raise ValueError(f"Retry-After is the date {quote(value)}; pass now to count from it")
    return max(0.0, (date - start).total_seconds())


# delay-seconds = 1*DIGIT, here with a fraction                     RFC 9110, 10.2.3
_DELAY = re.compile(r"[0-9]{1,18}(?:\.[0-9]{1,18})?")
